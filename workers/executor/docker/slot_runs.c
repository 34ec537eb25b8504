#include "workers/executor/docker/slot_runs.h"

#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum {
	MAX_WATCHED_RUNS = 1024,
	LOOK_MS = 10, /* between two looks for a run */
	NOT_FOUND_MS = 2000,
	LOOK_OFTEN_MS = 500,
};

struct watched_run {
	struct node node; /* in runs.watched */
	struct runs *runs;
	pid_t pid;	     /* of its first process; 0: not found yet */
	struct watch exited; /* its pidfd */
	uint64_t began;	     /* when we began to look for it */
	uint64_t signals;    /* kept until it is found; bit 0: signal 1 */
	char run[MAX_RUN_BYTES + 1];
};

void
runs_init(struct runs *r, struct loop *l, struct teller *t,
	  struct proc_list *list)
{
	*r = (struct runs){ .loop = l, .teller = t, .list = list };
	list_init(&r->watched);
}

static void
unwatch(struct watched_run *w)
{
	int fd = w->exited.fd;

	loop_unwatch(w->runs->loop, &w->exited);
	if (fd >= 0)
		close(fd);
	list_remove(&w->runs->watched, &w->node);
	free(w);
}

void
runs_fini(struct runs *r)
{
	if (!r->loop)
		return;
	loop_unset(r->loop, &r->look);
	list_each (&r->watched, n)
		unwatch(container_of(n, struct watched_run, node));
}

static struct watched_run *
find_watched(const struct runs *r, struct str run)
{
	list_each (&r->watched, n) {
		struct watched_run *w =
			container_of(n, struct watched_run, node);

		if (str_is(run, w->run))
			return w;
	}
	return NULL;
}

static void
tell_exit(struct watched_run *w)
{
	tell(w->runs->teller, "exited %s", w->run);
	unwatch(w);
}

static void
on_exited(struct watch *exited)
{
	tell_exit(container_of(exited, struct watched_run, exited));
}

/* The pidfd comes first: then the number can't become another process's. */
static void
watch_leader(struct watched_run *w, const struct proc_entry *p)
{
	struct error e;
	struct str run;
	int fd = proc_open(w->runs->list, p);

	if (fd < 0)
		return;
	if (proc_mark(w->runs->list, p->pid, &run) != MARK_RUN ||
	    !str_is(run, w->run) ||
	    !loop_watch(w->runs->loop, &w->exited, fd, EPOLLIN, on_exited,
			&e)) {
		close(fd);
		return;
	}
	w->pid = p->pid;
	tell(w->runs->teller, "runs %s", w->run);
	for (int signal = 1; w->signals; signal++, w->signals >>= 1)
		if (w->signals & 1)
			(void)kill(-w->pid, signal);
}

/* The processes that the engine has started are looked through. */
static void
look_for_leaders(struct runs *r)
{
	for (size_t i = 0; i < r->list->count; i++) {
		struct proc_entry *p = &r->list->entries[i];
		struct watched_run *w;
		struct str run;

		if (!proc_is_leader(p) ||
		    proc_mark(r->list, p->pid, &run) != MARK_RUN)
			continue;
		w = find_watched(r, run);
		if (w && !w->pid)
			watch_leader(w, p);
	}
}

/* A run that has not been there for long is looked for less often. */
static uint64_t
until_next_look(uint64_t waited)
{
	if (waited < LOOK_OFTEN_MS)
		return LOOK_MS;
	return waited / LOOK_OFTEN_MS * LOOK_MS;
}

static void
on_look(struct timer *t)
{
	struct runs *r = container_of(t, struct runs, look);
	uint64_t now, pause = NOT_FOUND_MS;

	if (proc_look(r->list, 0))
		look_for_leaders(r);
	now = loop_now();
	list_each (&r->watched, n) {
		struct watched_run *w =
			container_of(n, struct watched_run, node);
		uint64_t next = until_next_look(now - w->began);

		if (w->pid)
			continue;
		if (now >= w->began + NOT_FOUND_MS) {
			tell_exit(w);
			continue;
		}
		pause = next < pause ? next : pause;
		loop_set(r->loop, t, pause, on_look);
	}
}

bool
runs_watch(struct runs *r, struct str run)
{
	struct watched_run *w = find_watched(r, run);

	if (w)
		return true;
	if (r->watched.len == MAX_WATCHED_RUNS)
		return false;
	w = xcalloc(1, sizeof *w);
	w->runs = r;
	w->exited = WATCH_INIT;
	w->began = loop_now();
	str_keep(w->run, sizeof w->run, run);
	list_append(&r->watched, &w->node);
	loop_set(r->loop, &r->look, 0, on_look);
	return true;
}

static void
signal_one(struct proc_list *l, const struct proc_entry *p, int signal)
{
	int fd = proc_open(l, p);

	if (fd < 0)
		return;
	(void)pidfd_send_signal(fd, signal, NULL, 0);
	close(fd);
}

void
runs_signal(struct runs *r, struct str run, int signal)
{
	struct watched_run *w = find_watched(r, run);
	struct str its_run;
	bool to_group = false;

	if (w && !w->pid) {
		w->signals |= 1ull << (signal - 1);
		return;
	}
	if (w) {
		(void)kill(-w->pid, signal);
		return;
	}
	if (!proc_look(r->list, 0))
		return;
	for (size_t i = 0; i < r->list->count && !to_group; i++) {
		struct proc_entry *p = &r->list->entries[i];

		to_group = proc_is_leader(p) &&
			   proc_mark(r->list, p->pid, &its_run) == MARK_RUN &&
			   str_eq(its_run, run) && kill(-p->pid, signal) == 0;
	}
	for (size_t i = 0; i < r->list->count && !to_group; i++) {
		struct proc_entry *p = &r->list->entries[i];

		if (proc_mark(r->list, p->pid, &its_run) == MARK_RUN &&
		    str_eq(its_run, run))
			signal_one(r->list, p, signal);
	}
}

struct str
runs_of_leader(const struct runs *r, pid_t pid)
{
	list_each (&r->watched, n) {
		struct watched_run *w =
			container_of(n, struct watched_run, node);

		if (w->pid == pid)
			return str_of(w->run);
	}
	return (struct str){ 0 };
}
