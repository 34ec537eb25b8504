/*
 * terminal - runs a program on a terminal that can be stopped and closed
 *
 *      test-terminal <program> [argument...]
 *
 * What the program shows goes to standard output.  Lines of standard input say
 * what somebody at the terminal does:
 *
 *      stop, go, interrupt     Ctrl-S, Ctrl-Q, Ctrl-C
 *      close                   the window is closed
 *
 * SIGTERM is passed on.  Ends as the program does, with 128 + its signal if
 * there was one.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct terminal {
	pid_t pid;
	int fd; /* -1: closed */
};

static void
press(const struct terminal *t, char key)
{
	(void)!write(t->fd, &key, 1);
}

static void
close_window(struct terminal *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

static void
obey(struct terminal *t, const char *line)
{
	if (!strcmp(line, "stop"))
		press(t, 'S' - '@');
	else if (!strcmp(line, "go"))
		press(t, 'Q' - '@');
	else if (!strcmp(line, "interrupt"))
		press(t, 'C' - '@');
	else if (!strcmp(line, "close"))
		close_window(t);
	else
		fprintf(stderr, "test-terminal: no command \"%s\"\n", line);
}

/* False at the end of input. */
static bool
obey_all(struct terminal *t)
{
	char text[256], *line, *rest = text;
	ssize_t n = read(STDIN_FILENO, text, sizeof text - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	while ((line = strsep(&rest, "\n")))
		if (*line)
			obey(t, line);
	return true;
}

static void
show(struct terminal *t)
{
	char text[4096];
	ssize_t n = read(t->fd, text, sizeof text);

	if (n > 0)
		(void)!write(STDOUT_FILENO, text, (size_t)n);
	else
		close_window(t); /* nobody has it open any more */
}

static int
catch_sigterm(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void
pass_on(const struct terminal *t, int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
		kill(t->pid, (int)info.ssi_signo);
}

static void
run(struct terminal *t, int ended)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = t->fd, .events = POLLIN },
		{ .fd = ended, .events = POLLIN },
		{ .fd = catch_sigterm(), .events = POLLIN },
	};

	while (!fds[2].revents || fds[1].revents) {
		fds[1].fd = t->fd;
		if (poll(fds, 4, -1) < 0)
			return;
		if (fds[3].revents)
			pass_on(t, fds[3].fd);
		if (fds[1].revents)
			show(t);
		if (fds[0].revents && !obey_all(t))
			fds[0].fd = -1;
	}
}

int
main(int argc, char *argv[])
{
	struct terminal t;
	int status;

	t.pid = forkpty(&t.fd, NULL, NULL, NULL);
	if (t.pid == 0 && argc > 1) {
		execv(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	if (t.pid <= 0)
		return 127;
	run(&t, pidfd_open(t.pid, 0));
	if (waitpid(t.pid, &status, 0) != t.pid)
		return 127;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}
