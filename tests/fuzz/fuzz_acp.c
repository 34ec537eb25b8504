/* Whatever an agent may ever say: heard or passed over, never worse. */
#include "tests/unit/talk_notes.h"
#include "workers/acp/acp.h"
#include "workers/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct acp state;
static struct acp_agent agent_state;

/* The first byte says which agent it is. */
static struct agent
agent_of(const uint8_t **data, size_t *len)
{
	static const char *const names[] = { "gemini", "kimi", "qwen",
					     "copilot" };
	struct agent a = { .name = names[0], .scratch = "/tmp" };

	if (*len > 0) {
		a.name = names[**data % 4];
		(*data)++;
		(*len)--;
	}
	a.state = &agent_state;
	return a;
}

static void
say(struct talk *t)
{
	static json_t *messages;

	if (!messages)
		messages = json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user",
				     "content", "type", "text", "text", "hi");
	t->messages = messages;
	acp_say(t);
}

static void
hear(const struct harness *h, struct talk *t, struct str all)
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
		(void)!h->agent_line(t->agent, line, &e);
		if (line.len == 0)
			say(t);
	}
	lines_fini(&lines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct agent agent = agent_of(&data, &len);
	struct talk talk = {
		.agent = &agent, .cli_id = "s", .cwd = "/w", .state = &state
	};
	struct words argv = { 0 }, env = { 0 };
	struct error e = { 0 };
	const struct harness *h = harness_of(agent.name, &e);

	notes_clear();
	notes_talk = &talk;
	agent.permission_mode = talk.permission_mode = h->permission_modes[0];
	(void)!h->agent_command(&agent, &argv, &env, &e);
	words_fini(&argv);
	words_fini(&env);
	h->agent_greet(&agent);
	h->greet(&talk);
	hear(h, &talk, (struct str){ (const char *)data, len });
	h->close(&talk);
	h->clear(&talk);
	h->agent_clear(&agent);
	memset(&agent_state, 0, sizeof agent_state);
	return 0;
}
