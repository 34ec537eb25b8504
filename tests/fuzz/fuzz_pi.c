/* Whatever pi may ever say: heard or passed over, never worse. */
#include "tests/unit/conversation_notes.h"
#include "workers/io/lines.h"
#include "workers/pi/pi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
hear(struct conversation *c, struct lines *lines)
{
	struct error e = { 0 };
	struct str line;
	bool spoke = false;

	while (lines_next(lines, &line)) {
		if (!pi.line(c, line, &e))
			return;
		if (!spoke && memmem(buf_str(&notes.heard).ptr, notes.heard.len,
				     "ready", 5)) {
			pi.say(c);
			spoke = true;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct pi state;
	struct instance agent = { .name = "pi" };
	struct conversation talk = {
		.instance = &agent,
		.cli_id = "11111111-1111-4111-8111-111111111111",
		.kept = true,
		.resumed = len % 2,
		.cwd = "/",
		.scratch = "/tmp",
		.permission_mode = "no-tools",
		.own = &state
	};
	struct words argv = { 0 }, env = { 0 };
	struct lines lines = LINES_INIT(1 << 20);
	struct error e = { 0 };
	char *room;

	notes_clear();
	if (pi.command(&talk, &argv, &env, &e))
		pi.handshake(&talk);
	words_fini(&argv);
	words_fini(&env);
	if (lines_room(&lines, len, &room, &e)) {
		memcpy(room, data, len);
		lines_added(&lines, len);
	}
	hear(&talk, &lines);
	lines_fini(&lines);
	pi.clear(&talk);
	return 0;
}
