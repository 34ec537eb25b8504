#include "workers/cli/job.h"

#include <sys/wait.h>

#include "proto/exit_code.h"
#include "proto/log.h"
#include "workers/cli/cache_use.h"
#include "workers/cli/eviction.h"
#include "workers/cli/failure.h"
#include "workers/cli/parked.h"
#include "workers/worker/queue.h"

void
job_forget(struct turn *t)
{
	struct job *job = job_of(t);

	if (!job)
		return;
	if (job->place && job->place->release)
		job->place->release(job->place, false);
	login_gate_end(&self_of(t)->login, t);
	loop_unset(&t->worker->loop, &job->pause);
	prompt_fini(&job->prompt);
	options_fini(&job->options);
	persona_fini(&job->persona);
	json_decref(job->given);
	json_decref(job->history);
	repair_fini(&job->repair);
	continuation_fini(&job->on);
	free(job);
	t->work = NULL;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* A conversation keeps the directory and the system prompt that it was begun
 * with.  One that is parked is in the middle of a turn, which ends under the
 * settings that it was begun with. */
static bool
suits(const struct conversation *c, const struct job *job)
{
	const struct session *s = &job->on.session;
	const struct persona *p = &job->persona;
	const struct harness *h = c->pool->harness;

	return (c->state == CONVERSATION_PARKED ||
		(instance_takes_turns(c->instance) &&
		 (!h->takes_tools || h->takes_tools(c, &job->options)))) &&
	       c->executor == job->place && same_text(c->cwd, s->terms.cwd) &&
	       same_text(c->cli_id, s->cli_id) &&
	       options_suit(&c->options, &job->options, h->binds,
			    h->takes_anew ? h->takes_anew(c) : 0) &&
	       str_eq((struct str){ c->system, c->system_len },
		      (struct str){ p->system, p->system_len }) &&
	       !c->system == !p->system;
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
		(void)job_check_cwd(t, true, &why);
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

	if (!evict_for_room(&self_of(t)->pool) ||
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
		.place = job->place,
		.session = t->session,
		.number = on->session.number,
		.cli_id = on->session.cli_id,
		.is_rewound = on->is_rewound,
		.position = job->at_end ? NULL : on->at.position,
		.history = job->history,
		.cwd = on->session.terms.cwd,
		.options = &job->options,
		.system = job->persona.system,
		.system_len = job->persona.system_len,
		.instead = job->persona.instead,
		.directory = job->persona.directory,
		.drops_instead = job->drops_instead,
		.model = on->session.terms.model,
		.resumed = on->is_known,
		.knows_system = on->is_known && job->same_system,
		.kept = t->session != NULL,
	};
	struct error e = { 0 };

	job->is_warm = false;
	job->conversation = pool_start(&self_of(t)->pool, &plan, &e);
	if (!job->conversation) {
		if (e.code == ERR_NO_PROCESS && make_room(t))
			return;
		fail(t, &e);
		return;
	}
	session_rename(&job->on.session, job->conversation->cli_id);
	conversation_give(job->conversation, t);
}

/* A conversation that is begun anew has everything behind it that is no
 * question. */
static void
tell_history(struct job *job)
{
	job->on.from = prompt_history(&job->prompt);
	json_decref(job->history);
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

/* Calls that the request does not answer are abandoned: the session goes on
 * without them. */
static void
end_abandoned(const struct turn *t)
{
	struct conversation *c;

	while (t->session &&
	       (c = pool_find_parked(&self_of(t)->pool, t->session,
				     job_of(t)->on.session.number)))
		conversation_retire(c);
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

/*
 * Decides anew, for something may have happened since that was done last: an
 * earlier turn has ended, or the session was deleted.  Only that the CLI has
 * lost the conversation stays true.
 */
static bool
decide_anew(struct turn *t, struct error *e)
{
	struct job *job = job_of(t);

	job->parked = NULL;
	if (job->was_begun_again)
		return true;
	if (!job_decide(t, e) || !job_attach(t, false, e))
		return false;
	if (!job->on.is_known && !job->parked)
		tell_history(job);
	return true;
}

static void
find_persona(const struct turn *t)
{
	struct job *job = job_of(t);

	persona_fini(&job->persona);
	persona_find(&job->persona, self_of(t)->pool.harness, &job->options,
		     &job->on.session, job->place);
}

/* A parked conversation that cannot go on as the request wants it has to go,
 * and the turn begins with all messages. */
static bool
decide(struct turn *t, struct error *e)
{
	struct job *job = job_of(t);
	bool ok = decide_anew(t, e);

	if (ok)
		find_persona(t);
	if (!ok || !job->parked || suits(job->parked, job))
		return ok;
	conversation_retire(job->parked);
	ok = decide_anew(t, e);
	if (ok)
		find_persona(t);
	return ok;
}

static void
begin(struct turn *t, uint64_t pause)
{
	struct job *job = job_of(t);
	struct error e = { 0 };

	if (!decide(t, &e)) {
		fail(t, &e);
		return;
	}
	if (!job->parked)
		end_abandoned(t);
	job->conversation = job->parked ? job->parked : find_warm(t);
	job->is_warm = job->conversation != NULL;
	if (job->conversation)
		conversation_give(job->conversation, t);
	else if (pause)
		loop_set(&t->worker->loop, &job->pause, pause, on_pause_over);
	else
		start_process(t);
}

static void
on_pause_over(struct timer *timer)
{
	begin(container_of(timer, struct job, pause)->turn, 0);
}

/* The results of calls go to where these were made. */
static bool
take_place(struct turn *t, struct error *e)
{
	struct conversation *parked = NULL;
	struct executor *place;

	if (self_of(t)->pool.harness->can & CAN_TOOLS &&
	    !parked_find(t, &parked, e))
		return false;
	place = parked ? parked->executor
		       : executor_place(self_of(t)->pool.executor, t->session,
					e);
	login_gate_begin(&self_of(t)->login, t, unix_ms());
	if (place && place->hold)
		place->hold(place, t->session);
	job_of(t)->place = job_of(t)->options.mode == MODE_SAFE
				   ? executor_reader(place)
				   : place;
	return place != NULL;
}

void
job_start(struct turn *t)
{
	struct engine_self *self = self_of(t);
	struct error e = { 0 };

	turn_drop_body(t);
	health_choose_harness(&self->health);
	if (health_is_set_up(&self->health, &e) && take_place(t, &e))
		begin(t, crashes_pause(&self->pool.crashes, t->session));
	else
		fail(t, &e);
}

/* How the session was continued.  That is told once it is certain: until the
 * CLI has said something, it may still find that it has lost the session. */
static void
tell_standing(struct turn *t)
{
	struct job *job = job_of(t);

	const struct acceptance standing = {
		.session = t->session,
		.how = job->how,
		.reason = job->on.reason,
		.cache = job_cache(job),
	};

	if (job->has_standing && !job->standing_is_told)
		turn_started(t, &standing);
	job->standing_is_told = true;
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
give_results(struct conversation *c)
{
	struct job *job = job_of(c->turn);
	json_t *results = parked_results(c, &job->prompt);
	json_t *beside = prompt_beside_results(&job->prompt);

	job->parked = NULL;
	job->asked =
		prompt_question(&job->prompt, prompt_unanswered(&job->prompt));
	json_decref(job->given);
	job->given = c->calls;
	c->calls = NULL;
	conversation_answer(c, job->on.session.terms.model, &job->options,
			    results, beside);
	json_decref(results);
	json_decref(beside);
}

void
job_ready(struct conversation *c)
{
	struct turn *t = c->turn;
	struct job *job = job_of(t);

	const json_t *messages;
	size_t from;

	tell_meanwhile(t, c);
	job->how = job_how(job);
	if (c->state == CONVERSATION_PARKED) {
		give_results(c);
		return;
	}
	c->unanswered = prompt_hash(&job->prompt, job->on.from);
	job->asked = prompt_question(&job->prompt, job->on.from);
	job_keep_effort(t);
	messages = job_messages(job, &from);
	conversation_say(c, job->on.session.terms.model, &job->options,
			 messages, from);
}

/* What was asked is not needed any more: it would be to begin anew, if the CLI
 * found its session lost.  An answer may take long. */
void
job_spoke(struct conversation *c)
{
	struct job *job = job_of(c->turn);

	tell_standing(c->turn);
	login_gate_prove(&self_of(c->turn)->login, c->turn, unix_ms());
	queue_run_waiting(c->turn->worker);
	if (c->messages || job_wants_json(job)) /* they are being said, or may
						 * be needed again */
		return;
	prompt_fini(&job->prompt);
	json_decref(job->history);
	job->history = NULL;
	turn_give_room(c->turn);
}

static bool
may_go_on_at_end(const struct job *job)
{
	return !job->repair.again && job->on.at.position && !job->at_end &&
	       !job->on.is_rewound && !prompt_unanswered(&job->prompt);
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
	struct error e = { 0 };

	job->was_begun_again = true;
	if (may_go_on_at_end(job)) {
		log_warn("session %s: the CLI does not find its last answer, "
			 "and goes on at the end of its records",
			 log_quote(str_of(t->session)));
		job->at_end = true;
		job->on.reason = "the harness had lost the place of the last "
				 "answer, and went on at the end";
	} else if (!job_attach(t, true, &e)) {
		fail(t, &e);
		return;
	} else if (job->repair.again) {
		job_repair_anew(job);
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

/* Its place has failed: that says nothing of the conversation. */
static bool
never_ran(const struct conversation *c)
{
	int status = c->instance ? c->instance->program.process.status : 0;

	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NEVER_RAN &&
	       c->executor && c->executor->number;
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
end(struct turn *t, struct conversation *c, const struct outcome *o)
{
	struct job *job = job_of(t);
	struct usage used = o->usage ? *o->usage : (struct usage){ 0 };

	if (!o->error)
		cache_use_judge(&job->on.session, &used,
				job->on.is_known ? !job->on.is_rewound
						 : job->was_begun_again);
	if (!o->error && c->state == CONVERSATION_PARKED) {
		parked_keep(job, c);
	} else if (!o->error) {
		if (t->session && !job->forgotten)
			job_save(t, c);
		c->unanswered = 0;
	}
	if (c->state != CONVERSATION_LEAVING &&
	    (job->forgotten || (o->error && !job->on.is_known)))
		conversation_dismiss(c);
	if (o->error) {
		fail(t, o->error);
		return;
	}
	health_learn(&self_of(t)->health, NULL);
	tell_standing(t);
	tell_meanwhile(t, c);
	turn_finish(t, o->reason, &used, o->model);
}

void
job_over(struct turn *t, struct conversation *c, const struct outcome *o)
{
	struct job *job = job_of(t);
	bool cannot_resume = failed_to_resume(job, o);

	job->conversation = NULL;
	if (job->repair.is_due && !o->error) {
		job_resume_repair(job, c);
		start_process(t);
	} else if (o->not_begun) {
		begin(t, 0);
	} else if (cannot_resume && !o->lost && !job->was_tried_again) {
		job->was_tried_again = true;
		start_process(t);
	} else if (cannot_resume && (o->lost || !never_ran(c))) {
		begin_again(t);
	} else if (o->lost) {
		fail_lost(t);
	} else {
		end(t, c, o);
	}
}

void
job_cancel(struct turn *t)
{
	struct job *job = job_of(t);
	struct error e = { 0 };

	fail_with(&e, ERR_CANCELLED, "cancelled");
	if (job->conversation)
		conversation_stop(job->conversation, &e);
	else if (timer_is_set(&job->pause))
		fail(t, &e);
}

void
job_unblock(struct turn *t)
{
	struct job *job = job_of(t);

	if (job->conversation)
		conversation_unblock(job->conversation);
}
