/*
 * service_manager - runs a program as systemd runs a service with a socket
 *
 *      test-service-manager <program> [argument...]
 *
 * The program gets a socket that listens on 127.0.0.1, as descriptor 3 with
 * LISTEN_PID and LISTEN_FDS, and a NOTIFY_SOCKET.  What it notifies goes to
 * standard error, a line each: "notified READY=1".  SIGTERM and SIGHUP are
 * passed on.  Ends as the program does, with 128 + its signal if there was one.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { FIRST_ACTIVATED = 3, MAX_ARGUMENTS = 32 };

/* As descriptor 3, whatever had that number before. */
static bool
listen_for_it(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
	    listen(fd, 64) < 0)
		return false;
	if (fd != FIRST_ACTIVATED) {
		if (dup2(fd, FIRST_ACTIVATED) < 0)
			return false;
		close(fd);
	}
	return setenv("LISTEN_FDS", "1", 1) == 0;
}

static int
open_notify_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), len;
	char name[64];

	len = snprintf(name, sizeof name, "@cli-bridge-test-%d", (int)getpid());
	memcpy(a.sun_path, name, (size_t)len);
	a.sun_path[0] = '\0';
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&a,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			     (size_t)len)) < 0 ||
	    setenv("NOTIFY_SOCKET", name, 1) < 0)
		return -1;
	return fd;
}

/* Only the shell knows its number before it becomes the program. */
static pid_t
start(char *const *program)
{
	const char *argv[MAX_ARGUMENTS + 5] = { "sh", "-c",
						"LISTEN_PID=$$ exec \"$@\"",
						"sh" };
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid;
	int r;

	for (int i = 0; program[i] && i < MAX_ARGUMENTS; i++)
		argv[i + 4] = program[i];
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	r = posix_spawn(&pid, "/bin/sh", NULL, &attributes, (char *const *)argv,
			environ);
	posix_spawnattr_destroy(&attributes);
	return r == 0 ? pid : -1;
}

static int
catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void
show(int notify)
{
	char text[256];
	ssize_t n = recv(notify, text, sizeof text, 0);

	if (n > 0)
		fprintf(stderr, "notified %.*s\n", (int)n, text);
}

static void
pass_on(pid_t pid, int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
		kill(pid, (int)info.ssi_signo);
}

int
main(int argc, char *argv[])
{
	struct pollfd fds[3] = {
		{ .fd = -1, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};
	pid_t pid;
	int status;

	if (argc < 2 || !listen_for_it())
		return 127;
	fds[0].fd = catch_signals();
	fds[1].fd = open_notify_socket();
	pid = start(argv + 1);
	if (fds[1].fd < 0 || pid < 0)
		return 127;
	fds[2].fd = pidfd_open(pid, 0);
	close(FIRST_ACTIVATED);
	while (!fds[2].revents || fds[1].revents) {
		if (poll(fds, 3, -1) < 0)
			return 127;
		if (fds[0].revents)
			pass_on(pid, fds[0].fd);
		if (fds[1].revents)
			show(fds[1].fd);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 127;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}
