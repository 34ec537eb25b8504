/*
 * cli-bridge-slot - the first process of a container, and of each run in it
 *
 *     cli-bridge-slot                          as PID 1
 *     cli-bridge-slot run <program> [argument...]
 *
 * and on the worker's machine: see slot_relay.h
 *
 *     cli-bridge-slot relay <port> <path>...
 *
 * A worker holds the other ends of PID 1's standard input and output.  It sends
 * orders, one on a line, and is told what happens: see slot_orders.def.  When
 * the worker is gone, however it went, PID 1 reads the end of its input and
 * exits, and the kernel kills whatever is in the container.  It waits for
 * nothing but the loop; from a worker that does not read it takes no orders,
 * and it exits before it keeps too much for that.
 *
 * It is one static file, mounted into containers of any image, of which it
 * needs nothing but /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/exit_code.h"
#include "proto/variables.h"
#include "workers/executor/docker/slot_forward.h"
#include "workers/executor/docker/slot_probe.h"
#include "workers/executor/docker/slot_proof.h"
#include "workers/executor/docker/slot_relay.h"
#include "workers/io/lines.h"

enum {
	MAX_ECHO_BYTES = 200, /* of a line that is not known */
	READ_BYTES = 4096,
};

struct slot {
	struct loop loop;
	struct teller teller;
	struct watch input;
	struct lines lines;
	struct proc_list list;
	struct runs runs;
	struct proof proof;
	struct forwards forwards;
	struct probes probes;
	bool has_failed; /* `e` says why */
	struct error e;
};

static void
give_up(struct slot *s)
{
	s->has_failed = true;
	loop_stop(&s->loop);
}

static void
on_lost(struct teller *t)
{
	struct slot *s = container_of(t, struct slot, teller);

	fail_with(&s->e, ERR_SYSTEM, "the worker does not read any more");
	give_up(s);
}

/* Orders */

static void
slot_on_unknown(struct slot *s, const struct order *o)
{
	char echo[MAX_ECHO_BYTES + 1] = "";
	size_t i;

	for (i = 0; i < o->text.len && i < MAX_ECHO_BYTES; i++)
		echo[i] = o->text.ptr[i] >= ' ' && o->text.ptr[i] <= '~'
				  ? o->text.ptr[i]
				  : '?';
	tell(&s->teller, "unknown %s", echo);
}

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

/* As docker sets it where an image has none. */
#define USUAL_PATH \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* NULL: there is none; the caller frees it. */
static char *
find_program(struct str name)
{
	struct str folder, path = variable_value("PATH");
	char *file;

	if (memchr(name.ptr, '/', name.len)) {
		file = copy(name);
		if (is_program(file))
			return file;
		free(file);
		return NULL;
	}
	if (!path.ptr)
		path = STR(USUAL_PATH);
	while (path.ptr) {
		folder = str_cut(path, ':', &path);
		if (!folder.len || *folder.ptr != '/')
			continue; /* is not the same for every run */
		file = copy_format(STR_FMT "/" STR_FMT, STR_ARG(folder),
				   STR_ARG(name));
		if (is_program(file))
			return file;
		free(file);
	}
	return NULL;
}

static void
slot_on_find(struct slot *s, const struct order *o)
{
	auto_free char *file = find_program(o->text);

	if (file)
		tell(&s->teller, "found " STR_FMT " %s", STR_ARG(o->text),
		     file);
	else
		tell(&s->teller, "missing " STR_FMT, STR_ARG(o->text));
}

static void
slot_on_watch(struct slot *s, const struct order *o)
{
	if (runs_watch(&s->runs, o->run))
		return;
	fail_with(&s->e, ERR_SYSTEM, "the worker watches too many runs");
	give_up(s);
}

static void
slot_on_signal(struct slot *s, const struct order *o)
{
	runs_signal(&s->runs, o->run, o->number);
}

static void
slot_on_prove(struct slot *s, const struct order *o)
{
	proof_start(&s->proof, o->text);
}

static void
slot_on_forward(struct slot *s, const struct order *o)
{
	forwards_add(&s->forwards, o->number, o->text);
}

static void
slot_on_unforward(struct slot *s, const struct order *o)
{
	forwards_remove(&s->forwards, o->number);
}

static void
slot_on_expose(struct slot *s, const struct order *o)
{
	forwards_expose(&s->forwards, o->number, o->text);
}

static void
slot_on_network(struct slot *s, const struct order *o)
{
	probe_network(&s->teller);
}

static void
slot_on_probe(struct slot *s, const struct order *o)
{
	probes_add(&s->probes, o->number, o->text);
}

/* How many processes the kernel has killed because the container may not take
 * more memory; 0 where nothing says so. */
static unsigned
count_killed_by_shortage(void)
{
	static const char *const files[] = {
		"/sys/fs/cgroup/memory.events",
		"/sys/fs/cgroup/memory/memory.oom_control",
	};
	char word[32];
	unsigned number, killed = 0;
	FILE *f = NULL;

	for (size_t i = 0; !f && i < sizeof files / sizeof *files; i++)
		f = fopen(files[i], "re");
	while (f && fscanf(f, "%31s %u", word, &number) == 2)
		if (!strcmp(word, "oom_kill"))
			killed = number;
	if (f)
		fclose(f);
	return killed;
}

static void
slot_on_shortage(struct slot *s, const struct order *o)
{
	tell(&s->teller, "shortage %u", count_killed_by_shortage());
}

static void
slot_on_answer(struct slot *s, const struct order *o)
{
	tell(&s->teller, "answers");
}

static void (*const handlers[ORDER_KINDS])(struct slot *,
					   const struct order *) = {
	[ORDER_UNKNOWN] = slot_on_unknown,
#define ORDER(NAME, name, reader) [ORDER_##NAME] = slot_on_##name,
#include "workers/executor/docker/slot_orders.def"
};

/*
 * While a proof runs, orders wait, for they mean the container as it is then;
 * and while the worker does not read the answers to those before.
 */
static bool
may_obey(const struct slot *s)
{
	return !s->proof.is_running && !teller_is_behind(&s->teller) &&
	       !s->loop.stopping;
}

static void
obey(struct slot *s)
{
	struct str line;

	while (may_obey(s) && lines_next(&s->lines, &line)) {
		struct order o = order_read(line);

		handlers[o.kind](s, &o);
	}
	loop_rewatch(&s->loop, &s->input, may_obey(s) ? EPOLLIN : 0);
}

static void
on_caught_up(struct teller *t)
{
	obey(container_of(t, struct slot, teller));
}

static void
on_proved(struct proof *p)
{
	struct slot *s = container_of(p, struct slot, proof);

	if (p->left)
		tell(&s->teller, "dirty %u", p->left);
	else
		tell(&s->teller, "clean %u", p->killed);
	obey(s);
}

/* Bytes behind the last newline are no order. */
static void
on_input(struct watch *w)
{
	struct slot *s = container_of(w, struct slot, input);
	char *room;
	ssize_t n;

	if (!may_obey(s)) { /* then only the worker's end is watched */
		loop_stop(&s->loop);
		return;
	}
	if (!lines_room(&s->lines, READ_BYTES, &room, &s->e)) {
		fail_with(&s->e, ERR_TOO_LARGE, "an order is too long");
		give_up(s);
		return;
	}
	n = read(w->fd, room, READ_BYTES);
	if (n > 0) {
		lines_added(&s->lines, (size_t)n);
		obey(s);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		loop_stop(&s->loop);
	}
}

static void
on_signal(struct loop *l, int signal)
{
	loop_stop(l);
}

/*
 * Children that it adopts are reaped by the kernel.  No other process of the
 * container, though of the same user, can reach its memory or its pipes.
 */
static bool
prepare(struct error *e)
{
	const struct sigaction ignored = { .sa_handler = SIG_IGN };
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	umask(0177);
	if (sigaction(SIGCHLD, &ignored, NULL) < 0)
		return fail_errno(e, "SIGCHLD");
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail_errno(e, "PR_SET_DUMPABLE");
	if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK) < 0)
		return fail_errno(e, "standard input and output");
	return true;
}

static bool
slot_init(struct slot *s, struct error *e)
{
	*s = (struct slot){ .loop = LOOP_INIT,
			    .input = WATCH_INIT,
			    .lines = LINES_INIT(MAX_ORDER_BYTES + READ_BYTES),
			    .list.proc = -1 };
	if (!prepare(e) || !loop_init(&s->loop, e) ||
	    !loop_catch_signals(&s->loop, on_signal, e))
		return false;
	teller_init(&s->teller, &s->loop, STDOUT_FILENO, on_caught_up, on_lost);
	runs_init(&s->runs, &s->loop, &s->teller, &s->list);
	forwards_init(&s->forwards, &s->loop, &s->teller);
	probes_init(&s->probes, &s->loop, &s->teller);
	if (!proc_init(&s->list, e) ||
	    !proof_init(&s->proof, &s->loop, &s->runs, on_proved, e) ||
	    !loop_watch(&s->loop, &s->input, STDIN_FILENO, EPOLLIN, on_input,
			e))
		return false;
	tell(&s->teller, "ready");
	return true;
}

static void
slot_fini(struct slot *s)
{
	probes_fini(&s->probes);
	forwards_fini(&s->forwards);
	proof_fini(&s->proof);
	runs_fini(&s->runs);
	proc_fini(&s->list);
	loop_unwatch(&s->loop, &s->input);
	lines_fini(&s->lines);
	teller_fini(&s->teller);
	loop_fini(&s->loop);
}

/* Otherwise it would kill processes that are none of its business. */
static bool
is_first_process(void)
{
	char self[16];
	ssize_t len = readlink("/proc/self", self, sizeof self);

	return getpid() == 1 && len == 1 && *self == '1';
}

static int
serve(void)
{
	struct slot s;
	bool ok;

	if (!is_first_process()) {
		fprintf(stderr, "cli-bridge-slot is for cli-bridge only: it "
				"must be the first process of a container\n");
		return EXIT_NOT_RUNNABLE;
	}
	ok = slot_init(&s, &s.e) && loop_run(&s.loop, &s.e) && !s.has_failed;
	if (!ok)
		fprintf(stderr, "cli-bridge-slot: %s\n", s.e.text);
	slot_fini(&s);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * The leader of a session, and so of a group that can be signalled.  Signals
 * are as spawn.h promises.
 */
static int
run(char *argv[])
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;

	if (getsid(0) != getpid())
		(void)setsid();
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)sigaction(SIGPIPE, &usual, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE;
}

int
main(int argc, char *argv[])
{
	if (argc > 2 && !strcmp(argv[1], "run"))
		return run(argv + 2);
	if (argc > 3 && !strcmp(argv[1], "relay"))
		return relay(argv + 2);
	if (argc == 1)
		return serve();
	fprintf(stderr, "cli-bridge-slot is for cli-bridge only\n");
	return EXIT_NOT_RUNNABLE;
}
