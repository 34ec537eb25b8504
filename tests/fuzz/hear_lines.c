#include "tests/fuzz/hear_lines.h"

#include "workers/io/lines.h"

static bool
is_ready(void)
{
	return memmem(buf_str(&notes.heard).ptr, notes.heard.len, "ready", 5);
}

static void
begin(const struct harness *h, struct conversation *c)
{
	struct words argv = { 0 }, env = { 0 };
	struct error e = { 0 };

	notes_clear();
	if (h->command(c, &argv, &env, &e) && h->handshake)
		h->handshake(c);
	words_fini(&argv);
	words_fini(&env);
}

void
hear_lines(const struct harness *h, struct conversation *c,
	   const uint8_t *bytes, size_t len)
{
	struct lines lines = LINES_INIT(1 << 20);
	struct error e = { 0 };
	struct str line;
	bool was_said = false;
	char *room;

	begin(h, c);
	if (lines_room(&lines, len, &room, &e)) {
		memcpy(room, bytes, len);
		lines_added(&lines, len);
	}
	do {
		if (!was_said && is_ready()) {
			h->say(c);
			was_said = true;
		}
	} while (lines_next(&lines, &line) && h->line(c, line, &e));
	lines_fini(&lines);
}
