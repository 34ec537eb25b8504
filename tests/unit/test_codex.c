/*
 * What workers/codex makes of what the CLI says: data/codex/<name>.jsonl is
 * what its app-server answered to the very requests that we send, <name>.heard
 * is what must be heard of it.
 */

#include "tests/unit/harness_kit.h"

#include <stdio.h>

#include "workers/codex/codex.h"
#include "workers/executor/host.h"

static const char *const names[] = {
	"plain-turn",	 "two-turns",  "multibyte",    "thinking",
	"tool-use",	 "tool-fails", "two-messages", "interrupted",
	"400",		 "401",	       "404",	       "429",
	"500",		 "cut",	       "quota",	       "context",
	"length",	 "cut-retry",  "401-retry",    "too-large",
	"not-logged-in",
};

static struct codex_agent instance_own;
static struct instance agent = { .executor = (struct executor *)&host_executor,
				 .name = "codex",
				 .scratch = "/nonexistent",
				 .permission_mode = "danger-full-access",
				 .loads = LOADS_EVERYTHING,
				 .own = &instance_own };
static struct codex state;
static struct conversation talk;
static const struct harness *codex;

/* A process that was started and greeted, and a talk that is to be. */
static void
begin(void)
{
	struct words argv = { 0 }, env = { 0 };

	must((codex = harness_of("codex", &e)) != NULL);
	notes_clear();
	memset(&instance_own, 0, sizeof instance_own);
	memset(&state, 0, sizeof state);
	agent.loads = LOADS_EVERYTHING;
	talk = (struct conversation){ .instance = &agent,
				      .executor =
					      (struct executor *)&host_executor,
				      .cli_id = "new",
				      .cwd = "/srv/w",
				      .permission_mode = "danger-full-access",
				      .own = &state };
	notes_talk = &talk;
	must(codex->instance_command(&agent, &argv, &env, &e));
	words_fini(&argv);
	words_fini(&env);
	codex->instance_handshake(&agent);
}

static void
end(void)
{
	json_decref((json_t *)talk.messages);
	talk.messages = NULL;
	codex->close(&talk);
	codex->clear(&talk);
	codex->instance_clear(&agent);
	notes_talk = NULL;
	notes_clear();
}

static unsigned
times_heard(const char *words)
{
	struct str s = buf_str(&notes.heard);
	unsigned n = 0;

	for (const char *at; (at = memmem(s.ptr, s.len, words, strlen(words)));
	     n++)
		s = str_from(s, (size_t)(at - s.ptr) + strlen(words));
	return n;
}

static void
say(const char *text)
{
	json_decref((json_t *)talk.messages);
	talk.messages = user_says(text);
	talk.from = 0;
	codex->say(&talk);
}

/* What the engine does with it meanwhile: greets when it may, says as many
 * turns as the transcript has. */
static void
go_on(unsigned *greeted, unsigned *said)
{
	if (!*greeted && was_heard("agent ready")) {
		(*greeted)++;
		codex->handshake(&talk);
	}
	if (was_heard("\nready") && *said <= times_heard("\nfinish") &&
	    *said < 2 && !was_heard("\nfail") && !was_heard("\nabort")) {
		(*said)++;
		say("text");
	}
}

/* Until the talk is over, if it ends before the transcript does. */
static void
replay(struct str said)
{
	unsigned greeted = 0, turns = 0;

	begin();
	while (said.len) {
		struct str rest, line = str_cut(said, '\n', &rest);

		must(codex->instance_line(&agent, line, &e));
		if (was_heard("\nabort") || was_heard("\nlost"))
			return;
		go_on(&greeted, &turns);
		said = rest;
	}
}

static void
is_heard_of(const char *name)
{
	replay(recorded("codex", name, "jsonl"));
	must_be_heard_of("codex", name);
	end();
}

static void
what_it_says_is_heard(void **state_)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		is_heard_of(names[i]);
}

/* Answers to what is asked at the beginning, in brief. */
static void
hear(const char *line)
{
	must(codex->instance_line(&agent, str_of(line), &e));
}

static void
handshake(void)
{
	hear("{\"id\":1,\"result\":{}}");
	codex->handshake(&talk);
	hear("{\"id\":2,\"result\":{\"config\":{\"model\":\"m\"}}}");
	hear("{\"id\":3,\"result\":{\"data\":[{\"id\":\"p\",\"settings\":"
	     "{\"type\":\"customGateway\"}},{\"id\":\"q\"}],"
	     "\"defaultProviderId\":\"p\"}}");
	hear("{\"id\":4,\"result\":{\"data\":[]}}");
	hear("{\"id\":5,\"result\":{\"requiresOpenaiAuth\":false}}");
}

static void
open_thread(void)
{
	handshake();
	hear("{\"id\":6,\"result\":{\"thread\":{\"id\":\"T\"},\"model\":\"m\","
	     "\"modelProvider\":\"p\"}}");
	assert_true(was_heard("ready"));
}

static void
a_thread_that_it_does_not_know_is_lost(void **state_)
{
	begin();
	talk.resumed = true;
	handshake();
	hear("{\"id\":6,\"error\":{\"code\":-32600,\"message\":\"no rollout "
	     "found for thread id new\"}}");
	assert_true(was_heard("lost"));
	end();
}

/* A thread whose newest turn is not the one of the position. */
static void
open_older_thread(void)
{
	begin();
	talk.resumed = true;
	talk.position = "good cbf29ce484222325";
	handshake();
	hear("{\"id\":6,\"result\":{\"thread\":{\"id\":\"new\"},"
	     "\"initialTurnsPage\":{\"data\":[{\"id\":\"later\"}]}}}");
	assert_false(was_heard("\nready"));
	assert_true(was_written("thread/fork"));
	assert_true(was_written("\"lastTurnId\":\"good\""));
	assert_false(was_written("inject_items"));
}

static void
a_thread_is_forked_behind_the_turn_of_the_position(void **state_)
{
	open_older_thread();
	hear("{\"id\":7,\"result\":{\"thread\":{\"id\":\"fork\"}}}");
	assert_true(was_heard("name fork\nready"));
	assert_true(was_written("{\"threadId\":\"new\"}"));
	end();
}

static void
a_turn_that_it_does_not_find_is_lost(void **state_)
{
	open_older_thread();
	hear("{\"id\":7,\"error\":{\"code\":-32600,\"message\":\"no such "
	     "turn\"}}");
	assert_true(was_heard("lost"));
	end();
}

static void
a_fork_that_comes_too_late_is_let_go(void **state_)
{
	open_older_thread();
	codex->close(&talk);
	hear("{\"id\":7,\"result\":{\"thread\":{\"id\":\"fork\"}}}");
	assert_true(was_written("{\"threadId\":\"fork\"}"));
	assert_false(was_heard("name fork"));
	end();
}

static void
other_instructions_than_before_are_told(void **state_)
{
	begin();
	talk.resumed = true;
	talk.position = "good 1";
	talk.system = "be kind";
	talk.system_len = 7;
	handshake();
	hear("{\"id\":6,\"result\":{\"thread\":{\"id\":\"T\"},"
	     "\"initialTurnsPage\":{\"data\":[{\"id\":\"good\"}]}}}");
	assert_true(was_written("thread/inject_items"));
	assert_true(was_written("\"role\":\"developer\""));
	assert_false(was_written("thread/fork"));
	end();
}

static void
a_turn_is_stopped_whenever_that_is_asked(void **state_)
{
	begin();
	open_thread();
	say("go");
	codex->interrupt(&talk); /* before it is known to be one */
	assert_true(was_written("\"turnId\":\"\""));
	hear("{\"id\":7,\"result\":{\"turn\":{\"id\":\"U\"}}}");
	hear("{\"method\":\"turn/started\",\"params\":{\"threadId\":\"T\","
	     "\"turn\":{\"id\":\"U\"}}}");
	assert_true(was_written("\"turnId\":\"U\""));
	hear("{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"T\","
	     "\"turn\":{\"id\":\"U\",\"status\":\"interrupted\"}}}");
	assert_true(was_heard("fail CANCELLED"));
	end();
}

static void
what_another_turn_says_is_not_heard(void **state_)
{
	begin();
	open_thread();
	say("go");
	hear("{\"id\":7,\"result\":{\"turn\":{\"id\":\"U\"}}}");
	hear("{\"method\":\"item/agentMessage/delta\",\"params\":{\"threadId\":"
	     "\"T\",\"turnId\":\"V\",\"itemId\":\"i\",\"delta\":\"old\"}}");
	hear("{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"T\","
	     "\"turn\":{\"id\":\"V\",\"status\":\"completed\"}}}");
	assert_false(was_heard("old"));
	assert_false(was_heard("finish"));
	end();
}

static void
a_turn_that_it_begins_by_itself_is_nobodys(void **state_)
{
	begin();
	open_thread();
	hear("{\"method\":\"turn/started\",\"params\":{\"threadId\":\"T\","
	     "\"turn\":{\"id\":\"V\"}}}");
	assert_true(was_heard("alone\n"));
	hear("{\"method\":\"item/agentMessage/delta\",\"params\":{\"threadId\":"
	     "\"T\",\"turnId\":\"V\",\"itemId\":\"i\",\"delta\":\"own\"}}");
	assert_false(was_heard("silent"));
	codex_interrupt_own(&talk);
	assert_true(was_written("turn/interrupt"));
	assert_true(was_written("\"turnId\":\"V\""));
	buf_fini(&notes.written);
	hear("{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"T\","
	     "\"turn\":{\"id\":\"V\",\"status\":\"failed\"}}}");
	codex_interrupt_own(&talk);
	assert_false(was_written("turn/interrupt"));
	assert_true(was_heard("silent"));
	assert_false(was_heard("finish"));
	assert_false(was_heard("fail"));
	end();
}

static void
command(const char *method, const char *turn)
{
	auto_free char *line = copy_format(
		"{\"method\":\"%s\",\"params\":{\"threadId\":\"T\","
		"\"turnId\":\"%s\",\"item\":{\"type\":\"commandExecution\","
		"\"id\":\"c\"}}}",
		method, turn);

	hear(line);
}

static void
a_command_that_outlives_its_turn_is_counted(void **state_)
{
	begin();
	open_thread();
	say("go");
	hear("{\"id\":7,\"result\":{\"turn\":{\"id\":\"U\"}}}");
	command("item/started", "U");
	hear("{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"T\","
	     "\"turn\":{\"id\":\"U\",\"status\":\"completed\"}}}");
	assert_true(was_heard("background 1"));
	assert_false(was_heard("background 0"));
	command("item/completed", "U");
	assert_true(was_heard("background 0"));
	assert_int_equal(times_heard("\ntool"), 1);
	end();
}

static void
what_was_missing_in_its_deltas_is_said(void **state_)
{
	begin();
	open_thread();
	say("go");
	hear("{\"id\":7,\"result\":{\"turn\":{\"id\":\"U\"}}}");
	hear("{\"method\":\"item/agentMessage/delta\",\"params\":{\"threadId\":"
	     "\"T\",\"turnId\":\"U\",\"itemId\":\"i\",\"delta\":\"one \"}}");
	for (int twice = 0; twice < 2; twice++)
		hear("{\"method\":\"item/completed\",\"params\":{\"threadId\":"
		     "\"T\",\"turnId\":\"U\",\"item\":{\"type\":"
		     "\"agentMessage\",\"id\":\"i\",\"text\":\"one two\"}}}");
	hear("{\"method\":\"item/completed\",\"params\":{\"threadId\":\"T\","
	     "\"turnId\":\"U\",\"item\":{\"type\":\"agentMessage\",\"id\":"
	     "\"k\",\"text\":\"three\"}}}");
	assert_true(was_heard("text one two\n\nthree"));
	end();
}

static void
the_default_model_is_said_again_after_another(void **state_)
{
	begin();
	open_thread();
	talk.model = "other";
	say("go");
	assert_true(was_written("\"model\":\"other\""));
	hear("{\"id\":7,\"result\":{\"turn\":{\"id\":\"U\"}}}");
	buf_fini(&notes.written);
	talk.model = NULL;
	say("go");
	assert_true(was_written("\"model\":\"m\""));
	end();
}

static void
a_conversation_stays_with_its_provider(void **state_)
{
	begin();
	open_thread();
	talk.model = "q/large";
	say("go");
	assert_true(was_heard("fail UNSUPPORTED"));
	assert_false(was_written("turn/start"));
	end();
}

static void
the_name_of_a_skill_is_put_where_it_is_text(void **state_)
{
	begin();
	open_thread();
	say("$wren sing");
	assert_false(was_written("turn/start"));
	hear("{\"id\":7,\"result\":{\"data\":[{\"skills\":[{\"name\":\"wren\"}]"
	     "}]}}");
	assert_true(was_written("thread/inject_items"));
	assert_true(was_written("\"text\":\"$wren sing\""));
	assert_false(was_written("turn/start"));
	hear("{\"id\":8,\"result\":{}}");
	assert_true(was_written("\"input\":[]"));
	end();
}

static void
the_link_of_a_plugin_is_put_where_it_is_text(void **state_)
{
	begin();
	open_thread();
	say("[@wren](plugin://wren@here) and me@wren");
	assert_false(was_written("turn/start"));
	hear("{\"id\":7,\"result\":{\"data\":[]}}");
	assert_true(was_written("thread/inject_items"));
	end();
}

static void
another_name_is_said_as_it_is(void **state_)
{
	begin();
	open_thread();
	say("echo $HOME for me@home");
	hear("{\"id\":7,\"result\":{\"data\":[{\"skills\":[{\"name\":\"wren\"}]"
	     "}]}}");
	assert_false(was_written("inject_items"));
	assert_true(was_written("\"text\":\"echo $HOME for me@home\""));
	end();
}

static void
approvals_are_answered_at_once(void **state_)
{
	const char *ask = "{\"id\":9,\"method\":\"item/commandExecution/"
			  "requestApproval\",\"params\":{\"threadId\":\"T\"}}";

	begin();
	hear(ask);
	assert_true(was_written("\"decision\":\"accept\""));
	agent.permission_mode = "read-only";
	hear(ask);
	agent.permission_mode = "danger-full-access";
	assert_true(was_written("\"decision\":\"decline\""));
	hear("{\"id\":10,\"method\":\"item/tool/call\",\"params\":{}}");
	assert_true(was_written("-32601"));
	end();
}

/* It would stay in memory for nobody. */
static void
a_thread_that_comes_too_late_is_let_go(void **state_)
{
	begin();
	handshake();
	codex->close(&talk);
	codex->clear(&talk);
	hear("{\"id\":6,\"result\":{\"thread\":{\"id\":\"T\"}}}");
	assert_true(was_written("thread/unsubscribe"));
	assert_false(was_heard("name T"));
	end();
	begin(); /* and before the talk is cleared */
	handshake();
	codex->close(&talk);
	hear("{\"id\":6,\"result\":{\"thread\":{\"id\":\"T\"}}}");
	assert_true(was_written("thread/unsubscribe"));
	end();
}

/* Its subscription would end with the one that nobody wants. */
static void
a_thread_that_the_next_turn_has_asked_for_is_kept(void **state_)
{
	const char *before = talk.cli_id;

	begin();
	handshake();
	codex->close(&talk);
	codex->clear(&talk);
	talk.cli_id = "T";
	hear("{\"id\":6,\"result\":{\"thread\":{\"id\":\"T\"}}}");
	assert_false(was_written("thread/unsubscribe"));
	talk.cli_id = before;
	end();
}

static void
nothing_of_the_callers_is_in_an_argument(void **state_)
{
	struct words argv = { 0 }, env = { 0 };

	begin();
	codex->instance_clear(&agent);
	must(codex->instance_command(&agent, &argv, &env, &e));
	for (size_t i = 0; i < argv.len; i++)
		assert_null(strstr(argv.ptr[i], "/srv/w"));
	words_fini(&argv);
	words_fini(&env);
	end();
}

/* Without an app-server: a process a turn. */
static void
exec_says_whole_messages(void **state_)
{
	static const char *const lines[] = {
		"{\"type\":\"thread.started\",\"thread_id\":\"T\"}",
		"{\"type\":\"turn.started\"}",
		"{\"type\":\"error\",\"message\":\"Reconnecting... 1/5\"}",
		"{\"type\":\"item.completed\",\"item\":{\"id\":\"0\",\"type\":"
		"\"error\",\"message\":\"a warning\"}}",
		"{\"type\":\"item.completed\",\"item\":{\"id\":\"1\",\"type\":"
		"\"agent_message\",\"text\":\"one\"}}",
		"{\"type\":\"item.completed\",\"item\":{\"id\":\"2\",\"type\":"
		"\"agent_message\",\"text\":\"two\"}}",
		"{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":30,"
		"\"output_tokens\":5}}",
	};
	static max_align_t memory[64];
	struct conversation t = { .instance = &agent,
				  .executor = (struct executor *)&host_executor,
				  .cli_id = "new",
				  .resumed = true,
				  .position = "cbf29ce484222325 20 0 3 0",
				  .own = memory };

	notes_clear();
	t.messages = user_says("hi");
	codex_exec.handshake(&t);
	codex_exec.say(&t);
	assert_str(buf_str(&notes.written), "hi");
	assert_true(notes.input_ended);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		must(codex_exec.line(&t, str_of(lines[i]), &e));
	assert_true(was_heard("text one\n\ntwo\n"));
	assert_true(was_heard("finish stop, 10 + 2 tokens"));
	codex_exec.clear(&t);
	json_decref((json_t *)t.messages);
	notes_clear();
}

/*
 * Drift: what a version says otherwise than the one that we know may be lost,
 * but an answer is only finished where the CLI has said so.
 */

static bool
is_end(struct str line)
{
	json_t *event = json_loadb(line.ptr, line.len, 0, NULL);
	const char *method = json_text(event, "method");
	const json_t *turn =
		json_object_get(json_object_get(event, "params"), "turn");
	const char *status = json_text(turn, "status");
	bool is = method && !strcmp(method, "turn/completed") && status &&
		  !strcmp(status, "completed");

	json_decref(event);
	return is;
}

static void
survives(struct str said)
{
	struct str rest = said;
	bool may_finish = false;

	while (rest.len && !may_finish)
		may_finish = is_end(str_cut(rest, '\n', &rest));
	replay(said);
	if (was_heard("\nfinish") && !may_finish)
		fail_msg("finished without an end:\n%.*s", (int)said.len,
			 said.ptr);
	end();
}

/* `line` stands in the place of the line from `at` on, as often as said. */
static void
survives_with(struct str said, struct str at, struct str line, unsigned times)
{
	struct buf b = BUF_INIT(1u << 22);
	size_t before = (size_t)(at.ptr - said.ptr);

	must(buf_add(&b, (struct str){ said.ptr, before }, &e));
	for (unsigned i = 0; i < times; i++) {
		must(buf_add(&b, line, &e));
		must(buf_add(&b, STR("\n"), &e));
	}
	if (before + at.len < said.len)
		must(buf_add(&b, str_from(said, before + at.len + 1), &e));
	survives(buf_str(&b));
	buf_fini(&b);
}

static void
survives_json(struct str said, struct str at, const json_t *line)
{
	char *text = json_dumps(line, JSON_COMPACT);

	survives_with(said, at, str_of(text), 1);
	free(text);
}

/* Each field of `part`, which is in `line`, missing, renamed, or a number. */
static void
mutate(struct str said, struct str at, json_t *line, json_t *part)
{
	json_t *was, *copy_ = json_copy(part), *item;
	const char *key;
	size_t i;

	json_object_foreach (copy_, key, was) {
		json_object_set_new(part, key, json_integer(7));
		survives_json(said, at, line);
		json_object_del(part, key);
		survives_json(said, at, line);
		json_object_set(part, "tomorrow", was);
		survives_json(said, at, line);
		json_object_del(part, "tomorrow");
		json_object_set(part, key, was);
		mutate(said, at, line, was);
	}
	json_array_foreach (part, i, item)
		mutate(said, at, line, item);
	json_decref(copy_);
}

static void
mutate_line(struct str said, struct str at)
{
	json_t *line = json_loadb(at.ptr, at.len, 0, NULL);

	assert_non_null(line);
	survives_with(said, at, at, 0);
	survives_with(said, at, at, 2);
	survives_with(said, at, (struct str){ at.ptr, at.len / 2 }, 1);
	mutate(said, at, line, line);
	json_decref(line);
}

static void
what_is_said_otherwise_is_never_worse_than_lost(void **state_)
{
	static const char *const some[] = { "plain-turn", "thinking",
					    "tool-use",	  "interrupted",
					    "429",	  "cut-retry" };

	for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
		struct str file = recorded("codex", some[i], "jsonl");
		auto_free char *all = copy(file);
		struct str said = { all, file.len }, rest = said, line;

		while (rest.len) {
			line = str_cut(rest, '\n', &rest);
			mutate_line(said, line);
		}
	}
}

static const char with_everything[] =
	"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"ask\"},"
	"{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"BBBB\"}]},"
	"{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
	"\"look\"},"
	"{\"type\":\"tool_call\",\"id\":\"c1\",\"name\":\"f\",\"arguments\":"
	"\"{\\\"at\\\":\\\"x\\\\u0000y\\\"}\"},"
	"{\"type\":\"tool_call\",\"id\":\"c2\",\"name\":\"g\",\"arguments\":"
	"\"no json\"}]},"
	"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"id\":"
	"\"c1\","
	"\"name\":\"f\",\"arguments\":\"{}\",\"content\":["
	"{\"type\":\"text\",\"text\":\"a\\u0000b\"},"
	"{\"type\":\"image\",\"media_type\":\"image/png\",\"data\":\"AAAA\"}],"
	"\"is_error\":true},"
	"{\"type\":\"tool_result\",\"id\":\"c2\",\"name\":\"g\","
	"\"arguments\":\"\",\"content\":[]}]}]";

/* Nothing of a history is left out of the items that the thread gets. */
static void
a_history_has_every_part_in_it(void **state_)
{
	static const char want[] =
		"[{\"type\":\"message\",\"role\":\"user\",\"content\":["
		"{\"type\":\"input_text\",\"text\":\"ask\"},"
		"{\"type\":\"input_image\",\"image_url\":\"data:image/"
		"png;base64,BBBB\"}]},"
		"{\"type\":\"message\",\"role\":\"assistant\",\"content\":["
		"{\"type\":\"output_text\",\"text\":\"look\"}]},"
		"{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\","
		"\"arguments\":\"{\\\"at\\\":\\\"x\\\\u0000y\\\"}\"},"
		"{\"type\":\"function_call\",\"call_id\":\"c2\",\"name\":\"g\","
		"\"arguments\":\"no json\"},"
		"{\"type\":\"function_call_output\",\"call_id\":\"c1\","
		"\"output\":["
		"{\"type\":\"input_text\",\"text\":\"The tool has failed:\"},"
		"{\"type\":\"input_text\",\"text\":\"a\\u0000b\"},"
		"{\"type\":\"input_image\",\"image_url\":"
		"\"data:image/png;base64,AAAA\"}]},"
		"{\"type\":\"function_call_output\",\"call_id\":\"c2\","
		"\"output\":\"\"}]";
	json_t *messages = json_loads(with_everything, JSON_ALLOW_NUL, NULL);
	json_t *items = codex_items(messages);
	auto_free char *text = json_dumps(items, JSON_COMPACT);

	assert_string_equal(text, want);
	json_decref(items);
	json_decref(messages);
}

/* It would get the headers that the user has set for a server of that name. */
static void
a_server_does_not_get_the_name_of_one_of_the_users(void **unused)
{
	json_t *servers = json_pack("{s:{s:s}}", "theirs", "url", "http://h");

	begin();
	talk.options.servers = servers;
	must(codex_check_servers(&talk, &e));
	state.config = json_pack("{s:{s:{s:s}}}", "mcp_servers", "theirs",
				 "url", "http://other");
	must_fail(ERR_UNSUPPORTED,
		  "mcp.mcpServers.theirs: the settings of codex have a server "
		  "with this name, and it would mix the two: give yours "
		  "another name",
		  codex_check_servers(&talk, &e));
	json_decref(state.config);
	state.config = NULL;
	talk.options.servers = NULL;
	json_decref(servers);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_is_heard),
		cmocka_unit_test(a_thread_that_it_does_not_know_is_lost),
		cmocka_unit_test(
			a_thread_is_forked_behind_the_turn_of_the_position),
		cmocka_unit_test(a_turn_that_it_does_not_find_is_lost),
		cmocka_unit_test(a_fork_that_comes_too_late_is_let_go),
		cmocka_unit_test(a_turn_that_it_begins_by_itself_is_nobodys),
		cmocka_unit_test(a_command_that_outlives_its_turn_is_counted),
		cmocka_unit_test(the_link_of_a_plugin_is_put_where_it_is_text),
		cmocka_unit_test(other_instructions_than_before_are_told),
		cmocka_unit_test(a_turn_is_stopped_whenever_that_is_asked),
		cmocka_unit_test(what_another_turn_says_is_not_heard),
		cmocka_unit_test(what_was_missing_in_its_deltas_is_said),
		cmocka_unit_test(the_default_model_is_said_again_after_another),
		cmocka_unit_test(a_conversation_stays_with_its_provider),
		cmocka_unit_test(the_name_of_a_skill_is_put_where_it_is_text),
		cmocka_unit_test(another_name_is_said_as_it_is),
		cmocka_unit_test(approvals_are_answered_at_once),
		cmocka_unit_test(a_thread_that_comes_too_late_is_let_go),
		cmocka_unit_test(
			a_thread_that_the_next_turn_has_asked_for_is_kept),
		cmocka_unit_test(nothing_of_the_callers_is_in_an_argument),
		cmocka_unit_test(exec_says_whole_messages),
		cmocka_unit_test(
			what_is_said_otherwise_is_never_worse_than_lost),
		cmocka_unit_test(a_history_has_every_part_in_it),
		cmocka_unit_test(
			a_server_does_not_get_the_name_of_one_of_the_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
