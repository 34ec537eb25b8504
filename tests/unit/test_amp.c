/*
 * What workers/amp makes of what the CLI says: data/amp/<name>.jsonl is what
 * the stand-in said, <name>.heard is what must be heard of it.
 */

#include "tests/unit/harness_kit.h"

#include <stdio.h>
#include <sys/wait.h>

#include "workers/amp/amp.h"

static struct amp state;
static struct instance agent = { .name = "amp", .loads = LOADS_EVERYTHING };
static struct conversation talk;

static const struct harness *
harness(void)
{
	struct error e;

	return harness_of("amp", &e);
}

static void
forget(void)
{
	harness()->clear(&talk);
	notes_clear();
	talk.cli_id = "id";
	talk.resumed = false;
	talk.kept = true;
	talk.model = NULL;
}

static bool
hear(struct str said, struct error *e)
{
	struct str line;

	while (said.len) {
		line = str_cut(said, '\n', &said);
		if (!amp_line(&talk, line, e))
			return false;
	}
	return true;
}

static void
what_it_says_is_heard(void **state_)
{
	static const char *const names[] = { "plain-turn", "tool-use",
					     "thinking", "cut-length", "429" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		forget();
		must(hear(recorded("amp", names[i], "jsonl"), &e));
		must_be_heard_of("amp", names[i]);
	}
}

static void
what_is_not_known_is_counted_and_passed_over(void **state_)
{
	forget();
	must(hear(STR("{\"type\":\"tomorrow\"}\n{\"type\":7}\n[1]\nwords\n\n"
		      "{\"type\":\"assistant\",\"message\":{\"content\":"
		      "[{\"type\":\"song\"}]}}\n"),
		  &e));
	must_have_heard_only("unknown event tomorrow\n"
			     "unknown event without a type\n"
			     "unknown event without a type\n"
			     "unknown block song\n");
}

static void
hear_mutant(struct str said)
{
	struct error e;

	forget();
	if (!hear(said, &e) || !memmem(buf_str(&notes.heard).ptr,
				       notes.heard.len, "finish stop", 11))
		return;
	assert_non_null(memmem(said.ptr, said.len, "\"type\":\"result\"", 15));
	assert_non_null(memmem(said.ptr, said.len, "\"is_error\":false", 16));
}

static void
another_version_of_it_is_no_worse(void **state_)
{
	mutants_each(recorded("amp", "tool-use", "jsonl"), hear_mutant);
	mutants_each(recorded("amp", "thinking", "jsonl"), hear_mutant);
	mutants_each(recorded("amp", "429", "jsonl"), hear_mutant);
	forget();
}

static void
a_line_that_is_damaged_is_not_passed_over(void **state_)
{
	forget();
	must_fail(ERR_HARNESS, "amp: it wrote a line that is not valid JSON",
		  hear(STR("{\"type\":\"\\ud83d\"}\n"), &e));
}

static void
an_answer_without_a_word_is_no_answer(void **state_)
{
	forget();
	must(hear(STR("{\"type\":\"result\",\"is_error\":false,\"result\":"
		      "\"\"}\n"),
		  &e));
	must_have_heard_only("fail HARNESS amp: the answer is empty (no stream "
			     "output)\n");
	forget();
	must(hear(STR("{\"type\":\"result\",\"is_error\":false,\"result\":"
		      "\"yes\"}\n"),
		  &e));
	must_have_heard_only("text yes\nfinish stop, ? + ? tokens, by ?\n");
}

/* Those of its sub-agents, too; and what a cache has is part of the input. */
static void
the_tokens_of_all_its_answers_count(void **state_)
{
	forget();
	must(hear(STR("{\"type\":\"assistant\",\"message\":{\"usage\":{"
		      "\"input_tokens\":10,\"output_tokens\":2,"
		      "\"cache_read_input_tokens\":400}}}\n"
		      "{\"type\":\"assistant\",\"parent_tool_use_id\":\"t\","
		      "\"message\":{\"usage\":{\"input_tokens\":1,"
		      "\"output_tokens\":3,"
		      "\"cache_creation_input_tokens\":30}}}\n"
		      "{\"type\":\"result\",\"is_error\":false,\"result\":"
		      "\"yes\"}\n"),
		  &e));
	must_have_heard_only(
		"text yes\nfinish stop, 441 + 5 tokens, 400 from a "
		"cache, 30 into a cache, by ?\n");
}

static void
it_is_not_waited_for_a_login(void **state_)
{
	forget();
	must_fail(ERR_LOGIN,
		  "amp: not logged in (set AMP_ENV_AMP_API_KEY, or run amp "
		  "login)",
		  hear(STR("No API key found. Starting login flow...\n"), &e));
	must_fail(ERR_LOGIN,
		  "amp: not logged in (set AMP_ENV_AMP_API_KEY, or run amp "
		  "login)",
		  hear(STR("https://ampcode.com/auth/cli-login?authToken=0\n"),
		       &e));
}

static void
what_it_died_of_is_told_from_its_words(void **state_)
{
	struct error e = { 0 };

	forget();
	harness()->ended(&talk, W_EXITCODE(1, 0),
			 STR("Error: Invalid or missing API key. Run 'amp "
			     "login' to authenticate."),
			 &e);
	assert_int_equal(e.code, ERR_LOGIN);
	harness()->ended(&talk, W_EXITCODE(1, 0),
			 STR("Error: Cannot reach Amp servers. Are you "
			     "offline?"),
			 &e);
	assert_int_equal(e.code, ERR_UPSTREAM);
	harness()->ended(&talk, W_EXITCODE(0, 0), STR(""), &e);
	assert_int_equal(e.code, ERR_TRUNCATED);
	harness()->ended(&talk, W_EXITCODE(1, 0), STR("Error: what?"), &e);
	assert_int_equal(e.code, ERR_HARNESS);
}

static const char *
command_of(void)
{
	static struct buf all = BUF_INIT(1 << 16);
	struct words argv = { 0 }, env = { 0 };

	buf_fini(&all);
	must(harness()->command(&talk, &argv, &env, &e));
	for (size_t i = 0; i < argv.len; i++)
		buf_print(&all, "<%s>", argv.ptr[i]);
	buf_print(&all, "%c", '\0');
	words_fini(&argv);
	words_fini(&env);
	harness()->clear(&talk);
	return all.ptr;
}

static void
a_session_is_a_thread_that_is_continued(void **state_)
{
	forget();
	assert_null(strstr(command_of(), "<threads>"));
	assert_non_null(strstr(command_of(), "<--no-archive-after-execute>"));
	talk.kept = false;
	assert_null(strstr(command_of(), "<--no-archive-after-execute>"));
	talk.resumed = true;
	assert_non_null(strstr(command_of(), "<threads><continue><id>"));
	talk.model = "low";
	assert_non_null(strstr(command_of(), "<--mode=low>"));
}

static void
say(const char *messages)
{
	json_t *all = json_loads(messages, 0, NULL);

	assert_non_null(all);
	talk.messages = all;
	talk.from = 0;
	harness()->say(&talk);
	talk.messages = NULL;
	json_decref(all);
}

static void
what_is_said_ends_its_input(void **state_)
{
	static const char want[] =
		"{\"type\": \"user\", \"message\": {\"role\": \"user\", "
		"\"content\": [{\"type\": \"text\", \"text\": \"hi\"}]}}";
	json_t *line, *wanted = json_loads(want, 0, NULL);

	forget();
	say("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	    "\"hi\"}]}]");
	line = json_loadb(notes.written.ptr, notes.written.len, 0, NULL);
	assert_true(json_equal(line, wanted));
	assert_true(notes.input_ended);
	json_decref(line);
	json_decref(wanted);
}

static void
an_image_is_refused(void **state_)
{
	forget();
	say("[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"url\":"
	    "\"data:\"}]}]");
	must_have_heard_only(
		"fail UNSUPPORTED the harness has no way to say a part of the "
		"type image\n");
	assert_false(notes.input_ended);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_is_heard),
		cmocka_unit_test(what_is_not_known_is_counted_and_passed_over),
		cmocka_unit_test(another_version_of_it_is_no_worse),
		cmocka_unit_test(a_line_that_is_damaged_is_not_passed_over),
		cmocka_unit_test(an_answer_without_a_word_is_no_answer),
		cmocka_unit_test(the_tokens_of_all_its_answers_count),
		cmocka_unit_test(it_is_not_waited_for_a_login),
		cmocka_unit_test(what_it_died_of_is_told_from_its_words),
		cmocka_unit_test(a_session_is_a_thread_that_is_continued),
		cmocka_unit_test(what_is_said_ends_its_input),
		cmocka_unit_test(an_image_is_refused),
	};

	talk = (struct conversation){ .instance = &agent,
				      .permission_mode =
					      "dangerously-allow-all",
				      .own = &state };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
