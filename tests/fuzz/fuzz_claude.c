/* Whatever Claude Code may ever say: heard or passed over, never worse. */
#include "tests/unit/conversation_notes.h"
#include "workers/claude/claude.h"
#include "workers/io/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct claude state;
	struct instance agent = { .name = "claude" };
	struct conversation talk = { .instance = &agent,
				     .permission_mode = "plan",
				     .own = &state };
	struct lines lines = LINES_INIT(1 << 20);
	struct error e = { 0 };
	struct str line;
	char *room;

	notes_clear();
	state.prompt = copy(STR("{}"));
	if (lines_room(&lines, len, &room, &e)) {
		memcpy(room, data, len);
		lines_added(&lines, len);
	}
	while (lines_next(&lines, &line))
		(void)!claude_line(&talk, line, &e);
	lines_fini(&lines);
	harness_of(agent.name, &e)->clear(&talk);
	return 0;
}
