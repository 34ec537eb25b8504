/*
 * cli-bridge-jail - stands before and behind bubblewrap
 *
 *     cli-bridge-jail enter <bwrap> <argument>... -- <what follows>
 *     cli-bridge-jail run <program> [argument...]
 *     cli-bridge-jail try
 *
 * bwrap waits outside of the jail for its program's end, and would die of the
 * first signal that the process group gets, and the program with it, which
 * could have ended in good order.  So "enter" makes bwrap deaf to those
 * signals, and "run", which is the program in the jail, makes it hear them
 * again.  "try" does nothing, well: who can run it can make a jail.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/exit_code.h"

static void
answer(const int *signals, void (*with)(int))
{
	struct sigaction action = { .sa_handler = with };

	for (; *signals; signals++)
		(void)sigaction(*signals, &action, NULL);
}

static int
become(char *argv[])
{
	execv(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE;
}

int
main(int argc, char *argv[])
{
	static const int signals[] = { SIGHUP,	SIGINT,	 SIGQUIT, SIGTERM,
				       SIGUSR1, SIGUSR2, 0 };
	const char *order = argc > 1 ? argv[1] : "";

	if (!strcmp(order, "try"))
		return 0;
	if (argc > 2 && !strcmp(order, "enter"))
		answer(signals, SIG_IGN);
	else if (argc > 2 && !strcmp(order, "run"))
		answer(signals, SIG_DFL);
	else {
		fprintf(stderr, "cli-bridge-jail is for cli-bridge only\n");
		return EXIT_NOT_RUNNABLE;
	}
	return become(argv + 2);
}
