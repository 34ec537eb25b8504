/*
 * Whatever opencode's server may ever say: heard or passed over, never worse.
 * A line that begins with a digit is the answer to what was asked, with its
 * first digit as the hundreds of its status; others are of its events.
 */
#include <stdio.h>

#include "tests/unit/http_notes.h"
#include "tests/unit/talk_notes.h"
#include "workers/lines.h"
#include "workers/opencode/opencode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct harness *
begin(struct agent *a, struct words *argv, struct words *env)
{
	struct error e = { 0 };
	const struct harness *h = harness_of("opencode", &e);
	const struct server *s = a->state;
	auto_free char *line = NULL;

	if (!h->agent_command(a, argv, env, &e))
		abort();
	line = copy_format("opencode server listening on %s", s->origin);
	(void)!h->agent_line(a, str_of(line), &e);
	return h;
}

/* The turn's message is always called the same. */
static void
say(const struct harness *h, struct talk *t)
{
	struct opencode *o = t->state;

	if (!o->is_open || o->phase != AT_REST)
		return;
	t->turn++;
	h->say(t);
	snprintf(o->prompt, sizeof o->prompt, "msg_1");
}

static void
hear(struct str line)
{
	if (line.len && *line.ptr >= '0' && *line.ptr <= '9')
		(void)http_notes_answer((*line.ptr - '0') * 100,
					str_from(line, 1));
	else
		(void)http_notes_line(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct server server;
	static struct opencode state;
	static struct loop loop;
	struct agent agent = { .scratch = "/s",
			       .workspace = "/w",
			       .permission_mode = "allow",
			       .loop = &loop,
			       .state = &server };
	struct talk talk = { .agent = &agent,
			     .cli_id = "ses_1",
			     .cwd = "/w",
			     .permission_mode = "allow",
			     .messages = json_array(),
			     .state = &state };
	struct words argv = { 0 }, env = { 0 };
	const struct harness *h = begin(&agent, &argv, &env);
	struct lines lines = LINES_INIT(1 << 20);
	struct error e = { 0 };
	struct str line;
	char *room;

	notes_clear();
	notes_talk = &talk;
	h->greet(&talk);
	if (lines_room(&lines, len, &room, &e)) {
		memcpy(room, data, len);
		lines_added(&lines, len);
	}
	while (lines_next(&lines, &line)) {
		hear(line);
		say(h, &talk);
	}
	lines_fini(&lines);
	h->close(&talk);
	h->clear(&talk);
	h->agent_clear(&agent);
	words_fini(&argv);
	words_fini(&env);
	json_decref((json_t *)talk.messages);
	notes_talk = NULL;
	return 0;
}
