/*
 * Whatever opencode's server may ever say: heard or passed over, never worse.
 * A line that begins with a digit is the answer to what was asked, with its
 * first digit as the hundreds of its status; others are of its events.
 */
#include <stdio.h>

#include "tests/unit/http_notes.h"
#include "tests/unit/conversation_notes.h"
#include "workers/io/lines.h"
#include "workers/opencode/opencode.h"
#include "workers/executor/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct harness *
begin(struct instance *inst, struct words *argv, struct words *env)
{
	struct error e = { 0 };
	const struct harness *h = harness_of("opencode", &e);
	const struct server *s = inst->own;
	auto_free char *line = NULL;

	if (!h->instance_command(inst, argv, env, &e))
		abort();
	line = copy_format("opencode server listening on %s", s->origin);
	(void)!h->instance_line(inst, str_of(line), &e);
	return h;
}

/* The turn's message is always called the same. */
static void
say(const struct harness *h, struct conversation *c)
{
	struct opencode *o = c->own;

	if (!o->is_open || o->phase != AT_REST)
		return;
	c->turns++;
	h->say(c);
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
	struct instance agent = { .executor = (struct executor *)&host_executor,
				  .scratch = "/s",
				  .workspace = "/w",
				  .permission_mode = "allow",
				  .loop = &loop,
				  .own = &server };
	struct conversation talk = { .instance = &agent,
				     .executor =
					     (struct executor *)&host_executor,
				     .cli_id = "ses_1",
				     .cwd = "/w",
				     .permission_mode = "allow",
				     .messages = json_array(),
				     .own = &state };
	struct words argv = { 0 }, env = { 0 };
	const struct harness *h = begin(&agent, &argv, &env);
	struct lines lines = LINES_INIT(1 << 20);
	struct error e = { 0 };
	struct str line;
	char *room;

	notes_clear();
	notes_talk = &talk;
	h->handshake(&talk);
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
	h->instance_clear(&agent);
	words_fini(&argv);
	words_fini(&env);
	json_decref((json_t *)talk.messages);
	notes_talk = NULL;
	return 0;
}
