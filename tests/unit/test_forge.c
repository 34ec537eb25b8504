/*
 * What workers/forge makes of what the CLI prints: data/forge/<name>.txt is
 * what the stand-in printed, <name>.heard is what must be heard of it.
 */

#include "tests/unit/harness_kit.h"

#include <stdio.h>
#include <sys/wait.h>

#include "workers/forge/forge.h"

#define ID "11111111-1111-4111-8111-111111111111"
#define TITLE(words) "\x1b[36m●\x1b[0m \x1b[2m[22:31:52] \x1b[0m" words "\n"
#define FINISHED TITLE("\x1b[2mFinished\x1b[0m \x1b[2m" ID "\x1b[0m")

static struct forge state;
static struct instance agent = { .name = "forge", .loads = LOADS_EVERYTHING };
static struct conversation talk;

static const struct harness *
harness(void)
{
	struct error e;

	return harness_of("forge", &e);
}

static void
forget(void)
{
	harness()->clear(&talk);
	notes_clear();
	talk.cli_id = ID;
	talk.resumed = false;
	talk.model = NULL;
	talk.permission_mode = "unrestricted";
}

static void
hear(struct str said)
{
	struct str line;

	while (said.len) {
		line = str_cut(said, '\n', &said);
		must(forge_line(&talk, line, &e));
	}
}

/* What it fails with then; ERR_NONE if it has finished. */
static enum error_code
end(int status, struct str last_words)
{
	struct error e = { 0 };

	harness()->ended(&talk, status, last_words, &e);
	return e.code;
}

static void
what_it_prints_is_heard(void **state_)
{
	static const char *const names[] = { "plain-turn", "tool-use",
					     "thinking" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		forget();
		hear(recorded("forge", names[i], "txt"));
		assert_int_equal(end(0, STR("")), ERR_NONE);
		must_be_heard_of("forge", names[i]);
	}
}

/* Without the whole of the last line nothing is finished. */
static void
what_is_cut_off_is_not_finished(void **state_)
{
	struct str said = recorded("forge", "plain-turn", "txt");

	for (size_t len = 0; len + sizeof "\x1b[0m" < said.len; len++) {
		forget();
		hear((struct str){ said.ptr, len });
		assert_int_equal(end(0, STR("")), ERR_TRUNCATED);
		assert_null(memmem(buf_str(&notes.heard).ptr, notes.heard.len,
				   "finish", 6));
	}
}

static void
its_exit_code_alone_says_nothing(void **state_)
{
	forget();
	hear(STR(TITLE("Initialize " ID)));
	assert_int_equal(end(0, STR("\x1b[31m●\x1b[0m \x1b[2m[22:31:52] "
				    "\x1b[0m\x1b[31m\x1b[1mERROR:\x1b[0m 429 "
				    "Too Many Requests\x1b[0m")),
			 ERR_RATE_LIMIT);
	assert_int_equal(end(0, STR("ERROR: 401 Unauthorized")), ERR_LOGIN);
	assert_int_equal(
		end(0, STR("ERROR: No default provider and model configured.")),
		ERR_LOGIN);
	assert_int_equal(end(0, STR("ERROR: 500 Internal")), ERR_UPSTREAM);
	assert_int_equal(end(0, STR("ERROR: the job 1429 is lost")),
			 ERR_HARNESS);
}

static void
a_finished_turn_that_failed_to_end_is_not_finished(void **state_)
{
	forget();
	hear(STR("yes\n" FINISHED));
	assert_int_equal(end(W_EXITCODE(1, 0), STR("ERROR: disk full")),
			 ERR_HARNESS);
	forget();
	hear(STR(FINISHED));
	assert_int_equal(end(0, STR("")), ERR_HARNESS);
}

static void
only_the_conversations_own_name_ends_it(void **state_)
{
	forget();
	hear(STR("● [22:31:52] Finished " ID "\n"
		 "\x1b[36m●\x1b[0m Finished " ID "\n" TITLE("Finished other")));
	assert_int_equal(end(0, STR("")), ERR_TRUNCATED);
	must_have_heard_only("text ● [22:31:52] Finished " ID "\n● Finished " ID
			     "\n"
			     "tool {\"id\":\"forge-1\",\"name\":\"Finished\","
			     "\"arguments\":\"other\"}\n");
}

static void
a_second_try_does_not_double_what_was_said(void **state_)
{
	forget();
	hear(STR(TITLE("\x1b[31mERROR: 503\x1b[0m") "yes\n"));
	must_have_heard_only("text yes");
	hear(STR(TITLE("\x1b[31mERROR: 503\x1b[0m")));
	must_have_heard_only("text yes\nabort TRUNCATED forge: ERROR: 503\n");
}

static void
a_conversation_that_was_forgotten_is_not_gone_on_with(void **state_)
{
	forget();
	talk.resumed = true;
	hear(STR(TITLE("Initialize " ID) "yes\n" FINISHED));
	assert_int_equal(end(0, STR("")), ERR_HARNESS);
	forget();
	talk.resumed = true;
	hear(STR(TITLE("Continue " ID) "yes\n" FINISHED));
	assert_int_equal(end(0, STR("")), ERR_NONE);
}

static void
say(const char *text)
{
	json_t *all = json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user",
				"content", "type", "text", "text", text);

	talk.messages = all;
	talk.from = 0;
	harness()->say(&talk);
	talk.messages = NULL;
	json_decref(all);
}

static void
a_file_is_not_read_because_a_prompt_names_it(void **state_)
{
	forget();
	say("see @[secret.txt] and @[, /help, @[");
	assert_true(notes.input_ended);
	assert_memory_equal(notes.written.ptr,
			    "see @ [secret.txt] and @ [, /help, @ [\n",
			    notes.written.len);
}

static void
what_a_tool_prints_that_is_no_text_is_marked(void **state_)
{
	forget();
	hear(STR("caf\xe9 \xc3\xa9\xff\n"));
	must_have_heard_only("text caf\xef\xbf\xbd \xc3\xa9\xef\xbf\xbd");
}

/* What it was told before must not be answered without it. */
static void
a_prompt_that_cannot_be_said_is_not_said_in_part(void **state_)
{
	json_t *all =
		json_pack("[{s:s, s:[{s:s, s:s}]}, {s:s, s:[{s:s}]}]", "role",
			  "user", "content", "type", "text", "text", "go on",
			  "role", "user", "content", "type", "image");

	forget();
	talk.messages = all;
	harness()->say(&talk);
	talk.messages = NULL;
	json_decref(all);
	must_have_heard_only(
		"abort UNSUPPORTED the harness has no way to say a part of the "
		"type image\n");
	assert_false(notes.input_ended);
}

static void
its_model_and_what_it_may_are_settings(void **state_)
{
	struct words argv = { 0 }, env = { 0 };

	forget();
	talk.model = "anthropic/claude-x/y";
	must(harness()->command(&talk, &argv, &env, &e));
	assert_int_equal(argv.len, 2);
	assert_string_equal(env.ptr[0], "FORGE_RESTRICTED=false");
	assert_string_equal(env.ptr[1], "FORGE_SESSION__PROVIDER_ID=anthropic");
	assert_string_equal(env.ptr[2], "FORGE_SESSION__MODEL_ID=claude-x/y");
	words_fini(&argv);
	words_fini(&env);
	forget();
	talk.model = "claude";
	must_fail(ERR_NO_MODEL, "forge: a model is \"provider/model\"",
		  harness()->command(&talk, &argv, &env, &e));
	words_fini(&argv);
	words_fini(&env);
	forget();
	talk.model = NULL;
	talk.permission_mode = "restricted";
	must(harness()->command(&talk, &argv, &env, &e));
	assert_string_equal(env.ptr[0], "FORGE_RESTRICTED=true");
	words_fini(&argv);
	words_fini(&env);
	forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_prints_is_heard),
		cmocka_unit_test(what_is_cut_off_is_not_finished),
		cmocka_unit_test(its_exit_code_alone_says_nothing),
		cmocka_unit_test(
			a_finished_turn_that_failed_to_end_is_not_finished),
		cmocka_unit_test(only_the_conversations_own_name_ends_it),
		cmocka_unit_test(a_second_try_does_not_double_what_was_said),
		cmocka_unit_test(
			a_conversation_that_was_forgotten_is_not_gone_on_with),
		cmocka_unit_test(a_file_is_not_read_because_a_prompt_names_it),
		cmocka_unit_test(what_a_tool_prints_that_is_no_text_is_marked),
		cmocka_unit_test(
			a_prompt_that_cannot_be_said_is_not_said_in_part),
		cmocka_unit_test(its_model_and_what_it_may_are_settings),
	};

	talk = (struct conversation){ .instance = &agent, .own = &state };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
