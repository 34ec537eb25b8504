#include "workers/cli/health.h"

#include <stdio.h>

#include "proto/log.h"
#include "workers/needs.h"
#include "workers/cli/probe.h"

enum {
	SLOW_MS = 3000,	       /* then it is said what does not answer */
	RETRY_FIRST_MS = 2000, /* after a failure, then doubled */
	MAX_DOUBLINGS = 5,
	TRIAL_MAX_DOUBLINGS = 10, /* half an hour */
};

static struct worker *
worker_of(const struct cli_health *h)
{
	return h->pool->worker;
}

bool
health_is_set_up(const struct cli_health *h, struct error *e)
{
	struct executor *x = h->pool->executor;

	if (!needs_are_met(worker_of(h)->name, e))
		return false;
	if (x->is_set_up && !x->is_set_up(x, e))
		return false;
	if (!h->pool->unfit.code)
		return true;
	*e = h->pool->unfit;
	return false;
}

/* What is said */

static void
tell(struct cli_health *h, enum health health, const char *detail)
{
	loop_unset(&worker_of(h)->loop, &h->slow);
	worker_set_health(worker_of(h), health, h->prober.version, detail);
}

static char *
refusal_detail(const struct cli_health *h)
{
	const char *log_in = h->pool->harness->log_in;
	bool says_how = !log_in || strstr(h->refusal.text, log_in);

	return copy_format("not logged in, as a turn has shown: %s%s%s%s",
			   h->refusal.text, says_how ? "" : " (",
			   says_how ? "" : log_in, says_how ? "" : ")");
}

/* A version that is not the one we know may have its surprises.  NULL: nothing
 * is worth telling.  The caller frees it. */
static char *
ready_detail(const struct cli_health *h, const char *version)
{
	const char *tested = h->pool->harness->tested;
	const struct executor *x = h->pool->executor;
	auto_free char *warning = x->warning ? x->warning(x) : NULL;
	struct buf detail = BUF_INIT(MAX_DETAIL);
	char *text;

	if (tested && version[0] && strcmp(tested, version) != 0)
		buf_print(&detail, "%s is the version that was tested", tested);
	if (h->pool->unknown_count)
		buf_print(&detail, "%s%ju events of %zu unknown kinds",
			  detail.len ? "; " : "",
			  (uintmax_t)h->pool->unknown_count,
			  json_object_size(h->pool->unknown));
	if (warning)
		buf_print(&detail, "%s%s", detail.len ? "; " : "", warning);
	if (h->prober.unfit[0])
		buf_print(&detail, "%shosted-safe rests on the CLI alone: %s",
			  detail.len ? "; " : "", h->prober.unfit);
	text = detail.len ? copy(buf_str(&detail)) : NULL;
	buf_fini(&detail);
	return text;
}

/* Nobody can tell by a look whether the vendor accepts the login. */
static void
tell_ready(struct cli_health *h)
{
	auto_free char *detail = NULL;

	if (h->refusal.code && prober_login_changed(&h->prober, h->refused_at))
		h->refusal.code = ERR_NONE;
	if (h->refusal.code) {
		detail = refusal_detail(h);
		tell(h, HEALTH_UNAVAILABLE, detail);
	} else {
		detail = ready_detail(h, h->prober.version);
		tell(h, HEALTH_READY, detail);
	}
}

/* Whoever asks meanwhile sees why there is no answer yet. */
static void
on_slow(struct timer *t)
{
	struct cli_health *h = container_of(t, struct cli_health, slow);
	char detail[MAX_DETAIL];

	if (h->prober.running)
		prober_describe(&h->prober, detail, sizeof detail);
	else
		snprintf(detail, sizeof detail,
			 "%s was started %ju seconds ago and is not ready; it "
			 "gets %ju",
			 h->pool->program,
			 (uintmax_t)(loop_now() - h->trial.began_at) / 1000,
			 (uintmax_t)worker_of(h)->harness.start_ms / 1000);
	worker_wait_for_health(worker_of(h), detail);
	loop_set(&worker_of(h)->loop, t, SLOW_MS, on_slow);
}

/* A trial */

static void
on_retry(struct timer *t)
{
	struct cli_health *h = container_of(t, struct cli_health, retry);

	worker_probe(worker_of(h), false);
}

/* Later than the next regular look there is no need for a look of its own. */
static void
retry_after(struct cli_health *h, uint64_t pause)
{
	if (pause < worker_of(h)->settings.probe_ms)
		loop_set(&worker_of(h)->loop, &h->retry, pause, on_retry);
}

static bool
is_unavailable(const struct error *e)
{
	return e->code == ERR_LOGIN || e->code == ERR_NOT_SET_UP;
}

/*
 * Starting a CLI to see whether it works costs seconds of the machine's time:
 * one that does not is tried again after longer and longer pauses.  The first
 * ones are short where a busy machine may be all that was wrong.
 */
static uint64_t
pause_after_failure(struct cli_health *h, const struct error *e)
{
	unsigned n = h->trial.failures;

	h->trial.failures += n < TRIAL_MAX_DOUBLINGS;
	if (!is_unavailable(e))
		return (uint64_t)RETRY_FIRST_MS << n;
	return worker_of(h)->settings.probe_ms
	       << (n < MAX_DOUBLINGS ? n : MAX_DOUBLINGS);
}

static void
plan_next_trial(struct cli_health *h, const struct error *e)
{
	uint64_t pause = worker_of(h)->harness.models_ms;

	if (e) {
		pause = pause_after_failure(h, e);
		retry_after(h, pause);
	} else {
		h->trial.failures = 0;
	}
	h->trial.next_at = loop_now() + pause;
}

static void
on_trial_over(struct pool *p, const struct error *e)
{
	struct cli_health *h = p->health;

	plan_next_trial(h, e);
	if (!e)
		tell_ready(h);
	else
		tell(h, is_unavailable(e) ? HEALTH_UNAVAILABLE : HEALTH_ERROR,
		     e->text);
}

static void
begin_trial(struct cli_health *h)
{
	h->trial.is_asked_for = false;
	h->trial.began_at = loop_now();
	pool_try(h->pool);
}

/* A probe */

/*
 * A busy machine may be all that was wrong.  That is so also for a CLI that
 * seems to be an older one, which could be worked with, but not as well.
 */
static void
retry_soon(struct cli_health *h)
{
	retry_after(h, (uint64_t)RETRY_FIRST_MS << h->failed_probes);
	if (h->failed_probes < MAX_DOUBLINGS)
		h->failed_probes++;
}

/* A CLI that has conversations keeps its harness until they have ended. */
void
health_choose_harness(struct cli_health *h)
{
	const struct harness *wanted = h->prober.is_older && h->newest->fallback
					       ? h->newest->fallback
					       : h->newest;

	if (h->pool->harness == wanted || h->prober.running ||
	    !pool_is_empty(h->pool))
		return;
	pool_use(h->pool, wanted);
	h->prober.environment = h->pool->environment.ptr;
	log_info("%s is %s one", h->prober.program,
		 h->prober.is_older ? "an older" : "a newer");
}

/* A look does not hurry a trial, and has taken its timer. */
static void
wait_for_trial(struct cli_health *h)
{
	uint64_t now = loop_now();

	if (h->trial.failures && h->trial.next_at > now &&
	    !timer_is_set(&h->retry))
		retry_after(h, h->trial.next_at - now);
}

static void
on_found(struct prober *p, enum health health, const char *detail)
{
	struct cli_health *h = container_of(p, struct cli_health, prober);
	struct error e = { 0 };

	health_choose_harness(h);
	if (health == HEALTH_ERROR || p->is_older)
		retry_soon(h);
	else
		h->failed_probes = 0;
	if (health != HEALTH_READY || !health_is_set_up(h, &e) ||
	    !executor_place(h->pool->executor, NULL, &e)) {
		if (health != HEALTH_ERROR) /* a look will see the end of it */
			h->refusal.code = ERR_NONE;
		h->trial.next_at = h->trial.failures = 0;
		tell(h, e.code ? HEALTH_UNAVAILABLE : health,
		     e.code ? e.text : detail);
	} else if (!(h->pool->harness->can & CAN_MODELS)) {
		tell_ready(h);
	} else if (h->trial.is_asked_for || loop_now() >= h->trial.next_at) {
		begin_trial(h);
	} else if (h->refusal.code) {
		wait_for_trial(h);
		tell_ready(h);
	} else {
		wait_for_trial(h);
		loop_unset(&worker_of(h)->loop, &h->slow);
		worker_keep_health(worker_of(h));
	}
}

/* What a turn shows */

static void
learn_success(struct cli_health *h)
{
	struct worker *w = worker_of(h);
	auto_free char *detail = NULL;

	h->refusal.code = ERR_NONE;
	if (w->health == HEALTH_READY)
		return;
	detail = ready_detail(h, w->harness_version);
	worker_note_health(w, HEALTH_READY, detail);
}

/* The first of such turns makes it look at once; then that goes on as long as
 * the harness is not ready. */
static void
learn_refusal(struct cli_health *h, const struct error *e)
{
	struct worker *w = worker_of(h);
	auto_free char *detail = NULL;
	bool is_first = !h->refusal.code;

	h->refusal = *e;
	h->refused_at = unix_ms();
	detail = refusal_detail(h);
	worker_note_health(w, HEALTH_UNAVAILABLE, detail);
	if (is_first)
		worker_probe(w, false);
}

void
health_learn(struct cli_health *h, const struct error *e)
{
	if (!e)
		learn_success(h);
	else if (e->code == ERR_LOGIN)
		learn_refusal(h, e);
	else if (e->code == ERR_NOT_SET_UP)
		worker_probe(worker_of(h), false);
}

bool
health_may_work(const struct cli_health *h)
{
	enum health health = worker_of(h)->health;

	return health == HEALTH_READY || health == HEALTH_UNKNOWN ||
	       h->refusal.code;
}

void
health_probe(struct cli_health *h, bool asked)
{
	struct error e = { 0 };

	h->trial.is_asked_for |= asked;
	loop_unset(&worker_of(h)->loop, &h->retry);
	pool_find_program(h->pool);
	if (!health_is_set_up(h, &e) ||
	    (!h->pool->program && !pool_fail_missing(h->pool, &e))) {
		h->refusal.code = ERR_NONE;
		worker_set_health(worker_of(h), HEALTH_UNAVAILABLE, NULL,
				  e.text);
		return;
	}
	loop_set(&worker_of(h)->loop, &h->slow, SLOW_MS, on_slow);
	prober_start(&h->prober, h->newest, h->pool->program,
		     h->pool->environment.ptr);
}

/* What it can address changes while it runs: vendors bring new models. */
static void
on_refresh(struct timer *t)
{
	struct cli_health *h = container_of(t, struct cli_health, refresh);

	loop_set(&worker_of(h)->loop, t, worker_of(h)->harness.models_ms,
		 on_refresh);
	if (h->pool->harness->can & CAN_MODELS)
		worker_probe(worker_of(h), true);
}

void
health_init(struct cli_health *h, struct pool *p, struct worker *w)
{
	h->pool = p;
	p->health = h;
	h->pool->other = &h->prober.running_command.process;
	h->pool->tried = on_trial_over;
	h->prober.found = on_found;
	prober_init(&h->prober, w, h->pool->executor);
}

void
health_begin(struct cli_health *h)
{
	h->newest = h->pool->harness;
	loop_set(&worker_of(h)->loop, &h->refresh,
		 worker_of(h)->harness.models_ms, on_refresh);
}

/* A look that is under way goes on with the environment that it borrows. */
void
health_configure(struct cli_health *h)
{
	h->prober.environment = h->pool->environment.ptr;
	loop_set(&worker_of(h)->loop, &h->refresh,
		 worker_of(h)->harness.models_ms, on_refresh);
	worker_probe(worker_of(h), true);
}

void
health_fini(struct cli_health *h)
{
	struct loop *loop = h->prober.worker ? &h->prober.worker->loop : NULL;

	if (!loop)
		return;
	loop_unset(loop, &h->refresh);
	loop_unset(loop, &h->retry);
	loop_unset(loop, &h->slow);
	prober_fini(&h->prober);
}
