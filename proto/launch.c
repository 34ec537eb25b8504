/*
 * cli-bridge-launch - becomes another program, after what posix_spawn() can't
 *
 *      cli-bridge-launch <death signal> <parent> <program> [argument...]
 *
 * See spawn.h.  The signal is set first and the parent looked at afterwards,
 * so that a parent that dies in between is not missed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proto/exit_code.h"

static int
complain(const char *about, int code)
{
	fprintf(stderr, "%s: %s\n", about, strerror(errno));
	return code;
}

int
main(int argc, char *argv[])
{
	if (argc < 4) {
		fprintf(stderr, "cli-bridge-launch is for cli-bridge only\n");
		return EXIT_NOT_RUNNABLE;
	}
	prctl(PR_SET_PDEATHSIG, (unsigned long)strtol(argv[1], NULL, 10));
	if (getppid() != (pid_t)strtol(argv[2], NULL, 10))
		return EXIT_NOT_RUNNABLE;
	execv(argv[3], argv + 3);
	return complain(argv[3],
			errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE);
}
