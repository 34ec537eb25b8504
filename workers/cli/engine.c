/*
 * cli_engine - the engine that all coding CLIs share
 *
 * accept_turn() reads the request and finds its session.  start() finds the
 * session's warm conversation or starts one, and the conversation hears the
 * messages that it does not have yet.  How the pool says that the turn ended
 * becomes the turn's FINISH or FAILED, and is written into the session's row.
 *
 * If the CLI does not know a session any more, a new conversation is begun,
 * once, with all messages of the caller.  That is possible because the CLI
 * notices it before the turn has said anything.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
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
#include "workers/cli/sessions.h"

/* turn->work: what this engine keeps of a turn. */
struct job {
	struct prompt prompt;
	struct session session; /* of the turn; id NULL if it stands alone */
	struct conversation *conversation; /* that has the turn; NULL: none */
	struct turn *turn;		   /* whose work this is */
	struct timer pause;		   /* until a process may be started */
	unsigned waits_for_room;	   /* in a row, of MAKE_ROOM_MS each */
	bool resumed;			   /* the CLI should know the session */
	bool forgotten;	    /* deleted while the turn was running */
	json_t *history;    /* messages that a new conversation begins with */
	size_t from;	    /* the first message that the CLI must hear */
	const char *reason; /* why it is not resumed; NULL: obvious */
	char *cwd;
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
	session_fini(&job->session);
	free(job->cwd);
	free(job);
	t->work = NULL;
}

/* Accepting */

char *
new_uuid(void)
{
	unsigned char b[16];

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		abort();
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	return copy_format("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
			   "%02x%02x%02x%02x%02x%02x",
			   b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8],
			   b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* Takes the conversation of the session that was used last. */
static bool
find_session(const struct turn *t, struct error *e)
{
	struct job *job = job_of(t);
	struct session *list;
	size_t n;

	if (!sessions_find(&self_of(t)->sessions, t->session, &list, &n, e))
		return false;
	job->resumed = n > 0;
	if (n > 0) {
		job->session = list[0];
		memset(&list[0], 0, sizeof list[0]);
	}
	sessions_free(list, n);
	return true;
}

/* Whether one of the session's turns has answered this. */
static bool
session_knows(const struct turn *t, uint64_t answer)
{
	struct checkpoint found;
	unsigned number;

	if (!sessions_find_answer(&self_of(t)->sessions, t->session, 0, answer,
				  &number, &found))
		return false;
	checkpoint_fini(&found);
	return true;
}

/* Finds the session, or begins a new one, and the directory of the turn. */
static bool
look_up(struct turn *t, struct error *e)
{
	struct job *job = job_of(t);

	session_fini(&job->session);
	job->resumed = false;
	if (t->session && !find_session(t, e))
		return false;
	job->reason = job->resumed ? NULL : "no such session before";
	if (!job->resumed) {
		job->session.id = copy(str_of(t->session));
		job->session.number = 1;
		job->session.cli_id = new_uuid();
		job->session.created_at = unix_ms();
	}
	free(job->cwd);
	job->cwd = copy(str_of(t->cwd ? t->cwd
			       : job->session.terms.cwd
				       ? job->session.terms.cwd
				       : self_of(t)->pool.workspace));
	return true;
}

/* A directory that neither the caller nor the session has named is one of the
 * operator's settings. */
static bool
check_cwd(const struct turn *t, struct error *e)
{
	const struct job *job = job_of(t);
	auto_free char *variable = NULL;
	struct error why = { 0 };

	if (cwd_check(job->cwd, &why))
		return true;
	*e = why;
	if (t->cwd || job->session.terms.cwd)
		return false;
	variable = settings_variable("", t->worker->name, "CWD");
	return fail_with(e, ERR_NOT_SET_UP,
			 "%s names a directory that is of "
			 "no use: %s",
			 variable, why.text);
}

static const char *
how(const struct job *job, bool has_history)
{
	if (job->resumed)
		return "resumed";
	return has_history ? "replayed" : "new";
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
			 &(struct listener){ t->worker->name,
					     self_of(t)->pool.harness->takes },
			 e))
		return false;
	if (!look_up(t, e) || !check_cwd(t, e))
		return false;
	snprintf(a->ignored, sizeof a->ignored, "%s",
		 job->prompt.ignored ? job->prompt.ignored : "");
	if (!t->session)
		return true;
	a->session = t->session;
	a->how = how(job, prompt_unanswered(&job->prompt) > 0);
	a->reason = job->reason;
	return true;
}

/* Starting */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool
same_system(const struct conversation *c, const struct prompt *p)
{
	return str_eq((struct str){ c->system, c->system_len },
		      (struct str){ p->system, p->system_len });
}

/* A conversation keeps the directory and the system prompt that it was begun
 * with. */
static bool
suits(const struct conversation *c, const struct job *job)
{
	const struct prompt *p = &job->prompt;

	return !instance_is_stale(c->instance) && same_text(c->cwd, job->cwd) &&
	       same_text(c->cli_id, job->session.cli_id) &&
	       (!p->system || same_system(c, p));
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
	if (job->cwd && (why.code == ERR_SYSTEM || why.code == ERR_HARNESS ||
			 why.code == ERR_CRASHED))
		(void)check_cwd(t, &why);
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
	const struct conversation_plan plan = {
		.session = t->session,
		.cli_id = job->session.cli_id,
		.position = job->session.newest.position,
		.history = job->history,
		.cwd = job->cwd,
		.system = job->prompt.system,
		.system_len = job->prompt.system_len,
		.model = t->model,
		.resumed = job->resumed,
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
	free(job->session.cli_id);
	job->session.cli_id = copy(str_of(job->conversation->cli_id));
	conversation_give(job->conversation, t);
}

/*
 * The index of the first message that the CLI has not heard.  It follows the
 * last answer that the session has given itself or, if the caller sends none
 * of these, the last answer of anybody.
 */
static size_t
first_new(const struct turn *t)
{
	const struct prompt *p = &job_of(t)->prompt;
	size_t unanswered = prompt_unanswered(p);
	uint64_t answer;

	for (size_t n = unanswered; n > 0; n--) {
		answer = prompt_answer(p, n - 1);
		if (answer && session_knows(t, answer))
			return n;
	}
	if (unanswered)
		job_of(t)->reason = "no answer in the messages is the "
				    "session's: the messages behind the last "
				    "answer were sent";
	return unanswered;
}

/* Gives the caller's session a new conversation of the CLI's. */
static void
renew(struct turn *t, const char *reason)
{
	struct job *job = job_of(t);

	free(job->session.cli_id);
	free(job->session.newest.position);
	job->session.cli_id = new_uuid();
	job->session.newest.position = NULL;
	job->resumed = false;
	job->reason = reason;
}

/* A CLI can continue only its own last answer.  Whether the caller wants
 * another answer continued. */
static bool
goes_on_elsewhere(const struct turn *t)
{
	const struct prompt *p = &job_of(t)->prompt;
	size_t unanswered = prompt_unanswered(p);
	uint64_t answer;

	if (!p->goes_on)
		return false;
	answer = prompt_answer(p, unanswered - 1);
	return !answer || !session_knows(t, answer);
}

/* A conversation that is begun anew has everything behind it that is no
 * question. */
static void
tell_history(struct job *job)
{
	job->from = prompt_history(&job->prompt);
	job->history = prompt_begin(&job->prompt, job->from);
}

/*
 * Decides which messages the CLI must hear.  Answers that somebody else has
 * given cannot be added to a conversation that the CLI has had already: such
 * messages begin a new one.
 */
static void
choose_messages(struct turn *t)
{
	struct job *job = job_of(t);
	size_t unanswered = prompt_unanswered(&job->prompt);

	job->from = unanswered;
	if (job->resumed && first_new(t) < unanswered)
		renew(t, "the messages have answers that the session did not "
			 "give");
	else if (job->resumed && goes_on_elsewhere(t))
		renew(t, "the session did not give the answer that the caller "
			 "wants continued");
	if (!job->resumed)
		tell_history(job);
}

/* A conversation that has heard the same messages in a turn that failed must
 * not hear them twice. */
static bool
may_hear(const struct conversation *c, const struct job *job)
{
	return !c->unanswered ||
	       c->unanswered != prompt_hash(&job->prompt, job->from);
}

/* A session has one conversation at most.  One that this turn cannot use is
 * ended, because the session goes on elsewhere. */
static struct conversation *
find_process(const struct turn *t)
{
	const struct job *job = job_of(t);
	struct conversation *c;

	while (t->session && (c = pool_find(&self_of(t)->pool, t->session))) {
		if (job->resumed && suits(c, job) && may_hear(c, job))
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
	struct error e = { 0 };

	turn_drop_body(t);
	health_choose_harness(&self_of(t)->health);
	if (!health_is_set_up(&self_of(t)->health, &e)) {
		fail(t, &e);
		return;
	}
	/* an earlier turn may have made the session since this one was accepted
	 */
	if (!look_up(t, &e)) {
		fail(t, &e);
		return;
	}
	choose_messages(t);
	job->conversation = find_process(t);
	if (job->conversation)
		conversation_give(job->conversation, t);
	else if (pool_pause(&self_of(t)->pool))
		loop_set(&t->worker->loop, &job->pause,
			 pool_pause(&self_of(t)->pool), on_pause_over);
	else
		start_process(t);
}

static void
on_ready(struct conversation *c)
{
	struct turn *t = c->turn;
	struct job *job = job_of(t);

	if (t->session)
		turn_started(t, t->session, how(job, job->history != NULL),
			     job->reason);
	c->unanswered = prompt_hash(&job->prompt, job->from);
	conversation_say(c, t->model, job->prompt.messages, job->from);
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
	struct session s = job->session;
	bool unsaved;

	s.cli_id = (char *)c->cli_id; /* the CLI may have chosen another */
	s.terms = (struct terms){ .system = (char *)c->system,
				  .system_len = c->system_len,
				  .cwd = job->cwd,
				  .model = t->model };
	s.newest = (struct checkpoint){
		.number = s.newest.number + 1,
		.asked = c->unanswered,
		.answer = c->answer == ANSWER_EMPTY ? 0 : c->answer,
		.position = (char *)c->position,
	};
	s.turns++;
	s.last_used_at = unix_ms();
	sessions_save(&self_of(t)->sessions, &s, &s.newest, &unsaved);
}

/* The CLI does not know the session: a new conversation gets all messages. */
static void
begin_anew(struct turn *t)
{
	struct job *job = job_of(t);

	log_warn("session %s: the CLI does not know it any more, so it is "
		 "begun anew with the caller's messages",
		 log_quote(str_of(t->session)));
	renew(t, "the harness had lost the session");
	tell_history(job);
	start_process(t);
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
	if (o->lost) {
		if (job->resumed)
			begin_anew(t);
		else
			fail_lost(t);
		return;
	}
	if (!o->error) {
		if (t->session && !job->forgotten)
			save(t, c);
		c->unanswered = 0;
	}
	if (c->state != CONVERSATION_LEAVING &&
	    (job->forgotten || (o->error && !job->resumed)))
		conversation_retire(c);
	if (o->error) {
		fail(t, o->error);
	} else {
		health_learn(&self_of(t)->health, NULL);
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
	struct conversation *c = pool_find(&self->pool, id);

	if (c)
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
};
