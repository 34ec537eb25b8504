/* What an agent does by itself belongs to no turn of ours. */
#include "tests/unit/acp_replay.h"

#include <unistd.h>

/* Up to the line before the one that begins so. */
static struct str
up_to(struct str said, const char *words)
{
	const char *at = memmem(said.ptr, said.len, words, strlen(words));

	assert_non_null(at);
	return (struct str){ said.ptr, (size_t)(at - said.ptr) };
}

enum {
	/* in kimi-alone.wire: the first turn; the agent's own has begun; it is
	 * over; our second */
	FIRST_TURN = 16,
	ALONE = 23,
	SILENT = 26,
	SECOND_TURN = 35,
};

/* Kimi has ended its first turn, and a command runs in the background. */
static void
kimi_has_ended_a_turn(void)
{
	struct str said = read_file("kimi-alone", "jsonl");

	said = up_to(said, "{\"jsonrpc\":\"2.0\",\"id\":5");
	said.len -= sizeof "# say\n# wire 35\n" - 1;
	replay("kimi-alone", said, said.len);
	assert_true(was_heard("background 1\nfinish stop"));
	assert_int_equal(prompts_written(), 1);
}

static void
answer_second_prompt(void)
{
	must(harness()->instance_line(
		&agent,
		STR("{\"id\":5,\"result\":{\"stopReason\":\"end_turn\"}}"),
		&e));
}

static void
no_prompt_is_sent_during_a_turn_of_kimis_own(void **state_)
{
	kimi_has_ended_a_turn();
	wire_reaches("kimi-alone", ALONE);
	assert_true(was_heard("background 0\nalone\ntext Aha."));
	say("hello again");
	assert_int_equal(prompts_written(), 1);
	wire_reaches("kimi-alone", SILENT);
	assert_int_equal(prompts_written(), 2);
	forget();
}

/* Its beginning was not written yet when the prompt was sent. */
static void
a_prompt_that_kimi_has_put_in_a_queue_is_answered(void **state_)
{
	kimi_has_ended_a_turn();
	wire_reaches("kimi-alone", FIRST_TURN);
	say("hello again");
	assert_int_equal(prompts_written(), 2);
	wire_reaches("kimi-alone", ALONE);
	answer_second_prompt();
	assert_true(was_heard("alone\ntext Aha."));
	assert_false(was_heard("silent"));
	wire_reaches("kimi-alone", SECOND_TURN);
	assert_true(was_heard("silent\nreasoning Hm.\ntext The answer.\n"
			      "finish stop, 10 + 2 tokens, by fake-large"));
	forget();
}

static void
one_that_is_cancelled_there_ends_with_its_session(void **state_)
{
	kimi_has_ended_a_turn();
	say("hello again");
	wire_reaches("kimi-alone", ALONE);
	answer_second_prompt();
	harness()->interrupt(&talk);
	assert_true(was_heard("abort CANCELLED cancelled"));
	forget();
}

static void
hear_mutant(struct str lines)
{
	kimi_has_ended_a_turn();
	say("hello again");
	wire_becomes(lines);
	answer_second_prompt();
	harness()->close(&talk);
	assert_false(timer_is_set(&state.record.look));
}

static void
another_version_of_kimis_records_is_no_worse(void **state_)
{
	struct str all = read_file("kimi-alone", "wire");
	auto_free char *lines = copy(all);

	mutants_each((struct str){ lines, all.len }, hear_mutant);
	forget();
}

static void
says_to(const char *name, const char *update)
{
	auto_free char *line = copy_format(
		"{\"method\":\"session/update\",\"params\":{\"sessionId\":"
		"\"s\",\"update\":%s}}",
		update);

	agent.name = name;
	must(harness()->instance_line(&agent, str_of(line), &e));
}

static void
qwen_may_not_begin_a_turn_of_its_own_during_ours(void **state_)
{
	struct str may_i = STR("{\"id\":1,\"method\":\"_qwencode/start_turn\","
			       "\"params\":{\"sessionId\":\"s\"}}");

	open_session("qwen");
	say("hi");
	must(harness()->instance_line(&agent, may_i, &e));
	must_have_written("{\"accepted\":false}");
	assert_false(was_heard("alone"));
	acp_forget_turn(&state);
	must(harness()->instance_line(&agent, may_i, &e));
	must_have_written("{\"accepted\":true}");
	assert_true(was_heard("alone"));
	forget();
}

static void
what_is_marked_as_its_own_is_not_the_answer(void **state_)
{
	open_session("qwen");
	say("hi");
	notes_clear();
	says_to("qwen",
		"{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{"
		"\"type\":\"text\",\"text\":\"mine\"},\"_meta\":{"
		"\"backgroundTurn\":{}}}");
	says_to("qwen", "{\"sessionUpdate\":\"tool_call\",\"toolCallId\":\"1\","
			"\"rawInput\":{\"a\":1},\"_meta\":{"
			"\"backgroundTurn\":{}}}");
	says_to("qwen",
		"{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{"
		"\"type\":\"text\",\"text\":\"yours\"}}");
	assert_str(buf_str(&notes.heard),
		   "alone\ntext mine\nsilent\ntext yours");
	forget();
}

static void
what_is_said_between_turns_belongs_to_none(void **state_)
{
	static const char words[] =
		"{\"sessionUpdate\":\"agent_message_chunk\",\"content\":{"
		"\"type\":\"text\",\"text\":\"by the way\"}}";

	open_session("copilot");
	notes_clear();
	says_to("copilot", words); /* a repetition of what was said before */
	assert_str(buf_str(&notes.heard), "");
	state.may_speak = true;
	says_to("copilot", words);
	assert_str(buf_str(&notes.heard), "alone\ntext by the way\nsilent\n");
	forget();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_prompt_is_sent_during_a_turn_of_kimis_own),
		cmocka_unit_test(
			a_prompt_that_kimi_has_put_in_a_queue_is_answered),
		cmocka_unit_test(
			one_that_is_cancelled_there_ends_with_its_session),
		cmocka_unit_test(another_version_of_kimis_records_is_no_worse),
		cmocka_unit_test(
			qwen_may_not_begin_a_turn_of_its_own_during_ours),
		cmocka_unit_test(what_is_marked_as_its_own_is_not_the_answer),
		cmocka_unit_test(what_is_said_between_turns_belongs_to_none),
	};
	struct error e = { 0 };
	int failed;

	int fd;

	if (!loop_init(&event_loop, &e))
		return 1;
	fd = mkstemp(growing);
	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(growing);
	loop_fini(&event_loop);
	return failed;
}
