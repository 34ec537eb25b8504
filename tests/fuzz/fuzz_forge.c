/* Whatever ForgeCode may ever print: heard or passed over, never worse. */
#include "tests/unit/conversation_notes.h"
#include "workers/forge/forge.h"
#include "workers/executor/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct forge state;
	struct instance agent = { .executor = (struct executor *)&host_executor,
				  .name = "forge" };
	struct conversation talk = { .instance = &agent,
				     .executor =
					     (struct executor *)&host_executor,
				     .cli_id = "id",
				     .own = &state };
	struct str line, rest = { (const char *)data, len };
	struct error e = { 0 };

	notes_clear();
	while (rest.len) {
		line = str_cut(rest, '\n', &rest);
		(void)!forge_line(&talk, line, &e);
	}
	harness_of(agent.name, &e)
		->ended(&talk, 0, (struct str){ (const char *)data, len }, &e);
	harness_of(agent.name, &e)->clear(&talk);
	return 0;
}
