/* Whatever droid may ever say: heard or passed over, never worse. */
#include "tests/unit/talk_notes.h"
#include "workers/factory/factory.h"
#include "workers/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
hear(struct talk *t, struct lines *lines)
{
	struct error e = { 0 };
	struct str line;
	bool spoke = false;

	while (lines_next(lines, &line)) {
		if (!factory.line(t, line, &e))
			return;
		if (!spoke && memmem(buf_str(&notes.heard).ptr, notes.heard.len,
				     "ready", 5)) {
			factory.say(t);
			spoke = true;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct factory state;
	struct talk *place;
	struct agent agent = { .name = "factory", .state = &place };
	struct talk talk = { .agent = &agent,
			     .cli_id = "11111111-1111-4111-8111-111111111111",
			     .kept = true,
			     .resumed = len % 2,
			     .cwd = "/",
			     .permission_mode = "high",
			     .state = &state };
	struct words argv = { 0 }, env = { 0 };
	struct lines lines = LINES_INIT(1 << 20);
	struct error e = { 0 };
	char *room;

	notes_clear();
	if (factory.command(&talk, &argv, &env, &e))
		factory.greet(&talk);
	words_fini(&argv);
	words_fini(&env);
	if (lines_room(&lines, len, &room, &e)) {
		memcpy(room, data, len);
		lines_added(&lines, len);
	}
	hear(&talk, &lines);
	lines_fini(&lines);
	factory.clear(&talk);
	return 0;
}
