#include "workers/executor/docker/slot_proof.h"

#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum {
	PROOF_LIMIT_MS = 2000,
	UNSURE_LIMIT_MS = 1500, /* of a process that is being started */
	FIRST_PAUSE_MS = 1,
	LONGEST_PAUSE_MS = 16,
	LOOK_LIMIT_MS = 25, /* of a look that others can outrun */
	FEWEST_ROUNDS = 4,
};

bool
proof_init(struct proof *p, struct loop *l, struct runs *r,
	   void (*proved)(struct proof *), struct error *e)
{
	*p = (struct proof){ .loop = l,
			     .runs = r,
			     .first.proc = -1,
			     .list.proc = -1,
			     .before.proc = -1,
			     .live = BUF_INIT(4 * MAX_ORDER_BYTES),
			     .proved = proved };
	return proc_init(&p->first, e) && proc_init(&p->list, e) &&
	       proc_init(&p->before, e);
}

void
proof_fini(struct proof *p)
{
	if (!p->loop)
		return;
	loop_unset(p->loop, &p->next);
	proc_fini(&p->first);
	proc_fini(&p->list);
	proc_fini(&p->before);
	buf_fini(&p->live);
}

static bool
is_live(const struct proof *p, struct str run)
{
	struct str live = buf_str(&p->live), one;

	while (order_next_run(&live, &one))
		if (str_eq(one, run))
			return true;
	return false;
}

static void
add_live(struct proof *p, struct str run)
{
	if (is_live(p, run))
		return;
	buf_put(&p->live, run);
	buf_put(&p->live, STR(" "));
}

/* The engine has started it since the proof began. */
static bool
is_new(const struct proof *p, const struct proc_entry *of)
{
	return of->parent == 0 && p->rounds > 1 && !proc_same(&p->first, of);
}

static void
spare_new_runs(struct proof *p)
{
	struct str run;

	for (size_t i = 0; i < p->list.count; i++) {
		struct proc_entry *of = &p->list.entries[i];

		if (!is_new(p, of))
			continue;
		of->fate = FATE_SPARED;
		if (proc_mark(&p->list, of->pid, &run) == MARK_RUN)
			add_live(p, run);
	}
}

static enum fate
own_fate(struct proof *p, const struct proc_entry *of)
{
	struct str run = runs_of_leader(p->runs, of->pid);

	if (run.ptr)
		return is_live(p, run) ? FATE_SPARED : FATE_KILLED;
	switch (proc_mark(&p->list, of->pid, &run)) {
	case MARK_RUN:
		return is_live(p, run) ? FATE_SPARED : FATE_KILLED;
	case MARK_UNSET:
		return FATE_UNSURE;
	case MARK_UNREADABLE:
		return of->parent == 0 ? FATE_UNSURE : FATE_INHERITED;
	case MARK_GONE:
	case MARK_NONE:
		break;
	}
	return FATE_INHERITED;
}

/*
 * Of the parent, or of the leader of the session if PID 1 is the parent.
 * Leaders and parents can form no tree, so the steps are counted.
 */
static enum fate
inherited_fate(const struct proof *p, const struct proc_entry *of)
{
	for (size_t i = 0; i < p->list.count; i++) {
		of = proc_find(&p->list,
			       of->parent > 1 ? of->parent : of->session);
		if (!of)
			break;
		if (of->fate != FATE_INHERITED)
			return of->fate;
	}
	return FATE_KILLED;
}

/* False: it took until `until`; 0: it may take any time. */
static bool
decide(struct proof *p, uint64_t until)
{
	bool waits = loop_now() < p->began + UNSURE_LIMIT_MS;

	spare_new_runs(p);
	for (size_t i = 0; i < p->list.count; i++) {
		if (until && loop_now() >= until)
			return false;
		struct proc_entry *of = &p->list.entries[i];

		if (of->fate == FATE_INHERITED)
			of->fate = own_fate(p, of);
		if (of->fate == FATE_UNSURE && !waits)
			of->fate = FATE_KILLED;
	}
	for (size_t i = 0; i < p->list.count; i++) {
		struct proc_entry *of = &p->list.entries[i];

		if (of->fate == FATE_INHERITED)
			of->fate = inherited_fate(p, of);
	}
	return true;
}

static bool
kill_one(struct proof *p, const struct proc_entry *of)
{
	int fd = proc_open(&p->list, of);
	bool sent = fd >= 0 && pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0;

	if (fd >= 0)
		close(fd);
	return sent;
}

/* A killed process can be seen for a while until it is gone. */
static bool
was_killed_before(const struct proof *p, const struct proc_entry *of)
{
	const struct proc_entry *then = proc_same(&p->before, of);

	return then && then->was_killed;
}

static void
carry_out(struct proof *p)
{
	for (size_t i = 0; i < p->list.count; i++) {
		struct proc_entry *of = &p->list.entries[i];

		if (of->fate == FATE_SPARED)
			continue;
		p->left++;
		if (of->fate == FATE_UNSURE)
			continue;
		of->was_killed = was_killed_before(p, of);
		if (of->was_killed || !kill_one(p, of))
			continue;
		of->was_killed = true;
		p->killed++;
	}
}

static bool
look(struct proof *p, uint64_t until)
{
	return proc_look(&p->list, until) && decide(p, until);
}

/* Has a process that belongs nowhere come since the last round? */
static bool
one_has_come(const struct proof *p)
{
	for (size_t i = 0; i < p->list.count && p->rounds > 1; i++) {
		const struct proc_entry *of = &p->list.entries[i];

		if (of->fate == FATE_KILLED && !was_killed_before(p, of))
			return true;
	}
	return false;
}

/* Processes of live runs that had been stopped before go on, too. */
static void
do_round(struct proof *p)
{
	bool seen = look(p, loop_now() + LOOK_LIMIT_MS);
	bool stopped = (!seen || one_has_come(p)) && kill(-1, SIGSTOP) == 0;

	if (!seen || stopped)
		seen = look(p, 0);
	p->left = !seen;
	carry_out(p);
	if (stopped)
		(void)kill(-1, SIGCONT);
	if (p->rounds == 1)
		proc_copy(&p->first, &p->list);
}

static void
on_round(struct timer *t)
{
	struct proof *p = container_of(t, struct proof, next);
	struct proc_list last = p->list;

	p->list = p->before;
	p->before = last;
	p->rounds++;
	do_round(p);
	if (!p->left || (loop_now() >= p->began + PROOF_LIMIT_MS &&
			 p->rounds >= FEWEST_ROUNDS)) {
		p->is_running = false;
		p->proved(p);
		return;
	}
	loop_set(p->loop, t, p->pause, on_round);
	if (p->pause < LONGEST_PAUSE_MS)
		p->pause *= 2;
}

void
proof_start(struct proof *p, struct str runs)
{
	struct str run;

	p->began = loop_now();
	p->pause = FIRST_PAUSE_MS;
	p->rounds = p->killed = p->left = 0;
	p->is_running = true;
	p->list.count = p->before.count = 0;
	p->live.len = 0;
	while (order_next_run(&runs, &run))
		add_live(p, run);
	loop_set(p->loop, &p->next, 0, on_round);
}
