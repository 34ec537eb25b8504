/*
 * What workers/amp makes of what the CLI says: data/amp/<name>.jsonl is what
 * the stand-in said, <name>.heard is what must be heard of it.
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/wait.h>

#include "tests/unit/mutants.h"
#include "tests/unit/conversation_notes.h"
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

static struct str
read_file(const char *name, const char *ending)
{
	static char files[2][1 << 16];
	static unsigned turn;
	char *buf = files[turn++ % 2], path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, DATA "/amp/%s.%s", name, ending);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: no such file", path);
	n = fread(buf, 1, sizeof files[0], f);
	fclose(f);
	return (struct str){ buf, n };
}

/* After a change that is meant: RECORD=1, and then read the difference. */
static void
record(const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, DATA "/amp/%s.heard", name);
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(notes.heard.ptr, 1, notes.heard.len, f);
	fclose(f);
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
must_have_heard(struct str want)
{
	assert_int_equal(notes.heard.len, want.len);
	assert_memory_equal(buf_str(&notes.heard).ptr, want.ptr, want.len);
}

static void
what_it_says_is_heard(void **state_)
{
	static const char *const names[] = { "plain-turn", "tool-use",
					     "thinking", "cut-length", "429" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		forget();
		must(hear(read_file(names[i], "jsonl"), &e));
		if (getenv("RECORD"))
			record(names[i]);
		must_have_heard(read_file(names[i], "heard"));
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
	must_have_heard(STR("unknown event tomorrow\n"
			    "unknown event without a type\n"
			    "unknown event without a type\n"
			    "unknown block song\n"));
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
	mutants_each(read_file("tool-use", "jsonl"), hear_mutant);
	mutants_each(read_file("thinking", "jsonl"), hear_mutant);
	mutants_each(read_file("429", "jsonl"), hear_mutant);
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
	must_have_heard(STR("fail HARNESS amp: the answer is empty (no stream "
			    "output)\n"));
	forget();
	must(hear(STR("{\"type\":\"result\",\"is_error\":false,\"result\":"
		      "\"yes\"}\n"),
		  &e));
	must_have_heard(STR("text yes\nfinish stop, ? + ? tokens, by ?\n"));
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
	must_have_heard(STR(
		"fail UNSUPPORTED the harness has no way to say a part of the "
		"type image\n"));
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
