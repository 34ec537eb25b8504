#pragma once
/*
 * continuation - where in a session a request goes on
 *
 * A request belongs to the conversation of its session whose answer is the last
 * in its messages.  A request without an answer of the session's belongs to the
 * conversation with the same system prompt, or else to the one that was used
 * last.  But a request with another system prompt begins a conversation beside
 * the others if another turn of the session runs or waits at that moment, or if
 * either it or they have tools of the caller's, and not both: clients ask for
 * titles and tags under the id of the session that these are about.
 * Such a conversation has the options of the one that it is beside: a session
 * that may only read does not ask for its title in one that may write.
 *
 * In its conversation, a request goes on behind the newest answer, or it goes
 * back: if its last answer is an older one, the client has taken back what came
 * after that.  A harness that can rewinds the CLI's conversation; with another
 * one, a new conversation begins with the messages of the request.  So does one
 * whose messages have answers that the session did not give.
 *
 * This decides, and changes nothing.
 */
#include "workers/cli/prompt.h"
#include "workers/cli/sessions.h"

/* A conversation of the session that another turn runs in, or waits for, or
 * that waits for results of the caller's tools. */
struct live_conversation {
	unsigned number;
	uint64_t system; /* as system_hash() has it */
	const char
		*options; /* as struct terms has them; NULL: none are known */
};

struct continuation_query {
	struct sessions *sessions;
	const char *session; /* NULL: the turn stands alone */
	const struct prompt *prompt;
	bool can_rewind;
	bool has_tools;	 /* of the caller's */
	unsigned number; /* of the conversation, as was decided before; or 0 */
	const struct live_conversation *live;
	size_t live_count;
};

struct continuation {
	struct session session; /* its row; of a new conversation, what is
				 * known of it, with an id for the CLI */
	bool is_known;		/* the CLI should know the conversation... */
	bool is_rewound;  /* what came after an older answer is taken back */
	bool has_answers; /* the request has an answer of the session's */
	struct checkpoint at; /* ...and goes on behind this answer in it */
	size_t from;	      /* the first message that the CLI must hear */
	const char *reason;   /* why in this way; NULL: obvious */
};

must_check bool continuation_find(struct continuation *,
				  const struct continuation_query *,
				  struct error *);
void continuation_fini(struct continuation *);

/* `to` is overwritten, not freed. */
void continuation_copy(struct continuation *to,
		       const struct continuation *from);

/* The CLI does not know the conversation: another one begins. */
void continuation_renew(struct continuation *, const char *reason);

/* Nobody keeps the conversation: it begins again, under the id that it has. */
void continuation_retell(struct continuation *, const char *reason);

/* Of a system prompt; 0: there is none. */
uint64_t system_hash(const char *system, size_t len);
