/*
 * What workers/claude makes of what the CLI says: data/claude/<name>.jsonl is
 * what was said, <name>.heard is what must be heard of it.
 */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "tests/unit/talk_notes.h"
#include "workers/claude/claude.h"
#include "workers/lines.h"

static struct claude state;
static struct talk talk = { .state = &state };

static struct str
read_file(const char *name, const char *ending)
{
	static char files[2][1 << 20];
	static unsigned turn;
	char *buf = files[turn++ % 2], path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, DATA "/claude/%s.%s", name, ending);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: no such file", path);
	n = fread(buf, 1, sizeof files[0], f);
	fclose(f);
	return (struct str){ buf, n };
}

static void
hear(struct lines *lines, struct str piece)
{
	struct str line;
	char *room;

	must(lines_room(lines, piece.len, &room, &e));
	memcpy(room, piece.ptr, piece.len);
	lines_added(lines, piece.len);
	while (lines_next(lines, &line))
		must(claude_line(&talk, line, &e));
}

/* Says the whole transcript in two pieces, cut at `at`. */
static void
replay(struct str said, size_t at)
{
	struct lines lines = LINES_INIT(MAX_LINE);

	notes_clear();
	memset(&state, 0, sizeof state);
	hear(&lines, (struct str){ said.ptr, at });
	hear(&lines, str_from(said, at));
	lines_fini(&lines);
}

/* After a change that is meant: RECORD=1, and then read the difference. */
static void
record(const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, DATA "/claude/%s.heard", name);
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(notes.heard.ptr, 1, notes.heard.len, f);
	fclose(f);
}

static void
is_heard_of(const char *name)
{
	struct str said = read_file(name, "jsonl"), want;

	replay(said, said.len);
	if (getenv("RECORD"))
		record(name);
	want = read_file(name, "heard");
	assert_int_equal(notes.heard.len, want.len);
	assert_memory_equal(notes.heard.ptr, want.ptr, want.len);
}

static void
what_it_says_is_heard(void **state_)
{
	static const char *const names[] = {
		"plain-turn",
		"multi-turn",
		"multibyte",
		"thinking",
		"tool-use",
		"interrupt-tool",
		"cut-retry",
		"401",
		"429",
		"429-usage-limit",
		"500",
		"not-logged-in",
		"resume-unknown",
		"cut-nofallback",
		"rate-limit-warning",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		is_heard_of(names[i]);
}

static void
where_its_output_is_cut_makes_no_difference(void **state_)
{
	struct str said = read_file("multibyte", "jsonl");
	struct str want = read_file("multibyte", "heard");

	for (size_t at = 0; at <= said.len; at++) {
		replay(said, at);
		assert_int_equal(notes.heard.len, want.len);
		assert_memory_equal(notes.heard.ptr, want.ptr, want.len);
	}
}

static void
lines_of_unknown_kinds_are_none_of_our_business(void **state_)
{
	notes_clear();
	must(claude_line(&talk, STR("{\"type\":\"tomorrow\"}"), &e));
	must(claude_line(&talk, STR("{\"type\":7}"), &e));
	must(claude_line(&talk, STR("[1]"), &e));
	must(claude_line(&talk, STR("(node) a warning"), &e));
	must(claude_line(&talk, STR(""), &e));
	assert_int_equal(notes.heard.len, 0);
}

static void
a_line_that_is_damaged_is_not_passed_over(void **state_)
{
	must_fail(ERR_HARNESS, "claude: a line that can't be read",
		  claude_line(&talk, STR("{\"type\":\"\\ud83d\"}"), &e));
}

static void
the_users_text_is_inert(void **state_)
{
	json_t *messages = json_loads(
		"[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
		"\"text\":\"/clear @secret.txt\"}]}]",
		0, NULL);

	notes_clear();
	memset(&state, 0, sizeof state);
	talk.messages = messages;
	talk.from = 0;
	harness.say(&talk);
	assert_non_null(memmem(notes.written.ptr, notes.written.len,
			       "\"client_composed\":true", 22));
	harness.clear(&talk);
	json_decref(messages);
}

static void
nothing_of_the_callers_is_in_an_argument(void **state_)
{
	struct words argv = { 0 }, env = { 0 };
	struct talk t = { .state = &state,
			  .cli_id = "id",
			  .kept = true,
			  .permission_mode = "plan",
			  .system = "SECRET",
			  .model = "SECRET" };

	must(harness.command(&t, &argv, &env, &e));
	for (size_t i = 0; i < argv.len; i++)
		assert_null(strstr(argv.ptr[i], "SECRET"));
	words_fini(&argv);
	words_fini(&env);
}

static void
it_resumes_from_its_last_good_turn(void **state_)
{
	struct words argv = { 0 }, env = { 0 };
	struct talk t = { .state = &state,
			  .cli_id = "id",
			  .kept = true,
			  .resumed = true,
			  .position = "here",
			  .permission_mode = "plan" };

	must(harness.command(&t, &argv, &env, &e));
	assert_string_equal(argv.ptr[argv.len - 4], "--resume");
	assert_string_equal(argv.ptr[argv.len - 3], "id");
	assert_string_equal(argv.ptr[argv.len - 2], "--resume-session-at");
	assert_string_equal(argv.ptr[argv.len - 1], "here");
	words_fini(&argv);
	words_fini(&env);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_is_heard),
		cmocka_unit_test(where_its_output_is_cut_makes_no_difference),
		cmocka_unit_test(
			lines_of_unknown_kinds_are_none_of_our_business),
		cmocka_unit_test(a_line_that_is_damaged_is_not_passed_over),
		cmocka_unit_test(the_users_text_is_inert),
		cmocka_unit_test(nothing_of_the_callers_is_in_an_argument),
		cmocka_unit_test(it_resumes_from_its_last_good_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
