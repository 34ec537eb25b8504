/* Whatever a sandbox service may ever say: heard or passed over, never worse.
 */
#include <stdlib.h>

#include "tests/fuzz/hear_lines.h"
#include "workers/sandbox/sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sandbox state;
	struct error e;
	const struct harness *harness = harness_of("sandbox", &e);
	struct instance agent = { .name = "sandbox" };
	struct conversation talk = {
		.instance = &agent,
		.cli_id = "11111111-1111-4111-8111-111111111111",
		.options = { .profile = json_pack("{s:s}", "name", "n") },
		.own = &state
	};

	setenv("SANDBOX_API_URL", "http://127.0.0.1:9", 1);
	setenv("SANDBOX_API_KEY", "key", 1);
	hear_lines(harness, &talk, data, len);
	harness->clear(&talk);
	json_decref((json_t *)talk.options.profile);
	return 0;
}
