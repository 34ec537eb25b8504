#include <stdio.h>
#include <stdlib.h>

#include "gateway/gateway.h"
#include "proto/descriptors.h"
#include "proto/exit_code.h"
#include "proto/log.h"

int
main(int argc, char *argv[])
{
	static struct gateway g;
	struct error e = { 0 };
	bool ok;

	if (argc != 2) {
		fprintf(stderr,
			"cli-bridge-gateway is started by cli-bridge\n");
		return EXIT_FAILURE;
	}
	descriptors_raise();
	log_open(argv[1], LOG_INFO);
	ok = gateway_init(&g, argv[1], &e) && loop_run(&g.loop, &e);
	gateway_fini(&g);
	if (!ok)
		log_error("%s", e.text);
	if (ok)
		return EXIT_SUCCESS;
	return e.code == ERR_INVALID ? EXIT_WRONG_SETTINGS : EXIT_FAILURE;
}
