#pragma once
/*
 * login_gate - one CLI alone while a login is renewed
 *
 * Processes of a CLI that share a login renew it each by itself when it is
 * about to expire.  Two that do so at once may each spend the token that is
 * good for one renewal, and the user is logged out.  So when a renewal is due,
 * the next turn is begun alone, and others wait until it has said something, or
 * has ended, or the login was written, but not longer than ALONE_MS: a CLI
 * renews its login before it asks anything.
 *
 * What is in the login is never read.  It is due when the file is nearly as old
 * as a login of its vendor lasts, or as old as it was when it was renewed
 * before.  Nobody says when exactly a CLI renews it.  So when a turn that was
 * alone has shown that the login is good, others begin together for a while,
 * GOOD_MS, and then one is alone again: until the login was written, or a turn
 * has shown that it is good beyond its end.
 */
#include <stdbool.h>
#include <stdint.h>

struct login_gate {
	uint64_t lasts_ms;    /* how long a login lasts; 0: not known */
	uint64_t written_at;  /* Unix ms; 0: not known */
	uint64_t good_at;     /* a turn has shown it, in Unix ms */
	const void *alone;    /* the turn that goes first; NULL: none... */
	uint64_t alone_since; /* ...since then, in Unix ms */
};

/* `lasts_ms` is what is known of the vendor; 0: nothing. */
void login_gate_init(struct login_gate *, uint64_t lasts_ms);

/* The login was last written then; 0: there is no such file.  All times are
 * Unix ms. */
void login_gate_look(struct login_gate *, uint64_t written_at);

/* Whether another turn may begin.  If not, nobody says when it may: ask again
 * soon, after login_gate_look(). */
bool login_gate_is_open(const struct login_gate *, uint64_t now);

void login_gate_begin(struct login_gate *, const void *turn, uint64_t now);

/* The turn has said something, so the login is good. */
void login_gate_prove(struct login_gate *, const void *turn, uint64_t now);
void login_gate_end(struct login_gate *, const void *turn);
