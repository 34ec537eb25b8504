/*
 * engine - the work that all coding CLIs share
 *
 * accept_turn() reads the request and decides where in its session it goes on
 * (continuation.h) and under which terms.  start() decides again, for another
 * turn may have ended meanwhile, finds the warm conversation or starts one, and
 * the conversation hears the messages that it does not have yet.  How the turn
 * ended becomes its FINISH or FAILED, and is written into the session's row,
 * with a checkpoint.
 *
 * If the CLI cannot resume a conversation, it is tried once without the
 * checkpoint, and then anew with all messages of the caller, who is told so: no
 * session fails for ever.  That is possible because the CLI shows it before the
 * turn has said anything.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "proto/log.h"
#include "proto/ours.h"
#include "proto/variables.h"
#include "workers/cli/health.h"
#include "workers/cli/prompt.h"
#include "workers/cli/cwd.h"
#include "workers/worker/engine.h"
#include "workers/cli/failure.h"
#include "workers/cli/models.h"
#include "workers/cli/pool.h"
#include "workers/cli/continuation.h"

/* turn->work: what this engine keeps of a turn. */
struct job {
	struct prompt prompt;
	struct continuation on; /* where it goes on; what is in its session's
				 * terms is what it runs under */
	struct conversation *conversation; /* that has the turn; NULL: none */
	struct turn *turn;		   /* whose work this is */
	struct timer pause;		   /* until a process may be started */
	unsigned waits_for_room;	   /* in a row, of MAKE_ROOM_MS each */
	bool forgotten;	      /* deleted while the turn was running */
	bool same_system;     /* its conversation was begun with that prompt */
	bool was_tried_again; /* after a crash at the start */
	bool at_end;	 /* resumed at the end of the CLI's records, since the
			  * checkpoint was not found */
	json_t *history; /* messages that a new conversation begins with */
	uint64_t asked;	 /* as prompt_question() has it */
};

/* All that the engine of one worker has. */
struct engine_self {
	struct worker *worker;
	struct pool pool;
	struct sessions sessions;
	struct cli_health health;
};

static struct engine_self *
self_of(const struct turn *t)
{
	return t->worker->self;
}

static struct job *
job_of(const struct turn *t)
{
	return t->work;
}

static void
forget(struct turn *t)
{
	struct job *job = job_of(t);

	if (!job)
		return;
	loop_unset(&t->worker->loop, &job->pause);
	prompt_fini(&job->prompt);
	json_decref(job->history);
	continuation_fini(&job->on);
	free(job);
	t->work = NULL;
}

/* Accepting */

/* Terms */

static void
set_text(char **to, const char *text, size_t len)
{
	char *text_copy = copy((struct str){ text, len });

	free(*to);
	*to = text_copy;
}

static void
set_term(char **to, const char *text)
{
	set_text(to, text, text ? strlen(text) : 0);
}

/* A directory that neither the caller nor the session has named is one of the
 * operator's settings. */
static bool
check_cwd(const struct turn *t, bool is_named, struct error *e)
{
	const struct job *job = job_of(t);
	auto_free char *variable = NULL;
	struct error why = { 0 };

	if (cwd_check(job->on.session.terms.cwd, &why))
		return true;
	*e = why;
	if (is_named)
		return false;
	variable = settings_variable("", t->worker->name, "CWD");
	return fail_with(e, ERR_NOT_SET_UP,
			 "%s names a directory that is of "
			 "no use: %s",
			 variable, why.text);
}

static bool
may_change_cwd(const struct turn *t, struct error *e)
{
	const struct terms *terms = &job_of(t)->on.session.terms;

	if (!job_of(t)->on.is_known || !t->cwd || !terms->cwd ||
	    !strcmp(t->cwd, terms->cwd) || !self_of(t)->pool.harness->keeps_cwd)
		return true;
	return fail_about(e, ERR_CONFLICT,
			  "cwd: the session works in %s, and %s cannot take a "
			  "conversation to another directory: leave cwd out, "
			  "or use another session_id",
			  terms->cwd, t->worker->name);
}

/*
 * What the request leaves out is as before.  The conversation was told its
 * system prompt before if it is the one that its row has.
 */
static bool
settle_terms(struct turn *t, struct error *e)
{
	struct job *job = job_of(t);
	struct terms *terms = &job->on.session.terms;
	const struct prompt *p = &job->prompt;
	bool is_named = t->cwd || terms->cwd;

	if (!may_change_cwd(t, e))
		return false;
	job->same_system =
		!p->system ||
		(terms->system &&
		 str_eq((struct str){ p->system, p->system_len },
			(struct str){ terms->system, terms->system_len }));
	if (p->system) {
		set_text(&terms->system, p->system, p->system_len);
		terms->system_len = p->system_len;
	}
	if (t->cwd)
		set_term(&terms->cwd, t->cwd);
	else if (!terms->cwd)
		set_term(&terms->cwd, self_of(t)->pool.workspace);
	if (t->model)
		set_term(&terms->model, t->model);
	return check_cwd(t, is_named, e);
}

enum { MAX_LIVE = 64 /* conversations of one session at once */ };

static size_t
find_live(const struct turn *t, const struct list *turns,
	  struct live_conversation *to, size_t n)
{
	list_each (turns, node) {
		const struct turn *other =
			container_of(node, struct turn, node);

		if (other == t || !other->session || !other->lane ||
		    n == MAX_LIVE || strcmp(other->session, t->session) != 0)
			continue;
		to[n++] = (struct live_conversation){ other->lane,
						      other->system };
	}
	return n;
}

/* Where the turn goes on, and under which terms. */
static bool
decide(struct turn *t, struct error *e)
{
	struct job *job = job_of(t);
	struct live_conversation live[MAX_LIVE];
	struct continuation_query query = {
		.sessions = &self_of(t)->sessions,
		.session = t->session,
		.prompt = &job->prompt,
		.can_rewind = self_of(t)->pool.harness->rewinds,
		.number = t->lane,
		.live = live,
	};

	if (t->session) {
		query.live_count = find_live(t, &t->worker->running, live, 0);
		query.live_count = find_live(t, &t->worker->waiting, live,
					     query.live_count);
	}
	if (!continuation_find(&job->on, &query, e) || !settle_terms(t, e))
		return false;
	t->lane = job->on.session.number;
	t->system = system_hash(job->on.session.terms.system,
				job->on.session.terms.system_len);
	return true;
}

/* Accepting */

static const char *
how(const struct job *job)
{
	if (job->on.is_rewound)
		return "rewound";
	if (job->on.is_known)
		return "resumed";
	return prompt_unanswered(&job->prompt) > 0 ? "replayed" : "new";
}

static bool
accept_turn(struct turn *t, struct acceptance *a, struct error *e)
{
	struct job *job = t->work = xcalloc(1, sizeof *job);

	job->turn = t;
	if (t->kind != TURN_CHAT)
		return fail_with(e, ERR_UNSUPPORTED, "%s is for chat only",
				 t->worker->name);
	if (!health_is_set_up(&self_of(t)->health, e))
		return false;
	if (!self_of(t)->pool.program)
		pool_find_program(&self_of(t)->pool);
	if (!self_of(t)->pool.program)
		return pool_fail_missing(&self_of(t)->pool, e);
	if (!prompt_read(&job->prompt, t->body,
			 &(struct recipient){ t->worker->name,
					      self_of(t)->pool.harness->takes },
			 e))
		return false;
	if (!decide(t, e))
		return false;
	snprintf(a->ignored, sizeof a->ignored, "%s",
		 job->prompt.ignored ? job->prompt.ignored : "");
	if (!t->session)
		return true;
	a->session = t->session;
	a->how = how(job);
	a->reason = job->on.reason;
	return true;
}

/* Starting */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* A conversation keeps the directory and the system prompt that it was begun
 * with. */
static bool
suits(const struct conversation *c, const struct job *job)
{
	const struct session *s = &job->on.session;

	return instance_takes_turns(c->instance) &&
	       same_text(c->cwd, s->terms.cwd) &&
	       same_text(c->cli_id, s->cli_id) &&
	       str_eq((struct str){ c->system, c->system_len },
		      (struct str){ s->terms.system, s->terms.system_len }) &&
	       !c->system == !s->terms.system;
}

/*
 * Every failure of a turn passes here, whoever has found it.  A directory that
 * has vanished since the turn was accepted makes a CLI fail in many ways: that
 * is the caller's affair, and no fault of the CLI's or the bridge's.
 */
static void
fail(struct turn *t, const struct error *e)
{
	struct job *job = job_of(t);
	struct error why = *e;

	job->conversation = NULL;
	failure_settle(&why);
	if (job->on.session.terms.cwd &&
	    (why.code == ERR_SYSTEM || why.code == ERR_HARNESS ||
	     why.code == ERR_CRASHED))
		(void)check_cwd(t, true, &why);
	health_learn(&self_of(t)->health, &why);
	turn_fail(t, &why);
}

enum {
	MAKE_ROOM_MS = 100,   /* until starting a process is tried again */
	MAKE_ROOM_WAITS = 50, /* then the turn fails */
};

static void on_pause_over(struct timer *);

/* Idle CLIs go before a turn fails because no more processes are allowed. */
static bool
make_room(struct turn *t)
{
	struct job *job = job_of(t);

	if (!pool_make_room(&self_of(t)->pool) ||
	    job->waits_for_room == MAKE_ROOM_WAITS)
		return false;
	if (job->waits_for_room++ == 0)
		log_warn("no more processes are allowed: idle CLIs are ended "
			 "to make room for a turn");
	loop_set(&t->worker->loop, &job->pause, MAKE_ROOM_MS, on_pause_over);
	return true;
}

static void
start_process(struct turn *t)
{
	struct job *job = job_of(t);
	const struct continuation *on = &job->on;
	const struct conversation_plan plan = {
		.session = t->session,
		.number = on->session.number,
		.cli_id = on->session.cli_id,
		.is_rewound = on->is_rewound,
		.position = job->at_end ? NULL : on->at.position,
		.history = job->history,
		.cwd = on->session.terms.cwd,
		.system = on->session.terms.system,
		.system_len = on->session.terms.system_len,
		.model = on->session.terms.model,
		.resumed = on->is_known,
		.knows_system = on->is_known && job->same_system,
		.kept = t->session != NULL,
	};
	struct error e = { 0 };

	job->conversation = pool_start(&self_of(t)->pool, &plan, &e);
	if (!job->conversation) {
		if (e.code == ERR_NO_PROCESS && make_room(t))
			return;
		fail(t, &e);
		return;
	}
	set_term(&job->on.session.cli_id, job->conversation->cli_id);
	conversation_give(job->conversation, t);
}

/* A conversation that is begun anew has everything behind it that is no
 * question. */
static void
tell_history(struct job *job)
{
	job->on.from = prompt_history(&job->prompt);
	job->history = prompt_begin(&job->prompt, job->on.from);
}

/*
 * Whether a warm conversation, which has heard all that its CLI has on record,
 * can hear this turn.  One whose last turn failed has heard that turn's
 * messages: it must not hear them twice, and if the caller's messages show that
 * they were taken back, it must not go on from them.
 */
static bool
may_hear(const struct conversation *c, const struct job *job)
{
	if (job->on.is_rewound)
		return false;
	if (!c->unanswered)
		return true;
	return !job->on.has_answers &&
	       c->unanswered != prompt_hash(&job->prompt, job->on.from);
}

/* A conversation that this turn cannot use is ended, because the session goes
 * on elsewhere. */
static struct conversation *
find_warm(const struct turn *t)
{
	const struct job *job = job_of(t);
	struct conversation *c;

	while (t->session && (c = pool_find(&self_of(t)->pool, t->session,
					    job->on.session.number))) {
		if (job->on.is_known && suits(c, job) && may_hear(c, job))
			return c;
		conversation_retire(c);
	}
	return NULL;
}

static void
on_pause_over(struct timer *timer)
{
	start_process(container_of(timer, struct job, pause)->turn);
}

static void
start(struct turn *t)
{
	struct job *job = job_of(t);
	uint64_t pause = crashes_pause(&self_of(t)->pool.crashes, t->session);
	struct error e = { 0 };

	turn_drop_body(t);
	health_choose_harness(&self_of(t)->health);
	if (!health_is_set_up(&self_of(t)->health, &e)) {
		fail(t, &e);
		return;
	}
	/* an earlier turn may have ended since this one was accepted */
	if (!decide(t, &e)) {
		fail(t, &e);
		return;
	}
	if (!job->on.is_known)
		tell_history(job);
	job->conversation = find_warm(t);
	if (job->conversation)
		conversation_give(job->conversation, t);
	else if (pause)
		loop_set(&t->worker->loop, &job->pause, pause, on_pause_over);
	else
		start_process(t);
}

/* Told when the turn begins, and again when it ends: the turn may have waited
 * in the CLI for one of the CLI's own. */
static void
tell_meanwhile(struct turn *t, struct conversation *c)
{
	auto_free char *meanwhile = conversation_take_meanwhile(c);

	if (meanwhile)
		turn_meanwhile(t, str_of(meanwhile));
}

static void
on_ready(struct conversation *c)
{
	struct turn *t = c->turn;
	struct job *job = job_of(t);

	if (t->session)
		turn_started(t, t->session, how(job), job->on.reason);
	tell_meanwhile(t, c);
	c->unanswered = prompt_hash(&job->prompt, job->on.from);
	job->asked = prompt_question(&job->prompt, job->on.from);
	conversation_say(c, job->on.session.terms.model, job->prompt.messages,
			 job->on.from);
}

/* What was asked is not needed any more: it would be to begin anew, if the CLI
 * found its session lost.  An answer may take long. */
static void
on_spoke(struct conversation *c)
{
	struct job *job = job_of(c->turn);

	if (c->messages) /* they are being said */
		return;
	prompt_fini(&job->prompt);
	json_decref(job->history);
	job->history = NULL;
	turn_give_room(c->turn);
}

/* Ending */

static void
save(struct turn *t, const struct conversation *c)
{
	struct job *job = job_of(t);
	struct session *s = &job->on.session;
	bool unsaved;

	set_term(&s->cli_id, c->cli_id); /* the CLI may have chosen another */
	checkpoint_fini(&s->newest);
	s->newest = (struct checkpoint){
		.number = job->on.at.number + 1,
		.asked = job->asked,
		.answer = c->answer == ANSWER_EMPTY ? 0 : c->answer,
		.position = copy(str_of(c->position)),
	};
	s->turns++;
	s->last_used_at = unix_ms();
	sessions_save(&self_of(t)->sessions, s, &s->newest, &unsaved);
}

/*
 * The CLI cannot resume the conversation.  Another one begins with all messages
 * of the caller.  If the caller has sent no answers with them, the end of the
 * CLI's records is tried first, because the caller's messages know no more.
 */
static void
begin_again(struct turn *t)
{
	struct job *job = job_of(t);

	if (job->on.at.position && !job->at_end && !job->on.is_rewound &&
	    !prompt_unanswered(&job->prompt)) {
		log_warn("session %s: the CLI does not find its last answer, "
			 "and goes on at the end of its records",
			 log_quote(str_of(t->session)));
		job->at_end = true;
		job->on.reason = "the harness had lost the place of the last "
				 "answer, and went on at the end";
	} else {
		log_warn("session %s: the CLI does not know it any more, so it "
			 "is begun anew with the caller's messages",
			 log_quote(str_of(t->session)));
		job->at_end = false;
		continuation_renew(&job->on,
				   "the harness had lost the session");
		tell_history(job);
	}
	start_process(t);
}

/*
 * Whether it may be the resumed conversation that has failed, and not the CLI
 * as such.  A CLI that says so has lost it.  One that ended without a word may
 * have been killed, or gone with another conversation of its process: it is
 * tried again first.
 */
static bool
failed_to_resume(const struct job *job, const struct outcome *o)
{
	if (!job->on.is_known)
		return false;
	return o->lost || (o->at_start && o->error &&
			   (o->error->code == ERR_CRASHED ||
			    o->error->code == ERR_HARNESS));
}

static void
fail_lost(struct turn *t)
{
	struct error e = { 0 };

	fail_with(&e, ERR_HARNESS,
		  "%s does not know the session that it was to begin",
		  t->worker->name);
	fail(t, &e);
}

/*
 * A turn that failed leaves the session's row as it was: the next conversation
 * resumes from where the last good turn ended, and without any there is no
 * session.  The conversation that has heard the failed turn goes on, unless
 * the same messages are sent again; see may_hear().
 */
static void
on_over(struct turn *t, struct conversation *c, const struct outcome *o)
{
	struct job *job = job_of(t);

	job->conversation = NULL;
	if (o->not_begun) {
		start_process(t);
		return;
	}
	if (failed_to_resume(job, o) && !o->lost && !job->was_tried_again) {
		job->was_tried_again = true;
		start_process(t);
		return;
	}
	if (failed_to_resume(job, o)) {
		begin_again(t);
		return;
	}
	if (o->lost) {
		fail_lost(t);
		return;
	}
	if (!o->error) {
		if (t->session && !job->forgotten)
			save(t, c);
		c->unanswered = 0;
	}
	if (c->state != CONVERSATION_LEAVING &&
	    (job->forgotten || (o->error && !job->on.is_known)))
		conversation_dismiss(c);
	if (o->error) {
		fail(t, o->error);
	} else {
		health_learn(&self_of(t)->health, NULL);
		tell_meanwhile(t, c);
		turn_finish(t, o->reason, o->usage, o->model);
	}
}

static void
cancel(struct turn *t)
{
	struct job *job = job_of(t);
	struct error e = { 0 };

	fail_with(&e, ERR_CANCELLED, "cancelled");
	if (job->conversation)
		conversation_stop(job->conversation, &e);
	else if (timer_is_set(&job->pause))
		fail(t, &e);
}

static void
unblock(struct turn *t)
{
	struct job *job = job_of(t);

	if (job->conversation)
		conversation_unblock(job->conversation);
}

/* Everything else */

static void
list_sessions(struct engine_self *self, struct rows *to, unsigned limit)
{
	sessions_list(&self->sessions, to, limit, self->worker->name);
}

static unsigned
forget_session(struct engine_self *self, const char *id)
{
	struct conversation *c;

	while ((c = pool_find(&self->pool, id, 0)))
		conversation_retire(c);
	list_each (&self->worker->running, n) {
		struct turn *t = container_of(n, struct turn, node);

		if (t->session && !strcmp(t->session, id))
			job_of(t)->forgotten = true;
	}
	return sessions_forget(&self->sessions, id);
}

/* Takes `row`.  False if there is no room for it. */
static bool
add_model(struct rows *to, json_t *row)
{
	char *text = json_dumps(row, JSON_COMPACT);
	bool fits = !text || rows_add(to, str_of(text));

	free(text);
	json_decref(row);
	return fits;
}

/* Whether the CLI can work, as far as is known. */
static bool
can_work(const struct engine_self *self)
{
	return self->pool.program && health_may_work(&self->health);
}

/* The models that the harness names, until the CLI has listed its own. */
static json_t *
known_models(const struct engine_self *self)
{
	json_t *ids = json_array();

	for (const char *const *m = self->pool.harness->models; *m; m++)
		json_array_append_new(ids, json_string(*m));
	return ids;
}

static void
list_models(struct engine_self *self, struct rows *to)
{
	json_t *models = self->pool.models ? json_incref(self->pool.models)
					   : known_models(self);
	json_t *told, *row;
	size_t i;

	if (can_work(self))
		json_array_foreach (models, i, told) {
			row = models_row(self->worker->name, told);
			if (row && !add_model(to, row))
				break;
		}
	json_decref(models);
}

static unsigned
count_warm(const struct engine_self *self)
{
	return pool_count(&self->pool);
}

static unsigned
count_background(const struct engine_self *self)
{
	return pool_count_background(&self->pool);
}

static void
probe(struct engine_self *self, bool asked)
{
	health_probe(&self->health, asked);
}

static bool
init(struct worker *w, struct error *e)
{
	struct engine_self *self = w->self = xcalloc(1, sizeof *self);
	auto_free char *directory =
		ours_make_path(w->settings.data_dir, "sessions", NULL, e);
	auto_free char *path =
		directory ? copy_format("%s/%s.sqlite", directory, w->name)
			  : NULL;

	self->worker = w;
	self->pool.ready = on_ready;
	self->pool.spoke = on_spoke;
	self->pool.over = on_over;
	health_init(&self->health, &self->pool, w);
	if (!path || !sessions_open(&self->sessions, path, e) ||
	    !pool_init(&self->pool, w, e))
		return false;
	health_begin(&self->health);
	return true;
}

static bool
configure(struct engine_self *self, struct error *e)
{
	if (!pool_configure(&self->pool, e))
		return false;
	health_configure(&self->health);
	return true;
}

static void
fini(struct engine_self *self)
{
	health_fini(&self->health);
	pool_fini(&self->pool);
	sessions_close(&self->sessions);
	free(self);
}

const struct engine engine = {
	.has_slots = true,
	.has_sessions = true,
	.init = init,
	.fini = fini,
	.configure = configure,
	.accept = accept_turn,
	.start = start,
	.cancel = cancel,
	.forget = forget,
	.unblock = unblock,
	.probe = probe,
	.list_models = list_models,
	.list_sessions = list_sessions,
	.forget_session = forget_session,
	.count_warm = count_warm,
	.count_background = count_background,
};
