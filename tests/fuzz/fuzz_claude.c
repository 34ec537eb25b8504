/* Whatever Claude Code may ever say: heard or passed over, never worse. */
#include "tests/fuzz/hear_lines.h"
#include "workers/claude/claude.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct claude state;
	struct instance agent = { .executor = (struct executor *)&host_executor,
				  .name = "claude" };
	struct conversation talk = {
		.instance = &agent,
		.executor = (struct executor *)&host_executor,
		.cli_id = "11111111-1111-4111-8111-111111111111",
		.kept = true,
		.resumed = len % 2,
		.cwd = "/",
		.permission_mode = "plan",
		.own = &state
	};
	const struct harness *h = harness_of(agent.name, &(struct error){ 0 });
	json_t *tools =
		json_pack("[{s:s, s:s, s:{s:s}}]", "name", "weather",
			  "description", "d", "parameters", "type", "object");

	talk.options.tools = tools;
	hear_lines(h, &talk, data, len);
	h->clear(&talk);
	json_decref(tools);
	return 0;
}
