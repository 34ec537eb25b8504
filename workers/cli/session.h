#pragma once
/*
 * session - one conversation of a caller's session, as it is kept
 *
 * The strings are owned.
 */
#include "proto/buf.h"
#include "workers/cli/terms.h"

struct checkpoint {	 /* where one answer of a conversation ended */
	uint64_t number; /* counts the answers of the conversation from 1;
			  * 0: there is none */
	uint64_t asked;	 /* hash of what was asked; 0: unknown */
	uint64_t answer; /* hash of what was answered; 0: nothing, or unknown */
	char *position;	 /* in the CLI's own records; NULL: unknown */
};

struct session {	 /* one conversation of a session */
	char *id;	 /* the caller's */
	unsigned number; /* of the conversation in the session, from 1 */
	char *cli_id;	 /* the CLI's own */
	struct terms terms;
	struct checkpoint newest;
	uint64_t turns;
	uint64_t prompt_tokens; /* of its last prompt; 0: not known */
	bool has_caches;	/* its vendor has told of tokens in a cache */
	uint64_t created_at, last_used_at; /* Unix ms */
	bool unsaved; /* it is known to this process only */
};

void checkpoint_fini(struct checkpoint *);
void session_fini(struct session *);
void sessions_free(struct session *list, size_t n);

/* `to` is overwritten, not freed. */
void session_copy(struct session *to, const struct session *from);

/* The CLI knows it by this id from now on. */
void session_rename(struct session *, const char *cli_id);
