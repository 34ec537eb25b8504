/* main - of every worker; what it works with is what it is linked with */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "proto/log.h"
#include "workers/worker.h"

static enum log_level
level_of(const char *name)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (int i = 0; name && i <= LOG_DEBUG; i++)
		if (!strcmp(name, names[i]))
			return (enum log_level)i;
	return LOG_INFO;
}

int
main(int argc, char *argv[])
{
	static struct worker w;
	char who[MAX_NAME + sizeof "worker."];
	struct error e = { 0 };
	bool ok;

	if (argc != 2) {
		fprintf(stderr, "cli-bridge starts this: cli-bridge serve\n");
		return EXIT_FAILURE;
	}
	snprintf(who, sizeof who, "worker.%s", argv[1]);
	log_open(who, level_of(getenv("BRIDGE_LOG_LEVEL")));
	/* What a CLI leaves behind becomes our child, not that of init. */
	prctl(PR_SET_CHILD_SUBREAPER, 1UL);
	ok = worker_init(&w, argv[1], &e) && loop_run(&w.loop, &e);
	if (!ok)
		log_error("%s", e.text);
	worker_fini(&w);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
