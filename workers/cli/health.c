#include "workers/cli/health.h"

#include <stdio.h>

#include "proto/log.h"
#include "workers/needs.h"
#include "workers/cli/probe.h"

enum {
	SLOW_MS = 3000,	       /* then it is said what does not answer */
	RETRY_FIRST_MS = 2000, /* after a probe that failed, then doubled */
	MAX_DOUBLINGS = 5,
};

static struct pool *pool;
static struct prober prober;
static const struct harness *newest; /* and not one to fall back to */
static struct timer refresh;	     /* of the list of models */
static struct timer retry;	     /* of a probe that failed */
static struct timer slow;	     /* while something is waited for */
static unsigned failed_probes;	     /* in a row */

/* Trial conversations. */
static struct {
	bool is_asked_for;
	unsigned failures; /* in a row */
	uint64_t next_at;  /* loop_now() before which there is none */
	uint64_t began_at; /* loop_now() of the last one */
} trial;

static struct worker *
worker(void)
{
	return pool->worker;
}

bool
health_is_set_up(struct error *e)
{
	if (!needs_are_met(worker()->name, e))
		return false;
	if (!pool->unfit.code)
		return true;
	*e = pool->unfit;
	return false;
}

/* What is said */

static void
tell(enum health health, const char *detail)
{
	loop_unset(&worker()->loop, &slow);
	worker_set_health(worker(), health, prober.version, detail);
}

/* A version that is not the one we know may have its surprises. */
static void
tell_ready(void)
{
	const char *tested = pool->harness->tested;
	struct buf detail = BUF_INIT(MAX_DETAIL);
	auto_free char *text = NULL;

	if (tested && prober.version[0] && strcmp(tested, prober.version) != 0)
		buf_print(&detail, "%s is the version that was tested", tested);
	if (pool->unknown_count)
		buf_print(&detail, "%s%ju events of %zu unknown kinds",
			  detail.len ? "; " : "",
			  (uintmax_t)pool->unknown_count,
			  json_object_size(pool->unknown));
	text = detail.len ? copy(buf_str(&detail)) : NULL;
	tell(HEALTH_READY, text);
	buf_fini(&detail);
}

/* Whoever asks meanwhile sees why there is no answer yet. */
static void
on_slow(struct timer *t)
{
	char detail[MAX_DETAIL];

	if (prober.running)
		prober_describe(&prober, detail, sizeof detail);
	else
		snprintf(detail, sizeof detail,
			 "%s was started %ju seconds ago and is not ready; it "
			 "gets %ju",
			 pool->program,
			 (uintmax_t)(loop_now() - trial.began_at) / 1000,
			 (uintmax_t)worker()->harness.start_ms / 1000);
	worker_wait_for_health(worker(), detail);
	loop_set(&worker()->loop, t, SLOW_MS, on_slow);
}

/* A trial */

/* Starting a CLI to see whether it works costs seconds of the machine's time:
 * one that does not is tried again after longer and longer pauses. */
static void
plan_next_trial(bool failed)
{
	uint64_t pause = worker()->harness.models_ms;

	trial.failures = failed ? trial.failures + 1 : 0;
	if (failed)
		pause = worker()->settings.probe_ms
			<< (trial.failures <= MAX_DOUBLINGS ? trial.failures - 1
							    : MAX_DOUBLINGS);
	trial.next_at = loop_now() + pause;
}

static void
on_trial_over(struct pool *p, const struct error *e)
{
	plan_next_trial(e != NULL);
	if (!e)
		tell_ready();
	else
		tell(e->code == ERR_LOGIN || e->code == ERR_NOT_SET_UP
			     ? HEALTH_UNAVAILABLE
			     : HEALTH_ERROR,
		     e->text);
}

static void
begin_trial(void)
{
	trial.is_asked_for = false;
	trial.began_at = loop_now();
	pool_try(pool);
}

/* A probe */

static void
on_retry(struct timer *t)
{
	worker_probe(worker(), false);
}

/* A busy machine may be all that was wrong, and the next regular look is far
 * away. */
static void
retry_soon(void)
{
	uint64_t most = worker()->settings.probe_ms;
	uint64_t pause = (uint64_t)RETRY_FIRST_MS << failed_probes;

	if (failed_probes < MAX_DOUBLINGS)
		failed_probes++;
	if (pause < most)
		loop_set(&worker()->loop, &retry, pause, on_retry);
}

/* A CLI that has conversations keeps its harness until they have ended. */
void
health_choose_harness(void)
{
	const struct harness *wanted =
		prober.is_older && newest->fallback ? newest->fallback : newest;

	if (pool->harness == wanted || prober.running || !pool_is_empty(pool))
		return;
	pool_use(pool, wanted);
	log_info("%s is %s one", prober.program,
		 prober.is_older ? "an older" : "a newer");
}

static void
on_found(struct prober *p, enum health health, const char *detail)
{
	struct error e = { 0 };

	health_choose_harness();
	if (health == HEALTH_ERROR)
		retry_soon();
	else
		failed_probes = 0;
	if (health != HEALTH_READY || !health_is_set_up(&e)) {
		trial.next_at = trial.failures = 0;
		tell(e.code ? HEALTH_UNAVAILABLE : health,
		     e.code ? e.text : detail);
	} else if (!pool->harness->has_trial) {
		tell_ready();
	} else if (trial.is_asked_for || loop_now() >= trial.next_at) {
		begin_trial();
	} else {
		loop_unset(&worker()->loop, &slow);
		worker_keep_health(worker());
	}
}

void
health_probe(bool asked)
{
	struct error e = { 0 };

	trial.is_asked_for |= asked;
	loop_unset(&worker()->loop, &retry);
	pool_find_program(pool);
	if (!health_is_set_up(&e) ||
	    (!pool->program && !pool_fail_missing(pool, &e))) {
		worker_set_health(worker(), HEALTH_UNAVAILABLE, NULL, e.text);
		return;
	}
	loop_set(&worker()->loop, &slow, SLOW_MS, on_slow);
	prober_start(&prober, newest, pool->program, pool->environment.ptr);
}

/* What it can address changes while it runs: vendors bring new models. */
static void
on_refresh(struct timer *t)
{
	loop_set(&worker()->loop, t, worker()->harness.models_ms, on_refresh);
	if (pool->harness->has_trial)
		worker_probe(worker(), true);
}

void
health_init(struct pool *p, struct worker *w)
{
	pool = p;
	pool->other = &prober.running_command.process;
	pool->tried = on_trial_over;
	prober.found = on_found;
	prober_init(&prober, w);
}

void
health_begin(void)
{
	newest = pool->harness;
	loop_set(&worker()->loop, &refresh, worker()->harness.models_ms,
		 on_refresh);
}

/* A look that is under way goes on with the environment that it borrows. */
void
health_configure(void)
{
	prober.environment = pool->environment.ptr;
	loop_set(&worker()->loop, &refresh, worker()->harness.models_ms,
		 on_refresh);
	worker_probe(worker(), true);
}

void
health_fini(void)
{
	struct loop *loop = prober.worker ? &prober.worker->loop : NULL;

	if (!loop)
		return;
	loop_unset(loop, &refresh);
	loop_unset(loop, &retry);
	loop_unset(loop, &slow);
	prober_fini(&prober);
}
