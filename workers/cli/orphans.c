#include "workers/cli/orphans.h"

#include <sys/wait.h>

#include "proto/log.h"
#include "proto/sweep.h"

enum {
	SWEEP_SOON_MS = 20, /* after a process has ended */
	SWEEP_LATEST_MS = 300,
	MAX_SWEEPS = 20, /* in a row, until a process that lives on is left */
};

/* Whether the instance of that number has ended.  Number 0 is the prober's. */
static bool
is_over(void *arg, uint64_t number)
{
	struct pool *p = arg;

	if (number == 0)
		return false;
	list_each (&p->instances, n) {
		const struct instance *inst =
			container_of(n, struct instance, node);

		if (inst->number == number)
			return inst->state == INSTANCE_KILLED;
	}
	return true;
}

static bool
is_a_cli(const struct list *l, pid_t pid)
{
	list_each (l, n)
		if (container_of(n, struct instance, node)
			    ->program.process.pid == pid)
			return true;
	return false;
}

/*
 * Processes that have lost their parent became children of the worker, which
 * must reap them.  The CLIs themselves are reaped through their pidfds, so this
 * stops at the first one that has ended.
 */
void
orphans_reap(struct pool *p)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == 0 || info.si_pid == p->other->pid ||
		    is_a_cli(&p->instances, info.si_pid) ||
		    is_a_cli(&p->ended_instances, info.si_pid))
			return;
		(void)waitpid(info.si_pid, NULL, WNOHANG);
	}
}

static void
on_sweep(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, sweep_timer);
	uint64_t before = loop_now();
	unsigned n =
		p->executor->sweep(p->executor, p->worker->mark, is_over, p);

	p->sweep_cost = loop_now() - before;
	orphans_reap(p);
	p->sweeps = n ? p->sweeps + 1 : 0;
	if (!n)
		return;
	if (p->sweeps == 1)
		log_info("killed processes that a CLI had left behind");
	if (p->sweeps < MAX_SWEEPS)
		orphans_sweep_later(p);
	else
		log_warn("a process that a CLI has left behind does not die");
}

/* One sweep is for all instances that end within a short time: it reads all of
 * /proc. */
void
orphans_sweep_later(struct pool *p)
{
	uint64_t ms = SWEEP_SOON_MS + 10 * p->sweep_cost;

	if (!timer_is_set(&p->sweep_timer))
		loop_set(&p->worker->loop, &p->sweep_timer,
			 ms < SWEEP_LATEST_MS ? ms : SWEEP_LATEST_MS, on_sweep);
}
