#include "fake_executor.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "proto/limits.h"

enum { FAKE_PID = 1 << 30 /* above the kernel's limit: it is nobody's */ };

static struct fake_executor *
fake_of(struct executor *x)
{
	return container_of(x, struct fake_executor, executor);
}

static struct fake_cli *
cli_of(struct executor *x, const struct process *p)
{
	struct fake_executor *f = fake_of(x);

	for (unsigned i = 0; i < f->starts; i++)
		if (f->clis[i].process == p)
			return &f->clis[i];
	return NULL;
}

static void
hang_up(struct fake_cli *cli)
{
	loop_unwatch(cli->of->loop, &cli->readable);
	if (cli->in >= 0)
		close(cli->in);
	if (cli->out >= 0)
		close(cli->out);
	cli->in = cli->out = -1;
}

static void
on_exit_due(struct timer *t)
{
	struct fake_cli *cli = container_of(t, struct fake_cli, exit);
	struct process *p = cli->process;

	cli->process = NULL;
	cli->of->ends++;
	p->pid = 0;
	p->ended(p);
}

void
fake_cli_exits(struct fake_cli *cli, int status)
{
	if (!cli->process || timer_is_set(&cli->exit))
		return;
	cli->process->status = status;
	hang_up(cli);
	loop_set(cli->of->loop, &cli->exit, 0, on_exit_due);
}

void
fake_cli_says(struct fake_cli *cli, const char *line)
{
	auto_free char *text = copy_format("%s\n", line);
	ssize_t len = (ssize_t)strlen(text);

	assert_true(cli->out >= 0);
	assert_int_equal(write(cli->out, text, (size_t)len), len);
}

static void
hear(struct fake_cli *cli, struct str line)
{
	size_t len = strlen(cli->heard);

	assert_true(len + line.len + 2 <= sizeof cli->heard);
	snprintf(cli->heard + len, sizeof cli->heard - len, STR_FMT "\n",
		 STR_ARG(line));
	if (cli->of->script)
		cli->of->script(cli, line);
}

static void
on_readable(struct watch *w)
{
	struct fake_cli *cli = container_of(w, struct fake_cli, readable);
	struct str line;
	char *room;
	ssize_t n;

	must(lines_room(&cli->lines, 4096, &room, &e));
	n = read(cli->in, room, 4096);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		lines_added(&cli->lines, (size_t)n);
		while (lines_next(&cli->lines, &line))
			hear(cli, line);
		return;
	}
	cli->input_closed = true;
	loop_unwatch(cli->of->loop, w);
	if (!cli->is_stubborn)
		fake_cli_exits(cli, 0);
}

/* The executor */

static void
keep(struct executor *x)
{
}

static char *
find(struct executor *x, const char *harness)
{
	const char *program = fake_of(x)->program;

	return program ? copy(str_of(program)) : NULL;
}

/* The caller closes its descriptors of the program's ends. */
static int
own_end(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	assert_true(own >= 0);
	return own;
}

static bool
start(struct executor *x, struct process *p, struct loop *loop,
      const struct spawn *how, void (*ended)(struct process *), struct error *e)
{
	struct fake_executor *f = fake_of(x);
	struct fake_cli *cli = &f->clis[f->starts];

	if (f->refuses)
		return fail_with(e, ERR_SYSTEM, "the executor refuses");
	assert_true(f->starts < MAX_FAKE_CLIS);
	*cli = (struct fake_cli){ .of = f,
				  .process = p,
				  .in = own_end(how->in),
				  .out = own_end(how->out),
				  .readable = WATCH_INIT,
				  .lines = LINES_INIT(MAX_LINE),
				  .cwd = copy(str_of(how->cwd)) };
	(void)fcntl(cli->in, F_SETFL, O_NONBLOCK);
	p->loop = loop;
	p->pid = FAKE_PID + (pid_t)f->starts++;
	p->ended = ended;
	return loop_watch(loop, &cli->readable, cli->in, EPOLLIN, on_readable,
			  e);
}

static void
signal_to(struct executor *x, const struct process *p, int signal)
{
	struct fake_cli *cli = cli_of(x, p);

	if (!cli)
		return;
	cli->terms += signal == SIGTERM;
	cli->kills += signal == SIGKILL;
	if (signal == SIGKILL || !cli->is_stubborn)
		fake_cli_exits(cli, signal);
}

static void
end(struct executor *x, struct process *p)
{
	struct fake_cli *cli = cli_of(x, p);

	if (!cli)
		return;
	loop_unset(cli->of->loop, &cli->exit);
	hang_up(cli);
	cli->process = NULL;
	cli->of->ends++;
	p->pid = 0;
}

static unsigned
sweep(struct executor *x, const char *mark, bool (*is_over)(void *, uint64_t),
      void *arg)
{
	struct fake_executor *f = fake_of(x);

	f->sweeps++;
	for (uint64_t number = 0; number < MAX_FAKE_CLIS; number++)
		f->was_over[number] = is_over(arg, number);
	return 0;
}

static bool
check_cwd(struct executor *x, const char *cwd, struct error *e)
{
	return true;
}

void
fake_executor_init(struct fake_executor *f, struct loop *loop)
{
	*f = (struct fake_executor){
		.executor = { .scratch = (char *)"/fake/scratch",
			      .free = keep,
			      .find = find,
			      .start = start,
			      .signal = signal_to,
			      .end = end,
			      .sweep = sweep,
			      .check_cwd = check_cwd },
		.loop = loop,
		.program = "/fake/cli",
	};
}

void
fake_executor_fini(struct fake_executor *f)
{
	for (unsigned i = 0; i < f->starts; i++) {
		struct fake_cli *cli = &f->clis[i];

		loop_unset(f->loop, &cli->exit);
		hang_up(cli);
		lines_fini(&cli->lines);
		free(cli->cwd);
	}
}

unsigned
fake_executor_count(const struct fake_executor *f)
{
	return f->starts - f->ends;
}
