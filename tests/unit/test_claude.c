/*
 * What workers/claude makes of what the CLI says: data/claude/<name>.jsonl is
 * what was said, <name>.heard is what must be heard of it.  A line "> say" or
 * "> stop" is where the bridge says a turn, or stops it.
 */

#include "tests/unit/harness_kit.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "workers/claude/claude.h"

static struct claude state;
static struct instance agent = { .executor = (struct executor *)&host_executor,
				 .name = "claude",
				 .loads = LOADS_EVERYTHING };
static struct conversation talk = { .instance = &agent,
				    .executor =
					    (struct executor *)&host_executor,
				    .permission_mode = "bypassPermissions",
				    .own = &state };

static const struct harness *
harness(void)
{
	struct error e;

	return harness_of(agent.name, &e);
}

static void
forget(void)
{
	harness()->clear(&talk);
	notes_clear();
}

/* Says a turn of one word. */
static void
say(void)
{
	json_t *messages = user_says("hi");

	talk.messages = messages;
	talk.from = 0;
	harness()->say(&talk);
	talk.messages = NULL;
	json_decref(messages);
}

static bool
hear_line(struct str line)
{
	if (str_eq(line, STR("> say")))
		say();
	else if (str_eq(line, STR("> stop")))
		harness()->interrupt(&talk);
	else
		must(claude_line(&talk, line, &e));
	return true;
}

static void
begin_recorded(const char *name)
{
	forget();
}

static const struct harness_kit kit = { .folder = "claude",
					.begin = begin_recorded,
					.hear = hear_line };

static void
is_heard_of(const char *name)
{
	replay_cut(&kit, name, 0);
	must_be_heard_of("claude", name);
}

static void
what_it_says_is_heard(void **state_)
{
	static const char *const names[] = {
		"plain-turn",	 "multi-turn",	     "multibyte",
		"thinking",	 "tool-use",	     "interrupt-tool",
		"cut-retry",	 "cut-resumed",	     "401",
		"429",		 "429-usage-limit",  "500",
		"not-logged-in", "cut-nofallback",   "rate-limit-warning",
		"marked-401",	 "interrupted-text", NULL,
	};

	replay_all(&kit, names);
}

static void
where_its_output_is_cut_makes_no_difference(void **state_)
{
	replay_every_cut(&kit, "multibyte");
}

static void
what_it_does_by_itself_is_not_its_answer(void **state_)
{
	is_heard_of("background-turn");
	is_heard_of("wakeup-turn");
	is_heard_of("folded-prompt");
	is_heard_of("resumed-after-kill");
}

static void
a_turn_of_its_own_is_interrupted_only_while_it_is_under_way(void **state_)
{
	static const char interrupt[] =
		"\"request\":{\"subtype\":\"interrupt\"}";

	forget();
	state.is_ready = true;
	harness()->interrupt_own(&talk);
	assert_int_equal(notes.written.len, 0);
	hear_line(STR("{\"type\":\"command_lifecycle\",\"state\":\"started\","
		      "\"command_uuid\":\"of a timer\"}"));
	must_have_heard_only("alone\n");
	harness()->interrupt_own(&talk);
	must_have_written(interrupt);
	buf_fini(&notes.written);
	hear_line(STR("{\"type\":\"result\",\"is_error\":true,"
		      "\"origin\":{\"kind\":\"timer\"}}"));
	harness()->interrupt_own(&talk);
	assert_int_equal(notes.written.len, 0);
	forget();
}

static void
a_prompt_behind_a_turn_of_its_own_is_taken_back(void **state_)
{
	is_heard_of("recalled-prompt");
	must_have_written("{\"subtype\":\"cancel_async_message\","
			  "\"message_uuid\":\"00000000-0000-4000-8000-"
			  "000000000001\"}");
	assert_null(memmem(notes.written.ptr, notes.written.len,
			   "\"interrupt\"", 11));
}

static void
only_the_turn_that_is_stopped_is_interrupted(void **state_)
{
	is_heard_of("interrupted-text");
	must_have_written("{\"subtype\":\"interrupt\","
			  "\"for_user_message_uuids\":[\"00000000-0000-4000-"
			  "8000-000000000000\"]}");
	assert_null(memmem(notes.written.ptr, notes.written.len,
			   "cancel_async_message", 20));
}

/* The prompt has left the queue when it is to be taken back. */
static void
a_turn_that_begins_too_late_to_be_taken_back_is_interrupted(void **state_)
{
	static const char *const lines[] = {
		"{\"type\":\"command_lifecycle\",\"state\":\"queued\","
		"\"command_uuid\":\"00000000-0000-4000-8000-000000000000\"}",
		"> stop",
		"{\"type\":\"control_response\",\"response\":{\"subtype\":"
		"\"success\",\"request_id\":\"recall\",\"response\":"
		"{\"cancelled\":false}}}",
	};

	forget();
	say();
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		hear_line(str_of(lines[i]));
	assert_null(memmem(notes.written.ptr, notes.written.len,
			   "\"interrupt\"", 11));
	hear_line(STR("{\"type\":\"command_lifecycle\",\"state\":\"started\","
		      "\"command_uuid\":"
		      "\"00000000-0000-4000-8000-000000000000\"}"));
	must_have_written("\"interrupt\"");
	forget();
}

/* A version that does not know how to take a prompt back marks nothing. */
static void
a_version_that_marks_nothing_is_interrupted_at_once(void **state_)
{
	forget();
	say();
	hear_line(STR("> stop"));
	hear_line(STR("{\"type\":\"control_response\",\"response\":"
		      "{\"subtype\":\"error\",\"request_id\":\"recall\","
		      "\"error\":\"unknown\"}}"));
	must_have_written("\"interrupt\"");
	forget();
}

static void
a_prompt_that_it_refuses_is_a_turn_that_failed(void **state_)
{
	forget();
	say();
	hear_line(STR("{\"type\":\"command_lifecycle\",\"state\":\"refused\","
		      "\"command_uuid\":"
		      "\"00000000-0000-4000-8000-000000000000\"}"));
	must_have_heard_only("fail HARNESS claude: it did not take the prompt "
			     "(refused)\n");
	forget();
}

static void
whatever_it_says_to_a_resume_but_yes_means_that_it_is_lost(void **state_)
{
	struct error e = { 0 };

	talk.resumed = true;
	is_heard_of("resume-unknown");
	is_heard_of("resume-unknown-position");
	forget();
	harness()->ended(&talk, 1 << 8, STR(""), &e);
	must_have_heard_only("lost\n");
	forget();
	harness()->ended(&talk, SIGKILL, STR(""), &e);
	must_have_heard_only("");
	talk.resumed = false;
	harness()->ended(&talk, 1 << 8, STR(""), &e);
	must_have_heard_only("");
}

static void
a_start_that_fails_without_a_resume_is_explained(void **state_)
{
	forget();
	hear_line(STR("{\"type\":\"result\",\"subtype\":"
		      "\"error_during_execution\",\"is_error\":true,"
		      "\"errors\":[\"the stars are wrong\"]}"));
	must_have_heard_only("fail HARNESS claude: the stars are wrong\n");
	forget();
}

static void
what_is_not_known_is_counted_and_passed_over(void **state_)
{
	forget();
	must(claude_line(&talk, STR("{\"type\":\"tomorrow\"}"), &e));
	must(claude_line(&talk, STR("{\"type\":7}"), &e));
	must(claude_line(&talk, STR("[1]"), &e));
	must(claude_line(&talk, STR("{\"type\":\"keep_alive\"}"), &e));
	must(claude_line(&talk, STR("(node) a warning"), &e));
	must(claude_line(&talk, STR(""), &e));
	say();
	must(claude_line(&talk,
			 STR("{\"type\":\"stream_event\",\"event\":{\"type\":"
			     "\"message_start\"}}"),
			 &e));
	must(claude_line(&talk,
			 STR("{\"type\":\"stream_event\",\"event\":{\"type\":"
			     "\"content_block_delta\",\"delta\":{\"type\":"
			     "\"song_delta\"}}}"),
			 &e));
	must_have_heard_only("unknown event tomorrow\n"
			     "unknown event without a type\n"
			     "unknown event without a type\n"
			     "unknown delta song_delta\n");
}

/* What it finishes with it must have been told by the CLI. */
static void
hear_mutant(struct str said)
{
	static const char ending[] = "\nfinish stop";
	struct str line, rest = said;
	struct error e;

	forget();
	while (rest.len) {
		line = str_cut(rest, '\n', &rest);
		if (str_eq(line, STR("> say")))
			say();
		else if (!claude_line(&talk, line, &e))
			return;
	}
	if (!memmem(buf_str(&notes.heard).ptr, notes.heard.len, ending,
		    sizeof ending - 1))
		return;
	assert_non_null(memmem(said.ptr, said.len, "\"type\":\"result\"", 15));
	assert_non_null(memmem(said.ptr, said.len, "\"is_error\":false", 16));
}

static void
another_version_of_it_is_no_worse(void **state_)
{
	static const char *const names[] = {
		"plain-turn",
		"tool-use",
		"cut-resumed",
		"429-usage-limit",
		"background-turn",
		"resume-unknown",
		NULL,
	};

	replay_mutants(&kit, names, hear_mutant);
	forget();
}

static void
a_line_that_is_damaged_is_not_passed_over(void **state_)
{
	must_fail(ERR_HARNESS, "claude: it wrote a line that is not valid JSON",
		  claude_line(&talk, STR("{\"type\":\"\\ud83d\"}"), &e));
}

/* The content of the prompt that says `text`, to a CLI of that version. */
static const char *
prompt_to(const char *version, const char *text)
{
	json_t *messages = json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user",
				     "content", "type", "text", "text", text);
	auto_free char *reply = copy_format(
		"{\"type\":\"control_response\",\"response\":{\"request_id\":"
		"\"greet\",\"response\":{\"claude_code_version\":\"%s\"}}}",
		version);

	forget();
	must(claude_line(&talk, str_of(reply), &e));
	talk.messages = messages;
	harness()->say(&talk);
	talk.messages = NULL;
	json_decref(messages);
	buf_print(&notes.written, "%c", '\0');
	return notes.written.ptr;
}

static void
the_users_text_is_inert(void **state_)
{
	static const char *const active[] = { "/clear", " /clear", "!ls",
					      "# note", "look at @secret.txt" };
	static const char guard[] = "(end of the message)";
	const char *tested = harness()->tested;

	for (size_t i = 0; i < sizeof active / sizeof *active; i++) {
		assert_non_null(strstr(prompt_to(tested, active[i]),
				       "\"client_composed\":true"));
		assert_null(strstr(prompt_to(tested, active[i]), guard));
		assert_non_null(strstr(prompt_to("1.0.0", active[i]), guard));
	}
	assert_null(strstr(prompt_to("1.0.0", "hello"), guard));
	forget();
}

static void
nothing_of_the_callers_is_in_an_argument(void **state_)
{
	struct words argv = { 0 }, env = { 0 };
	struct conversation t = { .instance = &agent,
				  .executor = (struct executor *)&host_executor,
				  .own = &state,
				  .cli_id = "id",
				  .kept = true,
				  .permission_mode = "plan",
				  .system = "SECRET",
				  .model = "SECRET" };

	must(harness()->command(&t, &argv, &env, &e));
	for (size_t i = 0; i < argv.len; i++)
		assert_null(strstr(argv.ptr[i], "SECRET"));
	words_fini(&argv);
	words_fini(&env);
}

static void
it_resumes_from_its_last_good_turn(void **state_)
{
	struct words argv = { 0 }, env = { 0 };
	struct conversation t = { .instance = &agent,
				  .executor = (struct executor *)&host_executor,
				  .own = &state,
				  .cli_id = "id",
				  .kept = true,
				  .resumed = true,
				  .position = "here",
				  .permission_mode = "plan" };

	must(harness()->command(&t, &argv, &env, &e));
	assert_string_equal(argv.ptr[argv.len - 4], "--resume");
	assert_string_equal(argv.ptr[argv.len - 3], "id");
	assert_string_equal(argv.ptr[argv.len - 2], "--resume-session-at");
	assert_string_equal(argv.ptr[argv.len - 1], "here");
	words_fini(&argv);
	words_fini(&env);
}

static void
what_was_taken_back_stays_in_other_records(void **state_)
{
	struct words argv = { 0 }, env = { 0 };
	struct conversation t = { .instance = &agent,
				  .executor = (struct executor *)&host_executor,
				  .own = &state,
				  .cli_id = "id",
				  .kept = true,
				  .resumed = true,
				  .position = "here",
				  .is_rewound = true,
				  .permission_mode = "plan" };

	notes_clear();
	must(harness()->command(&t, &argv, &env, &e));
	assert_string_equal(argv.ptr[argv.len - 6], "id");
	assert_string_equal(argv.ptr[argv.len - 4], "here");
	assert_string_equal(argv.ptr[argv.len - 3], "--fork-session");
	assert_string_equal(argv.ptr[argv.len - 2], "--session-id");
	assert_string_equal(argv.ptr[argv.len - 1], t.cli_id);
	assert_string_not_equal(t.cli_id, "id");
	words_fini(&argv);
	words_fini(&env);
}

/* The arguments of a new talk, one a line, and its variables. */
static const char *
command_of(struct conversation *c)
{
	static struct buf all = BUF_INIT(1 << 16);
	struct words argv = { 0 }, env = { 0 };

	buf_fini(&all);
	must(harness()->command(c, &argv, &env, &e));
	for (size_t i = 0; i < argv.len; i++)
		buf_print(&all, "<%s>", argv.ptr[i]);
	for (size_t i = 0; i < env.len; i++)
		buf_print(&all, "[%s]", env.ptr[i]);
	buf_print(&all, "%c", '\0');
	words_fini(&argv);
	words_fini(&env);
	return all.ptr;
}

static void
what_it_loads_is_what_it_may(void **state_)
{
	struct conversation t = talk;

	t.cli_id = "id";
	agent.loads = LOADS_NOTHING;
	assert_non_null(strstr(command_of(&t),
			       "<--setting-sources><><--strict-mcp-config>"));
	assert_non_null(
		strstr(command_of(&t), "[CLAUDE_CODE_DISABLE_AUTO_MEMORY=1]"));
	agent.loads = LOADS_PROJECT;
	assert_non_null(strstr(command_of(&t), "<--setting-sources><project>"));
	assert_non_null(
		strstr(command_of(&t), "[CLAUDE_CODE_DISABLE_AUTO_MEMORY=1]"));
	assert_null(strstr(command_of(&t), "--strict-mcp-config"));
	agent.loads = LOADS_EVERYTHING;
	assert_null(strstr(command_of(&t), "--setting-sources"));
	assert_null(strstr(command_of(&t), "AUTO_MEMORY"));
	assert_int_equal(harness()->loads,
			 LOADS_NOTHING | LOADS_PROJECT | LOADS_EVERYTHING);
}

static void
only_the_most_permissive_mode_permits(void **state_)
{
	static const char question[] =
		"{\"type\":\"control_request\",\"request_id\":\"q\","
		"\"request\":"
		"{\"subtype\":\"can_use_tool\",\"input\":{\"a\":1}}}";

	forget();
	must(claude_line(&talk, str_of(question), &e));
	must_have_written("\"allow\",\"updatedInput\":{\"a\":1}");
	notes_clear();
	talk.permission_mode = "plan";
	must(claude_line(&talk, str_of(question), &e));
	talk.permission_mode = "bypassPermissions";
	must_have_written("\"behavior\":\"deny\"");
}

/* claudish: the same program, and another account. */

static char directory[] = "/tmp/claudish-XXXXXX";

static char *
settings_text(void)
{
	auto_free char *path = copy_format("%s/settings.json", directory);
	char text[4096];
	size_t n;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	unlink(path);
	text[n] = '\0';
	return copy(str_of(text));
}

static void
claudish_gets_no_account_of_the_users(void **state_)
{
	struct conversation t = talk;
	struct words argv = { 0 }, env = { 0 };
	auto_free char *settings = NULL;

	forget();
	agent.name = "claudish";
	t.cli_id = "id";
	t.scratch = directory;
	t.executor = (struct executor *)&host_executor;
	t.model = "openrouter@deepseek/deepseek-r1";
	setenv("CLAUDISH_URL", "http://127.0.0.1:3456", 1);
	words_add(&env, "ANTHROPIC_AUTH_TOKEN=claudish");
	must(harness()->command(&t, &argv, &env, &e));
	settings = settings_text();
	assert_non_null(strstr(settings, "\"apiKeyHelper\":\"\""));
	assert_non_null(strstr(settings, "\"ANTHROPIC_BASE_URL\":"
					 "\"http://127.0.0.1:3456\""));
	assert_non_null(
		strstr(settings, "\"ANTHROPIC_AUTH_TOKEN\":\"claudish\""));
	assert_non_null(strstr(settings, "\"ANTHROPIC_API_KEY\":\"\""));
	assert_string_equal(state.said_model, t.model);
	assert_string_equal(env.ptr[1],
			    "ANTHROPIC_BASE_URL=http://127.0.0.1:3456");
	words_fini(&argv);
	words_fini(&env);
	forget();
	agent.name = "claude";
}

static void
claudish_must_be_told_where_it_is_and_which_model(void **state_)
{
	struct conversation t = talk;
	struct words argv = { 0 }, env = { 0 };

	agent.name = "claudish";
	t.cli_id = "id";
	t.scratch = directory;
	t.executor = (struct executor *)&host_executor;
	unsetenv("CLAUDISH_URL");
	must_fail(ERR_NOT_SET_UP,
		  "claudish: set CLAUDISH_URL to where claudish serve listens",
		  harness()->command(&t, &argv, &env, &e));
	setenv("CLAUDISH_URL", "http://127.0.0.1:3456", 1);
	words_fini(&argv);
	must(harness()->command(&t, &argv, &env, &e));
	free(settings_text());
	harness()->say(&t);
	must_have_heard_only("fail NO_MODEL claudish: name a model, such as "
			     "\"claudish/openrouter@deepseek/deepseek-r1\"\n");
	words_fini(&argv);
	words_fini(&env);
	forget();
	agent.name = "claude";
}

static void
what_claudish_was_refused_is_told_from_its_words(void **state_)
{
	static const struct {
		const char *words, *heard;
	} cases[] = {
		{ "API Error: 400 LiteLLM error (HTTP 401): Check",
		  "fail LOGIN claudish: " },
		{ "API Error: 400 LiteLLM error (HTTP 404): Verify",
		  "fail NO_MODEL claudish: " },
		{ "API Error: 400 Explicit model \\\"a@b\\\" could not be "
		  "routed",
		  "fail NO_MODEL claudish: " },
		{ "API Error: 400 what?", "fail INVALID claudish: " },
	};

	agent.name = "claudish";
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_free char *line = copy_format(
			"{\"type\":\"result\",\"is_error\":true,"
			"\"api_error_status\":400,\"result\":\"%s\"}",
			cases[i].words);

		forget();
		say();
		must(claude_line(&talk, str_of(line), &e));
		assert_memory_equal(notes.heard.ptr, cases[i].heard,
				    strlen(cases[i].heard));
	}
	forget();
	agent.name = "claude";
}

static void
a_model_that_a_cancelled_turn_has_asked_for_is_taken_back(void **state_)
{
	forget();
	talk.model = "opus";
	say();
	must_have_written("model-1");
	harness()->interrupt(&talk);
	talk.model = NULL;
	say();
	must_have_written("model-2");
	forget();
}

static const char with_everything[] =
	"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"ask\"},"
	"{\"type\":\"image\",\"url\":\"https://a/b\"},"
	"{\"type\":\"file\",\"media_type\":\"application/pdf\",\"data\":"
	"\"BBBB\",\"name\":\"p.pdf\"}]},"
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

/* Nothing of a history is left out of the file that the CLI resumes. */
static void
a_history_has_every_part_in_it(void **state_)
{
	static const char *const lines[] = {
		"[{\"type\":\"text\",\"text\":\"ask\"},{\"type\":\"image\","
		"\"source\":{\"type\":\"url\",\"url\":\"https://a/b\"}},"
		"{\"type\":\"document\",\"title\":\"p.pdf\",\"source\":{"
		"\"type\":\"base64\",\"media_type\":\"application/pdf\","
		"\"data\":\"BBBB\"}}]",
		"[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"tool_use\","
		"\"id\":\"c1\",\"name\":\"f\",\"input\":{\"at\":\"x\\u0000y\"}}"
		","
		"{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":"
		"{\"arguments\":\"no json\"}}]",
		"[{\"type\":\"tool_result\",\"tool_use_id\":\"c1\",\"content\":"
		"["
		"{\"type\":\"text\",\"text\":\"a\\u0000b\"},{\"type\":"
		"\"image\","
		"\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","
		"\"data\":\"AAAA\"}}],\"is_error\":true},{\"type\":\"tool_"
		"result\","
		"\"tool_use_id\":\"c2\",\"content\":\"\"}]",
	};
	json_t *messages = json_loads(with_everything, JSON_ALLOW_NUL, NULL);

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		json_t *blocks = history_blocks(json_object_get(
			json_array_get(messages, i), "content"));
		auto_free char *text = json_dumps(blocks, JSON_COMPACT);

		assert_string_equal(text, lines[i]);
		json_decref(blocks);
	}
	json_decref(messages);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_is_heard),
		cmocka_unit_test(what_it_does_by_itself_is_not_its_answer),
		cmocka_unit_test(
			a_turn_of_its_own_is_interrupted_only_while_it_is_under_way),
		cmocka_unit_test(
			a_prompt_behind_a_turn_of_its_own_is_taken_back),
		cmocka_unit_test(only_the_turn_that_is_stopped_is_interrupted),
		cmocka_unit_test(
			a_turn_that_begins_too_late_to_be_taken_back_is_interrupted),
		cmocka_unit_test(
			a_version_that_marks_nothing_is_interrupted_at_once),
		cmocka_unit_test(
			a_prompt_that_it_refuses_is_a_turn_that_failed),
		cmocka_unit_test(
			whatever_it_says_to_a_resume_but_yes_means_that_it_is_lost),
		cmocka_unit_test(
			a_start_that_fails_without_a_resume_is_explained),
		cmocka_unit_test(where_its_output_is_cut_makes_no_difference),
		cmocka_unit_test(what_is_not_known_is_counted_and_passed_over),
		cmocka_unit_test(another_version_of_it_is_no_worse),
		cmocka_unit_test(a_line_that_is_damaged_is_not_passed_over),
		cmocka_unit_test(the_users_text_is_inert),
		cmocka_unit_test(
			a_model_that_a_cancelled_turn_has_asked_for_is_taken_back),
		cmocka_unit_test(nothing_of_the_callers_is_in_an_argument),
		cmocka_unit_test(it_resumes_from_its_last_good_turn),
		cmocka_unit_test(what_was_taken_back_stays_in_other_records),
		cmocka_unit_test(what_it_loads_is_what_it_may),
		cmocka_unit_test(only_the_most_permissive_mode_permits),
		cmocka_unit_test(claudish_gets_no_account_of_the_users),
		cmocka_unit_test(
			claudish_must_be_told_where_it_is_and_which_model),
		cmocka_unit_test(
			what_claudish_was_refused_is_told_from_its_words),
		cmocka_unit_test(a_history_has_every_part_in_it),
	};
	int failed;

	if (!mkdtemp(directory))
		return 1;
	notes.counts_uuids = true;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return rmdir(directory) < 0 || failed;
}
