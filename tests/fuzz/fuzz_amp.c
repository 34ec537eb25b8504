/* Whatever Amp may ever say: heard or passed over, never worse. */
#include "tests/unit/conversation_notes.h"
#include "workers/amp/amp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct amp state;
	struct instance agent = { .name = "amp" };
	struct conversation talk = { .instance = &agent,
				     .cli_id = "id",
				     .own = &state };
	struct str line, rest = { (const char *)data, len };
	struct error e = { 0 };

	notes_clear();
	while (rest.len) {
		line = str_cut(rest, '\n', &rest);
		(void)!amp_line(&talk, line, &e);
	}
	harness_of(agent.name, &e)->clear(&talk);
	return 0;
}
