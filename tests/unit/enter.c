/*
 * test-enter <pid> <user> <program> [argument...]
 *
 * Runs a program in the namespaces of another process, as a container's engine
 * does: its parent, which is this program, is not in there.  User 0 is ours.
 * Unlike nsenter(1), this program goes on when the other one is stopped.
 */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int
complain(const char *about)
{
	fprintf(stderr, "test-enter: %s: %s\n", about, strerror(errno));
	return EXIT_FAILURE;
}

static int
become(uid_t user)
{
	return user == 0 ||
	       (setgroups(0, NULL) == 0 && setresgid(user, user, user) == 0 &&
		setresuid(user, user, user) == 0);
}

int
main(int argc, char *argv[])
{
	int which = CLONE_NEWPID | CLONE_NEWNS;
	int status, target;
	pid_t pid;

	if (argc < 4)
		return EXIT_FAILURE;
	if (geteuid() != 0)
		which |= CLONE_NEWUSER;
	target = pidfd_open((pid_t)strtol(argv[1], NULL, 10), 0);
	if (target < 0 || setns(target, which) < 0)
		return complain("setns");
	if (!become((uid_t)strtoul(argv[2], NULL, 10)))
		return complain("setresuid");
	errno = posix_spawn(&pid, argv[3], NULL, NULL, argv + 3, environ);
	if (errno)
		return complain(argv[3]);
	if (waitpid(pid, &status, 0) < 0)
		return complain("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
