#include "slot_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_HEARD_BYTES = 1 << 20 };

void
pause_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

void
close_now(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
piped_begins(struct piped *p, const char *const argv[], const char *const env[])
{
	posix_spawn_file_actions_t actions;
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	*p = (struct piped){ .in = in[1],
			     .out = out[0],
			     .heard = BUF_INIT(MAX_HEARD_BYTES) };
	assert_int_equal(posix_spawnp(&p->pid, argv[0], &actions, NULL,
				      (char *const *)argv, (char *const *)env),
			 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
}

int
piped_code(struct piped *p)
{
	int status = 0;
	pid_t pid = 0;

	wait_for((pid = waitpid(p->pid, &status, WNOHANG)) != 0);
	assert_int_equal(pid, p->pid);
	p->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* False: the output has ended. */
static bool
hear_more(struct piped *p)
{
	struct pollfd ready = { .fd = p->out, .events = POLLIN };
	struct error e;
	ssize_t n;

	if (poll(&ready, 1, LIMIT_MS) != 1)
		fail_msg("nothing was heard within %d ms", LIMIT_MS);
	assert_true(buf_reserve(&p->heard, 4096, &e));
	n = read(p->out, p->heard.ptr + p->heard.len, 4096);
	assert_true(n >= 0);
	p->heard.len += (size_t)n;
	return n > 0;
}

struct str
next_line(struct piped *p)
{
	static char line[8192];
	struct str rest, first;

	do {
		first = str_cut(buf_str(&p->heard), '\n', &rest);
		if (rest.ptr)
			break;
	} while (hear_more(p));
	if (!rest.ptr)
		return (struct str){ 0 };
	str_keep(line, sizeof line, first);
	buf_drop(&p->heard, first.len + 1);
	return str_of(line);
}

/* The world */

static bool
is_root(void)
{
	return geteuid() == 0;
}

/* A leak can't be looked for in a process that protects its memory. */
#define LEAKS "ASAN_OPTIONS=detect_leaks=0"
#define PROGRAMS "PATH=/usr/bin:/bin:/usr/sbin:/sbin"

static const char *const environment[] = { PROGRAMS, LEAKS, NULL };

/* Its PID 1 becomes the program of `argv`, of at most MAX_WORDS words. */
static void
unshares(struct piped *p, const char *const argv[])
{
	const char *whole[16] = { "unshare", "--pid", "--fork", "--kill-child",
				  "--mount-proc" };
	int n = 5;

	if (!is_root())
		whole[n++] = "--map-root-user";
	while (*argv)
		whole[n++] = *argv++;
	piped_begins(p, whole, environment);
}

bool
world_is_possible(void)
{
	static const char *const argv[] = { "true", NULL };
	struct piped p;
	int code;

	unshares(&p, argv);
	code = piped_code(&p);
	close_now(&p.in);
	close_now(&p.out);
	if (code)
		printf("SKIPPED: unshare(1) can't make a pid namespace for "
		       "user %d here\n",
		       (int)geteuid());
	return code == 0;
}

static pid_t
child_of(pid_t parent)
{
	char path[64], text[32] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent,
		 (int)parent);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof text - 1);
	close(fd);
	assert_true(n > 0);
	return (pid_t)strtol(text, NULL, 10);
}

static void
ignore_sigpipe(void)
{
	const struct sigaction ignored = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGPIPE, &ignored, NULL);
}

void
world_begins(struct slot_world *w)
{
	static const char *const argv[] = { SLOT, NULL };

	ignore_sigpipe();
	*w = (struct slot_world){ 0 };
	unshares(&w->slot, argv);
	hears(w, "ready");
	w->first = child_of(w->slot.pid);
}

/* Another user may not be able to reach the folder of the build. */
static void
copy_program(struct slot_world *w)
{
	const char *const argv[] = { "install", "-m755", SLOT, w->program,
				     NULL };
	struct piped p;

	snprintf(w->program, sizeof w->program, "/tmp/slot_world.%d",
		 (int)getpid());
	piped_begins(&p, argv, environment);
	assert_int_equal(piped_code(&p), 0);
	close_now(&p.in);
	close_now(&p.out);
}

void
world_begins_as(struct slot_world *w, uid_t user)
{
	auto_free char *uid = copy_format("--reuid=%u", (unsigned)user);
	auto_free char *gid = copy_format("--regid=%u", (unsigned)user);
	const char *const argv[] = { "setpriv",	       uid,	   gid,
				     "--clear-groups", w->program, NULL };

	ignore_sigpipe();
	*w = (struct slot_world){ .user = user };
	copy_program(w);
	unshares(&w->slot, argv);
	hears(w, "ready");
	w->first = child_of(w->slot.pid);
}

void
world_ends(struct slot_world *w)
{
	close_now(&w->slot.in);
	if (w->slot.pid)
		(void)piped_code(&w->slot);
	close_now(&w->slot.out);
	buf_fini(&w->slot.heard);
	if (*w->program)
		(void)unlink(w->program);
}

void
says(struct slot_world *w, const char *fmt, ...)
{
	char *line;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&line, fmt, ap);
	va_end(ap);
	assert_true(len >= 0);
	line[len] = '\n';
	assert_int_equal(write(w->slot.in, line, (size_t)len + 1), len + 1);
	free(line);
}

void
hears(struct slot_world *w, const char *line)
{
	assert_str(next_line(&w->slot), line);
}

int
its_code(struct slot_world *w)
{
	return piped_code(&w->slot);
}

/* Runs */

void
run_begins(struct slot_world *w, struct piped *p, const char *run,
	   const char *script)
{
	auto_free char *target = copy_format("%d", (int)w->first);
	auto_free char *mark = copy_format("CLI_BRIDGE_RUN=%s", run);
	auto_free char *user = copy_format("%u", (unsigned)w->user);
	const char *program = *w->program ? w->program : SLOT;
	const char *const env[] = { PROGRAMS, LEAKS, mark, NULL };
	const char *const argv[] = { ENTER, target, user,   program, "run",
				     "sh",  "-c",   script, NULL };

	piped_begins(p, argv, env);
	run_is_heard(p, "up");
}

void
run_says(struct piped *p, const char *line)
{
	assert_int_equal(write(p->in, line, strlen(line)), strlen(line));
	assert_int_equal(write(p->in, "\n", 1), 1);
}

void
run_is_heard(struct piped *p, const char *line)
{
	assert_str(next_line(p), line);
}

void
run_is_over(struct piped *p)
{
	while (hear_more(p))
		p->heard.len = 0;
	if (p->pid)
		(void)piped_code(p);
	close_now(&p->in);
	close_now(&p->out);
	buf_fini(&p->heard);
}
