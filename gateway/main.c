#include <stdio.h>
#include <stdlib.h>

#include "gateway/gateway.h"
#include "proto/descriptors.h"
#include "proto/end_limit.h"
#include "proto/exit_code.h"
#include "proto/log.h"

int
main(int argc, char *argv[])
{
	static struct gateway g;
	struct error e = { 0 };
	bool ok;
	int code;

	if (argc != 2) {
		fprintf(stderr,
			"cli-bridge-gateway is started by cli-bridge\n");
		return EXIT_FAILURE;
	}
	descriptors_raise();
	log_open(argv[1], LOG_INFO);
	ok = gateway_init(&g, argv[1], &e) && loop_run(&g.loop, &e);
	if (!ok)
		log_error("%s", e.text);
	if (ok)
		code = EXIT_SUCCESS;
	else
		code = e.code == ERR_INVALID ? EXIT_WRONG_SETTINGS
					     : EXIT_FAILURE;
	end_limit_set(END_LIMIT_MS, code);
	gateway_fini(&g);
	end_limit_unset();
	return code;
}
