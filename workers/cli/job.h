#pragma once
/*
 * job - what the engine of coding CLIs does for one turn
 *
 * accept.c reads the request, and decides where in its session it goes on
 * (continuation.h) and under which terms.  job.c starts it: it decides again,
 * for another turn may have ended meanwhile, and finds the warm conversation or
 * starts one, which hears the messages that it does not have yet.  How the turn
 * ended becomes its FINISH or FAILED, and is written into the session's row,
 * with a checkpoint.
 *
 * If the CLI cannot resume a conversation, it is tried once without the
 * checkpoint, and then anew with all messages of the caller, who is told so: no
 * session fails for ever.  That is possible because the CLI shows it before the
 * turn has said anything.
 */
#include "workers/cli/continuation.h"
#include "workers/cli/health.h"
#include "workers/cli/login_gate.h"
#include "workers/cli/persona.h"
#include "workers/cli/pool.h"
#include "workers/cli/prompt.h"
#include "workers/worker/engine.h"

/* All that the engine of one worker has. */
struct engine_self {
	struct worker *worker;
	struct pool pool;
	struct sessions sessions;
	struct cli_health health;
	struct login_gate login; /* of processes that share one */
	struct timer login_look; /* while turns wait for it */
	char *warning;		 /* of the executor, when it was last asked */
	bool has_place; /* programs could run when the executor was last asked
			 */
};

/* Of a turn whose answer is to be JSON: see repair.c. */
struct repair {
	json_t *question; /* the prompt's messages, with words about the answer;
			   * NULL: as they are */
	json_t *answer; /* that did not fit, as a message; NULL: none so far */
	json_t *again; /* messages, of which the last one asks again; or NULL */
	bool is_due;   /* that was not said yet */
	struct usage usage; /* of all that was asked so far */
	struct error why;   /* the last answer does not fit */
};

/* turn->work: what this engine keeps of a turn. */
struct job {
	struct prompt prompt;
	struct options options;
	struct persona persona; /* of the conversation that it runs in */
	struct continuation on; /* where it goes on; what is in its session's
				 * terms is what it runs under */
	struct conversation *conversation; /* that has the turn; NULL: none */
	struct conversation *parked; /* whose calls the request answers, when
				      * that was decided last; NULL: none */
	struct executor *place;	     /* where it runs; NULL: not begun */
	struct turn *turn;	     /* whose work this is */
	struct timer pause;	     /* until a process may be started */
	unsigned waits_for_room;     /* in a row, of MAKE_ROOM_MS each */
	bool forgotten;		     /* deleted while the turn was running */
	bool same_system;   /* its conversation was begun with that prompt, and
			     * with that profile */
	bool drops_instead; /* as in struct conversation */
	const char *how;    /* as job_how() had it when the turn began */
	bool has_standing;  /* of a session, or behind calls: it goes on from
			     * somewhere, and that is told */
	bool standing_is_told;
	bool was_tried_again; /* after a crash at the start */
	bool was_begun_again; /* the CLI did not find the conversation, or the
			       * place in it */
	bool is_warm;	 /* the process that had the last turn has this one */
	bool at_end;	 /* resumed at the end of the CLI's records, since the
			  * checkpoint was not found */
	json_t *given;	 /* calls whose results it has brought; NULL: none */
	json_t *history; /* messages that a new conversation begins with */
	uint64_t asked;	 /* as prompt_question() has it */
	struct repair repair;
};

static inline struct engine_self *
self_of(const struct turn *t)
{
	return t->worker->self;
}

static inline struct job *
job_of(const struct turn *t)
{
	return t->work;
}

/* job_save.c: the row of a turn that has ended well; of one that is to be said.
 */
void job_save(struct turn *, const struct conversation *);
void job_keep_effort(struct turn *);

/* As struct engine has them. */
bool job_accept(struct turn *, struct acceptance *, struct error *);
void job_start(struct turn *);
void job_cancel(struct turn *);
void job_unblock(struct turn *);
void job_forget(struct turn *);

/* As struct pool has them. */
void job_ready(struct conversation *);
void job_spoke(struct conversation *);
void job_over(struct turn *, struct conversation *, const struct outcome *);
bool job_asks_again(struct conversation *, struct outcome *);

/* Where the turn goes on, and under which terms. */
must_check bool job_decide(struct turn *, struct error *);

/* The session's directory is of use.  One that neither the caller nor the
 * session has named is one of the operator's settings. */
bool job_check_cwd(const struct turn *, bool is_named, struct error *);

/* Whether the answer is to be JSON, and is held back until it is known to be.
 */
bool job_wants_json(const struct job *);

/* What the CLI is to hear now, from the message *from on.  Lent. */
const json_t *job_messages(struct job *, size_t *from);

/* The turn is to go on, and the process of its conversation has ended; or that
 * was to be resumed, and the CLI does not know it. */
void job_resume_repair(struct job *, const struct conversation *);
void job_repair_anew(struct job *);
void repair_fini(struct repair *);

/* Reads the files of what the CLI is to be told, which is all of it if `anew`:
 * see attach.h. */
must_check bool job_attach(const struct turn *, bool anew, struct error *);

/* Whether turns can have the mode, as far as nothing of a request is known.
 * Fails with ERR_MODE. */
must_check bool job_check_mode(const struct engine_self *, enum mode,
			       struct error *);

/* How the session is continued, as struct acceptance has it. */
const char *job_how(const struct job *);

/* What its vendor's cache can know of it; the same. */
const char *job_cache(const struct job *);
