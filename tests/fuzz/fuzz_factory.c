/* Whatever droid may ever say: heard or passed over, never worse. */
#include "tests/fuzz/hear_lines.h"
#include "workers/factory/factory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct factory state;
	struct conversation *place;
	struct instance agent = { .executor = (struct executor *)&host_executor,
				  .name = "factory",
				  .own = &place };
	struct conversation talk = {
		.instance = &agent,
		.executor = (struct executor *)&host_executor,
		.cli_id = "11111111-1111-4111-8111-111111111111",
		.kept = true,
		.resumed = len % 2,
		.cwd = "/",
		.permission_mode = "high",
		.own = &state
	};

	hear_lines(&factory, &talk, data, len);
	factory.clear(&talk);
	return 0;
}
