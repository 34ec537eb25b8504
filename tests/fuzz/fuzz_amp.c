/* Whatever Amp may ever say: heard or passed over, never worse. */
#include "tests/fuzz/hear_lines.h"
#include "workers/amp/amp.h"
#include "workers/executor/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct amp state;
	struct instance agent = { .executor = (struct executor *)&host_executor,
				  .name = "amp" };
	struct conversation talk = { .instance = &agent,
				     .executor =
					     (struct executor *)&host_executor,
				     .cli_id = "id",
				     .permission_mode = "dangerously-allow-all",
				     .own = &state };
	const struct harness *h = harness_of(agent.name, &(struct error){ 0 });

	hear_lines(h, &talk, data, len);
	h->clear(&talk);
	return 0;
}
