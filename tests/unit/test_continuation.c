/* What workers/cli/continuation promises. */
#include "tests/unit/unit.h"

#include <unistd.h>

#include "tests/unit/read_prompt.h"
#include "workers/cli/continuation.h"
#include "workers/cli/parts.h"

static char path[64];
static struct sessions sessions;
static struct continuation on;
static struct prompt prompt;
static struct live_conversation live[4];
static size_t live_count;
static bool can_rewind, has_tools;

static int
setup(void **state)
{
	struct error e = { 0 };

	snprintf(path, sizeof path, "/tmp/test-continuation-%d.sqlite",
		 (int)getpid());
	unlink(path);
	live_count = 0;
	can_rewind = true;
	has_tools = false;
	return sessions_open(&sessions, path, &e) ? 0 : -1;
}

static int
teardown(void **state)
{
	continuation_fini(&on);
	prompt_fini(&prompt);
	sessions_close(&sessions);
	unlink(path);
	return 0;
}

/* Reads messages: S for the system's, U for the user's and A for the
 * assistant's, each with its text, and asks where they go on. */
static void
asks(unsigned number, const char *const *messages)
{
	struct buf body = BUF_INIT(1 << 16);
	struct continuation_query q = {
		.sessions = &sessions,
		.session = "s",
		.prompt = &prompt,
		.can_rewind = can_rewind,
		.has_tools = has_tools,
		.number = number,
		.live = live,
		.live_count = live_count,
	};

	buf_print(&body, "{\"messages\":[");
	for (size_t i = 0; messages[i]; i++)
		buf_print(&body, "%s{\"role\":\"%s\",\"content\":\"%s\"}",
			  i ? "," : "",
			  *messages[i] == 'S'	? "system"
			  : *messages[i] == 'U' ? "user"
						: "assistant",
			  messages[i] + 1);
	buf_print(&body, "]}");
	prompt_fini(&prompt);
	must(read_prompt(&prompt, buf_str(&body),
			 &(struct recipient){ "test", ~0u }, &e));
	must(continuation_find(&on, &q, &e));
	buf_fini(&body);
}

#define ASKS(...) asks(0, (const char *const[]){ __VA_ARGS__, NULL })

/* The turn that was asked for has been answered. */
static void
is_answered(const char *text, const char *position)
{
	struct session *s = &on.session;
	bool unsaved;

	free(s->terms.system);
	s->terms.system =
		copy((struct str){ prompt.system, prompt.system_len });
	s->terms.system_len = prompt.system_len;
	if (has_tools) {
		free(s->terms.options);
		s->terms.options = copy(STR("{\"had_tools\":true}"));
	}
	free(s->terms.cwd);
	s->terms.cwd = copy(STR("/"));
	checkpoint_fini(&s->newest);
	s->newest = (struct checkpoint){
		.number = on.at.number + 1,
		.asked = prompt_question(&prompt, on.from),
		.answer = answer_add(ANSWER_EMPTY, str_of(text)),
		.position = copy(str_of(position)),
	};
	s->last_used_at++;
	sessions_save(&sessions, s, &s->newest, &unsaved);
}

static void
two_turns(void)
{
	ASKS("UQ1");
	is_answered("A1", "p1");
	ASKS("UQ1", "AA1", "UQ2");
	is_answered("A2", "p2");
}

static void
a_new_session_is_new(void **state)
{
	ASKS("UQ1");
	assert_false(on.is_known);
	assert_int_equal(on.session.number, 1);
	assert_string_equal(on.reason, "no such session before");
}

static void
the_newest_answer_is_where_it_goes_on(void **state)
{
	two_turns();
	ASKS("UQ1", "AA1", "UQ2", "AA2", "UQ3");
	assert_true(on.is_known);
	assert_false(on.is_rewound);
	assert_int_equal(on.from, 4);
	assert_int_equal(on.at.number, 2);
	assert_null(on.reason);
}

static void
the_last_messages_are_enough(void **state)
{
	two_turns();
	ASKS("UQ3");
	assert_true(on.is_known);
	assert_int_equal(on.from, 0);
	assert_string_equal(on.at.position, "p2");
	ASKS("AA2", "UQ3"); /* the beginning was cut off */
	assert_true(on.is_known);
	assert_false(on.is_rewound);
	assert_int_equal(on.from, 1);
}

static void
an_older_answer_takes_back_what_came_after_it(void **state)
{
	two_turns();
	ASKS("UQ1", "AA1", "UQ2, edited");
	assert_true(on.is_known);
	assert_true(on.is_rewound);
	assert_string_equal(on.at.position, "p1");
	assert_int_equal(on.from, 2);
	is_answered("A2, edited", "p3");

	/* which is forgotten */
	ASKS("UQ1", "AA1", "UQ2, edited", "AA2, edited", "UQ3");
	assert_true(on.is_known);
	assert_false(on.is_rewound);
	ASKS("UQ1", "AA1", "UQ2", "AA2", "UQ3");
	assert_false(on.is_known);
}

static void
who_cannot_rewind_begins_anew(void **state)
{
	two_turns();
	can_rewind = false;
	ASKS("UQ1", "AA1", "UQ2");
	assert_false(on.is_known);
	assert_true(on.is_rewound);
	assert_int_equal(on.session.number, 1);
	assert_null(on.at.position);

	/* the answer before is the session's still: it can be gone back to */
	is_answered("A2, edited", "p3");
	ASKS("UQ1", "AA1", "UQ2");
	assert_true(on.is_rewound);
	ASKS("UQ1", "AA1", "UQ2, edited", "AA2, edited", "UQ3");
	assert_true(on.is_known);
	assert_false(on.is_rewound);
}

static void
the_same_answer_twice_is_told_by_its_question(void **state)
{
	ASKS("UQ1");
	is_answered("ok", "p1");
	ASKS("UQ1", "Aok", "UQ2");
	is_answered("ok", "p2");
	ASKS("UQ1", "Aok", "UQ2");
	assert_true(on.is_rewound);
	assert_string_equal(on.at.position, "p1");
	ASKS("UQ1", "Aok", "UQ2", "Aok", "UQ3");
	assert_false(on.is_rewound);
	assert_string_equal(on.at.position, "p2");
}

static void
a_question_may_have_been_changed(void **state)
{
	two_turns();
	ASKS("Ushortened", "AA1", "Ushortened", "AA2", "UQ3");
	assert_true(on.is_known);
	assert_false(on.is_rewound);
	assert_int_equal(on.from, 4);
}

static void
answers_of_others_begin_anew(void **state)
{
	two_turns();
	ASKS("UQ1", "AA1", "UQ2", "Aof another", "UQ3");
	assert_false(on.is_known);
	assert_false(on.is_rewound);
	ASKS("UQ", "Aof another", "UQ3");
	assert_true(on.is_known);
	assert_non_null(on.reason);
}

static void
another_system_prompt_beside_a_turn_begins_a_conversation(void **state)
{
	live[0] = (struct live_conversation){
		.number = 1,
		.system = system_hash("agent", strlen("agent")),
	};
	live_count = 1;
	ASKS("Stitles", "UQ1");
	assert_int_equal(on.session.number, 2);
	assert_false(on.is_known);
	ASKS("Sagent", "UQ1");
	assert_int_equal(on.session.number, 1);
	ASKS("UQ1");
	assert_int_equal(on.session.number, 1);
}

static void
a_conversation_beside_a_turn_has_the_options_of_the_session(void **state)
{
	ASKS("Sagent", "UQ1");
	on.session.terms.options = copy(STR("saved"));
	is_answered("A1", "p1");
	live[0] = (struct live_conversation){
		.number = 1,
		.system = system_hash("agent", strlen("agent")),
	};
	live_count = 1;
	ASKS("Stitles", "UQ1");
	assert_int_equal(on.session.number, 2);
	assert_string_equal(on.session.terms.options, "saved");
	live[0].options = "of the turn";
	ASKS("Stitles", "UQ1");
	assert_string_equal(on.session.terms.options, "of the turn");
}

static void
one_after_the_other_they_are_one_conversation(void **state)
{
	ASKS("Sit is Monday", "UQ1");
	is_answered("A1", "p1");
	ASKS("Sit is Tuesday", "UQ2");
	assert_true(on.is_known);
	assert_int_equal(on.session.number, 1);
}

/* Without an answer, only the tools tell a turn from a title that is quickly
 * found. */
static void
a_title_without_tools_is_no_part_of_a_conversation_with_tools(void **state)
{
	ASKS("Stitles", "UQ1");
	is_answered("title", "t1");
	has_tools = true;
	ASKS("Sagent", "UQ1");
	assert_int_equal(on.session.number, 2);
	assert_false(on.is_known);
	assert_non_null(strstr(on.reason, "tools"));
	is_answered("A1", "p1");
	ASKS("Sagent of Tuesday", "UQ2");
	assert_int_equal(on.session.number, 2);
	assert_true(on.is_known);
	has_tools = false;
	ASKS("Stags", "UQ1");
	assert_int_equal(on.session.number, 1);
	ASKS("UQ3");
	assert_int_equal(on.session.number, 2);
}

static void
an_answer_says_whose_conversation_it_is(void **state)
{
	ASKS("Sagent", "UQ1");
	is_answered("A1", "p1");
	live[0] = (struct live_conversation){
		.number = 1,
		.system = system_hash("agent", strlen("agent")),
	};
	live_count = 1;
	ASKS("Stitles", "UQ1");
	is_answered("title", "t1");
	live_count = 0;
	ASKS("Sagent", "UQ1", "AA1", "UQ2");
	assert_int_equal(on.session.number, 1);
	ASKS("Sother", "UQ1", "Atitle", "UQ2");
	assert_int_equal(on.session.number, 2);
	ASKS("Stitles", "UQ2");
	assert_int_equal(on.session.number, 2);
}

static void
what_was_decided_is_kept(void **state)
{
	two_turns();
	asks(2, (const char *const[]){ "Stitles", "UQ1", NULL });
	assert_int_equal(on.session.number, 2);
	assert_false(on.is_known);
}

static void
a_lost_conversation_has_no_checkpoint(void **state)
{
	two_turns();
	ASKS("UQ1", "AA1", "UQ2", "AA2", "UQ3");
	continuation_renew(&on, "lost");
	assert_false(on.is_known);
	assert_null(on.at.position);
	assert_int_equal(on.session.number, 1);
}

static void
a_conversation_that_nobody_keeps_begins_again_under_its_id(void **state)
{
	auto_free char *id = NULL;

	two_turns();
	ASKS("UQ1", "AA1", "UQ2", "AA2", "UQ3");
	id = copy(str_of(on.session.cli_id));
	continuation_retell(&on, "told again");
	assert_false(on.is_known);
	assert_null(on.at.position);
	assert_string_equal(on.session.cli_id, id);
	assert_string_equal(on.reason, "told again");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_conversation_that_nobody_keeps_begins_again_under_its_id),
		TEST(a_new_session_is_new),
		TEST(the_newest_answer_is_where_it_goes_on),
		TEST(the_last_messages_are_enough),
		TEST(an_older_answer_takes_back_what_came_after_it),
		TEST(who_cannot_rewind_begins_anew),
		TEST(the_same_answer_twice_is_told_by_its_question),
		TEST(a_question_may_have_been_changed),
		TEST(answers_of_others_begin_anew),
		TEST(another_system_prompt_beside_a_turn_begins_a_conversation),
		TEST(a_conversation_beside_a_turn_has_the_options_of_the_session),
		TEST(one_after_the_other_they_are_one_conversation),
		TEST(a_title_without_tools_is_no_part_of_a_conversation_with_tools),
		TEST(an_answer_says_whose_conversation_it_is),
		TEST(what_was_decided_is_kept),
		TEST(a_lost_conversation_has_no_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
