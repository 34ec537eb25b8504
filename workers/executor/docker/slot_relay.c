#include "workers/executor/docker/slot_relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/exit_code.h"
#include "workers/executor/docker/slot_forward.h"
#include "workers/executor/docker/slot_orders.h"

struct relay {
	struct loop loop;
	struct teller teller;
	struct watch input;
	struct forwards *forwards; /* one of each path */
	size_t count;
};

static void
on_lost(struct teller *t)
{
	loop_stop(t->loop);
}

static void
on_caught_up(struct teller *t)
{
}

/* No order is expected. */
static void
on_input(struct watch *w)
{
	struct relay *r = container_of(w, struct relay, input);
	char ignored[256];
	ssize_t n = read(w->fd, ignored, sizeof ignored);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		loop_stop(&r->loop);
}

static void
on_signal(struct loop *l, int signal)
{
	loop_stop(l);
}

static bool
add(struct relay *r, int port, const char *path)
{
	struct forwards *f = &r->forwards[r->count++];

	forwards_init(f, &r->loop, &r->teller);
	f->max = MAX_RELAYED;
	f->gate = GATE_PROXY;
	f->is_for_others = true;
	if (strlen(path) <= MAX_SOCKET_PATH_BYTES)
		forwards_add(f, port, str_of(path));
	return f->all.len == 1;
}

static bool
init(struct relay *r, char *argv[], struct error *e)
{
	int port = (int)strtol(argv[0], NULL, 10);
	struct rlimit limit;
	size_t count = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	umask(0177);
	if (!loop_init(&r->loop, e) ||
	    !loop_catch_signals(&r->loop, on_signal, e))
		return false;
	teller_init(&r->teller, &r->loop, STDOUT_FILENO, on_caught_up, on_lost);
	while (argv[count + 1])
		count++;
	r->forwards = xcalloc(count, sizeof *r->forwards);
	for (size_t i = 0; i < count; i++)
		if (!add(r, port, argv[i + 1]))
			return fail_with(e, ERR_SYSTEM, "no socket %s",
					 argv[i + 1]);
	return loop_watch(&r->loop, &r->input, STDIN_FILENO, EPOLLIN, on_input,
			  e);
}

static void
fini(struct relay *r)
{
	for (size_t i = 0; i < r->count; i++)
		forwards_fini(&r->forwards[i]);
	free(r->forwards);
	loop_unwatch(&r->loop, &r->input);
	teller_fini(&r->teller);
	loop_fini(&r->loop);
}

int
relay(char *argv[])
{
	struct relay r = { .loop = LOOP_INIT, .input = WATCH_INIT };
	struct error e = { 0 };
	bool ok;

	(void)fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	(void)fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
	ok = init(&r, argv, &e) && loop_run(&r.loop, &e);
	if (!ok)
		fprintf(stderr, "cli-bridge-slot: %s\n", e.text);
	fini(&r);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
