/* Whatever Codex may ever say, by its app-server or by `codex exec`: heard or
 * passed over, never worse. */
#include "tests/fuzz/hear_lines.h"
#include "tests/unit/conversation_notes.h"
#include "workers/codex/codex.h"
#include "workers/executor/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool
has_heard(const char *words)
{
	return notes.heard.len &&
	       memmem(notes.heard.ptr, notes.heard.len, words, strlen(words));
}

static void
answer(const struct harness *h, struct conversation *c)
{
	json_t *results = some_results();
	const json_t *said = c->messages;

	c->results = results;
	c->messages = NULL;
	h->answer(c);
	c->results = NULL;
	c->messages = said;
	json_decref(results);
}

static void
hear_server(struct str said, json_t *messages)
{
	struct loop loop = LOOP_INIT;
	json_t *tools =
		json_pack("[{s:s, s:s, s:{s:s}}]", "name", "weather",
			  "description", "d", "parameters", "type", "object");
	const struct harness *h = harness_of("codex", &(struct error){ 0 });
	struct codex_agent server = { 0 };
	struct codex state = { 0 };
	struct instance agent = { .executor = (struct executor *)&host_executor,
				  .name = "codex",
				  .permission_mode = "danger-full-access",
				  .loads = LOADS_EVERYTHING,
				  .loop = &loop,
				  .own = &server };
	struct conversation talk = { .instance = &agent,
				     .executor =
					     (struct executor *)&host_executor,
				     .cli_id = "new",
				     .cwd = "/",
				     .permission_mode = "danger-full-access",
				     .messages = messages,
				     .options.tools = tools,
				     .own = &state };
	struct words argv = { 0 }, env = { 0 };
	struct error e = { 0 };
	bool greeted = false, has_said = false, has_answered = false;

	notes_talk = &talk;
	(void)!h->instance_command(&agent, &argv, &env, &e);
	h->instance_handshake(&agent);
	while (said.len) {
		struct str line = str_cut(said, '\n', &said);

		(void)!h->instance_line(&agent, line, &e);
		if (!greeted && has_heard("agent ready")) {
			greeted = true;
			h->handshake(&talk);
		}
		if (!has_said && has_heard("\nready")) {
			has_said = true;
			h->say(&talk);
		}
		if (!has_answered && has_heard("park [")) {
			has_answered = true;
			answer(h, &talk);
		}
	}
	h->close(&talk);
	h->clear(&talk);
	h->instance_clear(&agent);
	loop_fini(&loop);
	json_decref(tools);
	words_fini(&argv);
	words_fini(&env);
	notes_talk = NULL;
}

static void
hear_exec(struct str said, json_t *messages)
{
	static max_align_t state[64];
	struct instance agent = { .executor = (struct executor *)&host_executor,
				  .name = "codex" };
	struct conversation talk = { .instance = &agent,
				     .executor =
					     (struct executor *)&host_executor,
				     .cli_id = "new",
				     .messages = messages,
				     .own = state };
	struct error e = { 0 };

	memset(state, 0, sizeof state);
	codex_exec.handshake(&talk);
	codex_exec.say(&talk);
	while (said.len) {
		struct str line = str_cut(said, '\n', &said);

		(void)!codex_exec.line(&talk, line, &e);
	}
	codex_exec.clear(&talk);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str said = { (const char *)data, len };
	json_t *messages = json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user",
				     "content", "type", "text", "text", "$x");

	notes_clear();
	hear_server(said, messages);
	notes_clear();
	hear_exec(said, messages);
	json_decref(messages);
	return 0;
}
