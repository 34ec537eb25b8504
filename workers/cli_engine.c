/*
 * cli_engine - the engine that all coding CLIs share
 *
 * accept() reads the request and finds its session; start() finds the
 * session's warm process or starts one, and has it say what is new; what the
 * pool then tells of the turn's end becomes its FINISH or FAILED, and the
 * session's row.
 *
 * A session that the CLI has lost is begun anew, once, with all that the
 * caller has sent: nothing of the turn had been said by then.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "proto/log.h"
#include "proto/ours.h"
#include "proto/variables.h"
#include "workers/cli_health.h"
#include "workers/conversation.h"
#include "workers/cwd.h"
#include "workers/engine.h"
#include "workers/failure.h"
#include "workers/models.h"
#include "workers/pool.h"
#include "workers/sessions.h"

/* turn->work: what is known of a turn beside the turn. */
struct job {
	struct conversation conversation;
	struct session session; /* of the turn; id NULL if it stands alone */
	struct warm *warm;	/* NULL: not yet, or no more */
	struct turn *turn;	/* whose it is */
	struct timer pause;	/* until it may start a process */
	bool resumed;		/* the CLI is believed to know the session */
	bool forgotten;		/* deleted while the turn was running */
	json_t *history;    /* what a new process must know; NULL: nothing */
	size_t from;	    /* the first message that is to be said */
	const char *reason; /* why it is not resumed; NULL: obvious */
	char *cwd;
};

static struct pool pool;
static struct sessions sessions;

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
	conversation_fini(&job->conversation);
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

/* The session as it is now, and with it where the turn is to run. */
static bool
look_up(struct turn *t, struct error *e)
{
	struct job *job = job_of(t);

	session_fini(&job->session);
	job->resumed = false;
	if (t->session && !sessions_find(&sessions, t->session, &job->session,
					 &job->resumed, e))
		return false;
	job->reason = job->resumed ? NULL : "no such session before";
	if (!job->resumed) {
		job->session.id = copy(str_of(t->session));
		job->session.cli_id = new_uuid();
		job->session.created_at = unix_ms();
	}
	free(job->cwd);
	job->cwd = copy(str_of(t->cwd		  ? t->cwd
			       : job->session.cwd ? job->session.cwd
						  : pool.workspace));
	return true;
}

/* Where nobody has asked for a directory, the operator has chosen it. */
static bool
check_cwd(const struct turn *t, struct error *e)
{
	const struct job *job = job_of(t);
	auto_free char *variable = NULL;
	struct error why = { 0 };

	if (cwd_check(job->cwd, &why))
		return true;
	*e = why;
	if (t->cwd || job->session.cwd)
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
	if (!cli_health_is_set_up(e))
		return false;
	if (!pool.program)
		pool_find_program(&pool);
	if (!pool.program)
		return pool_fail_missing(&pool, e);
	if (!conversation_read(&job->conversation, t->body, e))
		return false;
	if (!look_up(t, e) || !check_cwd(t, e))
		return false;
	snprintf(a->ignored, sizeof a->ignored, "%s",
		 job->conversation.ignored);
	if (!t->session)
		return true;
	a->session = t->session;
	a->how = how(job, conversation_unanswered(&job->conversation) > 0);
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
same_system(const struct talk *t, const struct conversation *c)
{
	return str_eq((struct str){ t->system, t->system_len },
		      (struct str){ c->system, c->system_len });
}

/* A process is what it was started as: where, and with which instructions. */
static bool
suits(const struct warm *w, const struct job *job)
{
	const struct conversation *c = &job->conversation;

	return same_text(w->cwd, job->cwd) &&
	       same_text(w->cli_id, job->session.cli_id) &&
	       (!c->system || same_system(&w->talk, c));
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

	job->warm = NULL;
	failure_settle(&why);
	if (job->cwd && (why.code == ERR_SYSTEM || why.code == ERR_HARNESS ||
			 why.code == ERR_CRASHED))
		(void)check_cwd(t, &why);
	turn_fail(t, &why);
}

static void
start_process(struct turn *t)
{
	struct job *job = job_of(t);
	const struct warm_plan plan = {
		.session = t->session,
		.cli_id = job->session.cli_id,
		.position = job->session.position,
		.history = job->history,
		.cwd = job->cwd,
		.system = job->conversation.system,
		.system_len = job->conversation.system_len,
		.model = t->model,
		.resumed = job->resumed,
		.kept = t->session != NULL,
	};
	struct error e = { 0 };

	job->warm = pool_start(&pool, &plan, &e);
	if (!job->warm) {
		fail(t, &e);
		return;
	}
	free(job->session.cli_id);
	job->session.cli_id = copy(str_of(job->warm->cli_id));
	warm_give(job->warm, t);
}

/*
 * What the CLI has not heard: behind the last answer that it has given
 * itself; and if the caller sends none of those, behind the last answer.
 */
static size_t
first_new(const struct turn *t)
{
	const struct conversation *c = &job_of(t)->conversation;
	size_t unanswered = conversation_unanswered(c);
	uint64_t answer;

	for (size_t n = unanswered; n > 0; n--) {
		answer = conversation_answer(c, n - 1);
		if (answer && sessions_knows(&sessions, t->session, answer))
			return n;
	}
	if (unanswered)
		job_of(t)->reason = "no answer in the messages is the "
				    "session's: what follows them was said";
	return unanswered;
}

/* The caller's session is to be one that the CLI does not know yet. */
static void
renew(struct turn *t, const char *reason)
{
	struct job *job = job_of(t);

	free(job->session.cli_id);
	free(job->session.position);
	job->session.cli_id = new_uuid();
	job->session.position = NULL;
	job->resumed = false;
	job->reason = reason;
}

/* The CLI goes on from its own last words only: are they what is to go on? */
static bool
goes_on_elsewhere(const struct turn *t)
{
	const struct conversation *c = &job_of(t)->conversation;
	size_t unanswered = conversation_unanswered(c);
	uint64_t answer;

	if (!c->goes_on)
		return false;
	answer = conversation_answer(c, unanswered - 1);
	return !answer || !sessions_knows(&sessions, t->session, answer);
}

/*
 * Decides what the CLI must be told.  Answers of another's in the middle
 * can't be put into a conversation that the CLI has had already.
 */
static void
choose_messages(struct turn *t)
{
	struct job *job = job_of(t);
	size_t unanswered = conversation_unanswered(&job->conversation);

	job->from = unanswered;
	if (job->resumed && first_new(t) < unanswered)
		renew(t, "the messages have answers of another's");
	else if (job->resumed && goes_on_elsewhere(t))
		renew(t, "the answer that is to go on is not the session's");
	if (!job->resumed)
		job->history =
			conversation_begin(&job->conversation, unanswered);
}

/* Who has heard these very messages in a turn that failed must not hear them
 * twice. */
static bool
may_hear(const struct warm *w, const struct job *job)
{
	return !w->unanswered ||
	       w->unanswered !=
		       conversation_hash(&job->conversation, job->from);
}

/* Of a session there is one process, or the conversation would have two ends:
 * what can't be used is of no use any more. */
static struct warm *
find_process(const struct turn *t)
{
	const struct job *job = job_of(t);
	struct warm *w;

	while (t->session && (w = pool_find(&pool, t->session))) {
		if (job->resumed && suits(w, job) && may_hear(w, job))
			return w;
		warm_retire(w);
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
	cli_health_choose_harness();
	if (!cli_health_is_set_up(&e)) {
		fail(t, &e);
		return;
	}
	/* an earlier turn may have made the session meanwhile */
	if (!look_up(t, &e)) {
		fail(t, &e);
		return;
	}
	choose_messages(t);
	job->warm = find_process(t);
	if (job->warm)
		warm_give(job->warm, t);
	else if (pool_pause(&pool))
		loop_set(&t->worker->loop, &job->pause, pool_pause(&pool),
			 on_pause_over);
	else
		start_process(t);
}

static void
on_ready(struct warm *w)
{
	struct turn *t = w->turn;
	struct job *job = job_of(t);

	if (t->session)
		turn_started(t, t->session, how(job, job->history != NULL),
			     job->reason);
	w->unanswered = conversation_hash(&job->conversation, job->from);
	warm_say(w, t->model, job->conversation.messages, job->from);
}

/* Ending */

static void
save(struct turn *t, const struct warm *w)
{
	struct job *job = job_of(t);
	struct session s = job->session;
	struct error e = { 0 };

	s.cli_id = w->cli_id; /* the CLI may have chosen another */
	s.cwd = job->cwd;
	s.model = t->model;
	s.position = w->position;
	s.turns++;
	s.last_used_at = unix_ms();
	if (!sessions_save(&sessions, &s,
			   w->answer == ANSWER_EMPTY ? 0 : w->answer, &e))
		log_error("%s", e.text);
}

/* The CLI has forgotten what it should resume: begin anew, with all. */
static void
begin_anew(struct turn *t)
{
	struct job *job = job_of(t);
	size_t unanswered = conversation_unanswered(&job->conversation);

	log_warn("session %s: lost by the CLI, begun anew",
		 log_quote(str_of(t->session)));
	renew(t, "the harness had lost the session");
	job->history = conversation_begin(&job->conversation, unanswered);
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
 * A turn that went wrong is not counted: the session's next process resumes
 * from where the last good turn ended; if there has been none there is no
 * session.  The process that has heard it goes on, unless the same is said
 * again (see may_hear()).
 */
static void
on_over(struct warm *w, const struct outcome *o)
{
	struct turn *t = w->turn;
	struct job *job = job_of(t);

	w->turn = NULL;
	job->warm = NULL;
	if (o->lost) {
		if (job->resumed)
			begin_anew(t);
		else
			fail_lost(t);
		return;
	}
	if (!o->error) {
		w->unanswered = 0;
		if (t->session && !job->forgotten)
			save(t, w);
	}
	if (w->state == WARM_IDLE &&
	    (job->forgotten || (o->error && !job->resumed)))
		warm_retire(w);
	if (o->error)
		fail(t, o->error);
	else
		turn_finish(t, o->reason, o->usage, o->model);
}

static void
cancel(struct turn *t)
{
	struct job *job = job_of(t);
	struct error e = { 0 };

	fail_with(&e, ERR_CANCELLED, "cancelled");
	if (job->warm)
		warm_stop(job->warm, &e);
	else if (timer_is_set(&job->pause))
		fail(t, &e);
}

static void
unblock(struct turn *t)
{
	struct job *job = job_of(t);

	if (job->warm)
		warm_unblock(job->warm);
}

/* Everything else */

static void
list_sessions(struct rows *to, unsigned limit)
{
	sessions_list(&sessions, to, limit, pool.worker->name);
}

static unsigned
forget_session(const char *id)
{
	struct warm *w = pool_find(&pool, id);

	if (w)
		warm_retire(w);
	list_each (&pool.worker->running, n) {
		struct turn *t = container_of(n, struct turn, node);

		if (t->session && !strcmp(t->session, id))
			job_of(t)->forgotten = true;
	}
	return sessions_forget(&sessions, id);
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

/* As far as is known. */
static bool
can_work(void)
{
	enum health health = pool.worker->health;

	return pool.program &&
	       (health == HEALTH_READY || health == HEALTH_UNKNOWN);
}

/* What the harness says of its models until the CLI has told. */
static json_t *
known_models(void)
{
	json_t *ids = json_array();

	for (const char *const *m = pool.harness->models; *m; m++)
		json_array_append_new(ids, json_string(*m));
	return ids;
}

static void
list_models(struct rows *to)
{
	json_t *models =
		pool.models ? json_incref(pool.models) : known_models();
	json_t *told, *row;
	size_t i;

	if (can_work())
		json_array_foreach (models, i, told) {
			row = models_row(pool.worker->name, told);
			if (row && !add_model(to, row))
				break;
		}
	json_decref(models);
}

static unsigned
count_warm(void)
{
	return pool_count(&pool);
}

static bool
init(struct worker *w, struct error *e)
{
	auto_free char *directory =
		ours_make_path(w->settings.data_dir, "sessions", NULL, e);
	auto_free char *path =
		directory ? copy_format("%s/%s.sqlite", directory, w->name)
			  : NULL;

	pool.ready = on_ready;
	pool.over = on_over;
	cli_health_init(&pool, w);
	if (!path || !sessions_open(&sessions, path, e) ||
	    !pool_init(&pool, w, e))
		return false;
	cli_health_begin();
	return true;
}

static void
fini(void)
{
	cli_health_fini();
	pool_fini(&pool);
	sessions_close(&sessions);
}

const struct engine engine = {
	.has_slots = true,
	.has_sessions = true,
	.init = init,
	.fini = fini,
	.accept = accept_turn,
	.start = start,
	.cancel = cancel,
	.forget = forget,
	.unblock = unblock,
	.probe = cli_health_probe,
	.list_models = list_models,
	.list_sessions = list_sessions,
	.forget_session = forget_session,
	.count_warm = count_warm,
};
