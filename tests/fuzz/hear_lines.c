#include "tests/fuzz/hear_lines.h"

#include "workers/io/lines.h"

static bool
is_ready(void)
{
	return memmem(buf_str(&notes.heard).ptr, notes.heard.len, "ready", 5);
}

static bool
is_parked(void)
{
	return memmem(buf_str(&notes.heard).ptr, notes.heard.len, "park [", 6);
}

/* What the corpus calls are answered, and one that nobody has made. */
json_t *
some_results(void)
{
	return json_pack(
		"[{s:s, s:s, s:[{s:s, s:s}, {s:s, s:s, s:s}], s:b}, {s:s, s:s, "
		"s:[]}]",
		"type", "tool_result", "id", "call_1", "content", "type",
		"text", "text", "it rains", "type", "image", "media_type",
		"image/png", "data", "iVBORw0KGgo=", "is_error", 1, "type",
		"tool_result", "id", "call_x", "content");
}

static void
answer(const struct harness *h, struct conversation *c)
{
	json_t *results = some_results();

	c->results = results;
	h->answer(c);
	c->results = NULL;
	json_decref(results);
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
	bool was_said = false, was_answered = false;
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
		if (!was_answered && h->answer && is_parked()) {
			answer(h, c);
			was_answered = true;
		}
	} while (lines_next(&lines, &line) && h->line(c, line, &e));
	lines_fini(&lines);
}
