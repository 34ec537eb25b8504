/*
 * cli-bridge-launch - does what posix_spawn() can't, then becomes the program
 *
 *     cli-bridge-launch <death signal> <parent> <descriptors>
 *                       <program> [argument...]
 *
 * See spawn.h; `descriptors` is the soft limit of their number.  The launcher
 * sets the signal first and looks at its parent afterwards, so that it does not
 * miss a parent that dies in between.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/exit_code.h"

static int
complain(const char *about, int code)
{
	fprintf(stderr, "%s: %s\n", about, strerror(errno));
	return code;
}

static void
limit_descriptors(const char *count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = (rlim_t)strtoull(count, NULL, 10);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char *argv[])
{
	if (argc < 5) {
		fprintf(stderr, "cli-bridge-launch is for cli-bridge only\n");
		return EXIT_NOT_RUNNABLE;
	}
	prctl(PR_SET_PDEATHSIG, (unsigned long)strtol(argv[1], NULL, 10));
	if (getppid() != (pid_t)strtol(argv[2], NULL, 10))
		return EXIT_NOT_RUNNABLE;
	limit_descriptors(argv[3]);
	execv(argv[4], argv + 4);
	return complain(argv[4],
			errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE);
}
