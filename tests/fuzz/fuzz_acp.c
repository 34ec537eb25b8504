/* Whatever an agent may ever say: heard or passed over, never worse. */
#include "tests/unit/conversation_notes.h"
#include "workers/acp/acp.h"
#include "workers/io/lines.h"
#include "workers/executor/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct acp state;
static struct acp_agent instance_own;

/* The first byte says which agent it is. */
static struct instance
instance_of(const uint8_t **data, size_t *len)
{
	static const char *const names[] = { "gemini", "kimi", "qwen",
					     "copilot" };
	struct instance a = { .executor = (struct executor *)&host_executor,
			      .name = names[0],
			      .scratch = "/tmp" };

	if (*len > 0) {
		a.name = names[**data % 4];
		(*data)++;
		(*len)--;
	}
	a.own = &instance_own;
	return a;
}

static void
say(struct conversation *c)
{
	static json_t *messages;

	if (!messages)
		messages = json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user",
				     "content", "type", "text", "text", "hi");
	c->messages = messages;
	acp_say(c);
}

static void
hear(const struct harness *h, struct conversation *c, struct str all)
{
	struct lines lines = LINES_INIT(1 << 20);
	struct error e = { 0 };
	struct str line;
	char *room;

	if (lines_room(&lines, all.len, &room, &e)) {
		memcpy(room, all.ptr, all.len);
		lines_added(&lines, all.len);
	}
	while (lines_next(&lines, &line)) {
		(void)!h->instance_line(c->instance, line, &e);
		if (line.len == 0)
			say(c);
	}
	lines_fini(&lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct instance agent = instance_of(&data, &len);
	struct conversation talk = { .instance = &agent,
				     .executor =
					     (struct executor *)&host_executor,
				     .cli_id = "s",
				     .cwd = "/w",
				     .own = &state };
	struct words argv = { 0 }, env = { 0 };
	struct error e = { 0 };
	const struct harness *h = harness_of(agent.name, &e);

	notes_clear();
	notes_talk = &talk;
	agent.permission_mode = talk.permission_mode = h->permission_modes[0];
	(void)!h->instance_command(&agent, &argv, &env, &e);
	words_fini(&argv);
	words_fini(&env);
	h->instance_handshake(&agent);
	h->handshake(&talk);
	hear(h, &talk, (struct str){ (const char *)data, len });
	h->close(&talk);
	h->clear(&talk);
	h->instance_clear(&agent);
	memset(&instance_own, 0, sizeof instance_own);
	return 0;
}
