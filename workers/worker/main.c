/* main - of every worker; what it works with is what it is linked with */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "proto/descriptors.h"
#include "proto/end_limit.h"
#include "proto/log.h"
#include "proto/variables.h"
#include "workers/worker/worker.h"

static int
log_in(const char *name, const char *slot)
{
	if (engine.login)
		return engine.login(name, slot);
	log_tell("cli-bridge: %s has keys, and no login: set them in the "
		 "environment of cli-bridge serve",
		 name);
	return EXIT_FAILURE;
}

int
main(int argc, char *argv[])
{
	static struct worker w;
	char who[MAX_NAME + sizeof "worker."];
	auto_free char *level_name = copy(variable_value("BRIDGE_LOG_LEVEL"));
	enum log_level level = LOG_INFO;
	struct error e = { 0 };
	bool ok;
	int code;

	if (argc > 2 && !strcmp(argv[2], "login"))
		return log_in(argv[1], argv[3]);
	if (argc != 2) {
		fprintf(stderr, "cli-bridge starts this: cli-bridge serve\n");
		return EXIT_FAILURE;
	}
	snprintf(who, sizeof who, "worker.%s", argv[1]);
	(void)log_level_read(level_name, &level);
	log_open(who, level);
	descriptors_raise();
	/* What a CLI leaves behind becomes our child, not that of init. */
	prctl(PR_SET_CHILD_SUBREAPER, 1UL);
	ok = worker_init(&w, argv[1], &e) && loop_run(&w.loop, &e);
	if (!ok)
		log_error("%s", e.text);
	code = ok ? EXIT_SUCCESS : EXIT_FAILURE;
	worker_end(&w);
	end_limit_set(END_LIMIT_MS, code);
	worker_fini(&w);
	end_limit_unset();
	return code;
}
