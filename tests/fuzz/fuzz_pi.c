/* Whatever pi may ever say: heard or passed over, never worse. */
#include "tests/fuzz/hear_lines.h"
#include "workers/pi/pi.h"
#include "workers/executor/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct pi state;
	static json_t *tools;
	struct instance agent = { .executor = (struct executor *)&host_executor,
				  .name = "pi" };
	struct conversation talk = {
		.instance = &agent,
		.executor = (struct executor *)&host_executor,
		.cli_id = "11111111-1111-4111-8111-111111111111",
		.kept = true,
		.resumed = len % 2,
		.cwd = "/",
		.scratch = "/tmp",
		.permission_mode = "no-tools",
		.own = &state
	};

	if (!tools)
		tools = json_pack("[{s:s, s:s, s:{s:s}}]", "name", "weather",
				  "description", "", "parameters", "type",
				  "object");
	talk.options.tools = len % 3 ? tools : NULL;
	hear_lines(&pi, &talk, data, len);
	pi.clear(&talk);
	return 0;
}
