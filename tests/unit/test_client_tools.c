/* What workers/cli/client_tools promises: a call that a CLI makes to the MCP
 * server ends the response, and its result goes there. */
#include "conversation_world.h"

#include "mcp_client.h"
#include "workers/cli/client_tools.h"
#include "workers/io/json.h"
#include "workers/options/tools.h"

static struct options options;
static struct conversation *c;
static struct asked next;
static struct mcp_client one, two;
static json_t *results, *beside;

static void
take_tools(const char *tools)
{
	auto_free char *text = copy_format("{\"tools\":%s}", tools);
	json_t *body = json_loads(text, 0, NULL);

	options_fini(&options);
	must(options_read(&options, body, NULL, &e));
	must(options_inherit(&options, NULL, &e));
	json_decref(body);
}

static void
on_ready(struct conversation *its)
{
	if (its->state == CONVERSATION_PARKED)
		conversation_answer(its, NULL, &options, results, beside);
	else
		conversation_say(its, NULL, &options, NULL, 0);
}

static void
begins(void)
{
	const struct conversation_plan plan = {
		.session = "s",
		.cli_id = "id",
		.cwd = "/",
		.kept = true,
		.options = &options,
	};
	struct error e = { 0 };

	c = conversation_start(&pool, &plan, &e);
	assert_non_null(c);
	memset(&turn, 0, sizeof turn);
	conversation_give(c, &turn.turn);
	conversation_ready(c);
	assert_int_equal(c->state, BUSY);
}

static const char *
url(void)
{
	return json_text(json_object_get(c->options.servers, CLIENT_SERVER),
			 "url");
}

static int
set_up(void **state)
{
	setup(state);
	worker.settings.max_body = 1 << 20;
	worker.settings.max_bodies = 4 << 20;
	worker.settings.max_connections = 64;
	worker.harness.tool_wait_ms = 100000;
	worker.harness.timeout_ms = 100000;
	must(loop_init(&worker.loop, &e));
	harness.tools_by_mcp = true;
	harness.answer = client_tools_answer;
	pool.ready = on_ready;
	instance.loop = &worker.loop;
	mcp_init(&one, &worker.loop);
	mcp_init(&two, &worker.loop);
	memset(&next, 0, sizeof next);
	results = beside = NULL;
	take_tools("[{\"name\":\"look\"},{\"name\":\"say.it\"}]");
	begins();
	return 0;
}

static int
tear_down(void **state)
{
	struct node *n;

	mcp_fini(&one);
	mcp_fini(&two);
	options_fini(&options);
	json_decref(results);
	json_decref(beside);
	while ((n = list_first(&pool.conversations)))
		conversation_leave(container_of(n, struct conversation, node));
	wait_while(&worker.loop, pool.leavings.len);
	client_tools_fini(&pool);
	tool_server_fini(&pool.tools);
	return teardown(state);
}

static void
calls(struct mcp_client *client, const char *name, const char *at)
{
	auto_free char *body = copy_format(
		"{\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
		"\"%s\",\"arguments\":{\"at\":\"%s\"}}}",
		name, at);

	mcp_posts(client, url(), body);
}

static void
is_parked(size_t n)
{
	wait_while(&worker.loop, c->state != PARKED);
	assert_int_equal(json_array_size(c->calls), n);
	assert_null(c->turn);
}

static const char *
cli_id(size_t i)
{
	return json_text(json_array_get(c->calls, i), "cli");
}

static void
add_result(const char *id, const char *text, bool is_error)
{
	if (!results)
		results = json_array();
	json_array_append_new(
		results, json_pack("{s:s, s:s, s:[{s:s, s:s}], s:b}", "type",
				   "tool_result", "id", id, "content", "type",
				   "text", "text", text, "is_error", is_error));
}

static void
goes_on(void)
{
	memset(&next, 0, sizeof next);
	conversation_give(c, &next.turn);
	assert_int_equal(c->state, BUSY);
}

/* ---- ---- */

static void
the_cli_is_told_of_a_server_with_them(void **state)
{
	assert_non_null(url());
	mcp_posts(&one, url(), "{\"id\":1,\"method\":\"tools/list\"}");
	mcp_hears(&one, "\"look\"");
	mcp_hears(&one, "\"say_it_");
	mcp_hears(&one, "\"inputSchema\":{");
}

static void
without_tools_there_is_none(void **state)
{
	struct conversation *without;

	conversation_retire(c);
	take_tools("[]");
	begins();
	assert_null(c->client_tools);
	assert_null(c->options.servers);
	without = c;
	take_tools("[{\"name\":\"look\"}]");
	harness.tools_by_mcp = false;
	begins();
	assert_ptr_not_equal(c, without);
	assert_null(c->client_tools);
}

static void
a_call_ends_the_turn_and_its_result_goes_back(void **state)
{
	calls(&one, "look", "it");
	is_parked(1);
	assert_int_equal(turn.told, 1);
	assert_int_equal(turn.outcome.reason, FINISH_TOOL_CALLS);
	assert_null(turn.outcome.error);
	assert_string_equal(json_text(json_array_get(c->calls, 0), "name"),
			    "look");
	add_result(cli_id(0), "it is there", false);
	goes_on();
	mcp_hears(&one, "it is there");
	mcp_hears(&one, "\"isError\":false");
	conversation_finish(c, FINISH_STOP, NULL, NULL);
	assert_int_equal(next.told, 1);
	assert_int_equal(c->state, IDLE);
}

static void
calls_that_come_together_are_told_together(void **state)
{
	calls(&one, "look", "one");
	calls(&two, "look", "one"); /* the same */
	is_parked(2);
	assert_string_not_equal(cli_id(0), cli_id(1));
	add_result(cli_id(1), "the second", true);
	add_result(cli_id(0), "the first", false);
	goes_on();
	mcp_hears(&one, "the first");
	mcp_hears(&two, "the second");
	mcp_hears(&two, "\"isError\":true");
}

static void
one_that_comes_later_is_told_next(void **state)
{
	calls(&one, "look", "one");
	is_parked(1);
	calls(&two, "look", "two");
	wait_ms(&worker.loop, 100);
	assert_int_equal(json_array_size(c->calls), 1);
	add_result(cli_id(0), "the first", false);
	goes_on();
	mcp_hears(&one, "the first");
	is_parked(1);
	assert_int_equal(next.told, 1);
	assert_false(mcp_has_heard(&two, "data:"));
	add_result(cli_id(0), "the second", false);
	goes_on();
	mcp_hears(&two, "the second");
}

static void
what_a_cli_announces_is_told_with_it(void **state)
{
	json_t *at_one = json_pack("{s:s}", "at", "one");
	json_t *at_two = json_pack("{s:s}", "at", "two");

	client_tools_announce(c, "x", "look", at_one);
	client_tools_announce(c, "y", "look", at_two);
	wait_ms(&worker.loop, 60);
	assert_int_equal(c->state, BUSY); /* it has not asked yet */
	calls(&one, "look", "one");
	is_parked(2);
	add_result(cli_id(0), "the first", false);
	add_result(cli_id(1), "the second", false);
	goes_on();
	mcp_hears(&one, "the first");
	calls(&two, "look", "two");
	mcp_hears(&two, "the second");
	assert_int_equal(next.told, 0);
	json_decref(at_one);
	json_decref(at_two);
}

static void
words_beside_the_results_come_with_the_last(void **state)
{
	calls(&one, "look", "one");
	is_parked(1);
	add_result(cli_id(0), "the result", false);
	beside = json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user", "content",
			   "type", "text", "text", "and be quick");
	goes_on();
	mcp_hears(&one, "the result");
	mcp_hears(&one, "and be quick");
}

static void
what_nobody_has_is_answered_at_once(void **state)
{
	calls(&one, "nothing", "x");
	mcp_hears(&one, "there is no such tool");
	mcp_hears(&one, "\"isError\":true");
	mcp_posts(&one, url(), "{\"id\":1,\"method\":\"tools/call\"}");
	mcp_hears(&one, "there is no such tool");
	assert_int_equal(c->state, BUSY);
	conversation_finish(c, FINISH_STOP, NULL, NULL);
	calls(&one, "look", "x"); /* in no turn */
	mcp_hears(&one, "nobody is there");
	assert_int_equal(c->state, IDLE);
}

static void
a_cli_that_gives_its_call_up_is_ended(void **state)
{
	calls(&one, "look", "x");
	is_parked(1);
	mcp_hangs_up(&one);
	wait_while(&worker.loop, c->state != LEAVING);
}

static void
one_that_gives_up_before_goes_on(void **state)
{
	calls(&one, "look", "x");
	mcp_hears(&one, ": ok");
	mcp_hangs_up(&one);
	wait_ms(&worker.loop, 100);
	if (c->state == BUSY) { /* unless it was told meanwhile */
		calls(&two, "look", "y");
		is_parked(1);
	}
}

static void
other_tools_are_told_of(void **state)
{
	calls(&one, "look", "x");
	is_parked(1);
	mcp_asks(&two, "GET", url(), NULL, NULL, STR(""));
	mcp_hears(&two, ": ok");
	add_result(cli_id(0), "the result", false);
	take_tools("[{\"name\":\"hear\"}]");
	goes_on();
	mcp_hears(&one, "the result");
	mcp_hears(&two, "list_changed");
	mcp_posts(&one, url(), "{\"id\":1,\"method\":\"tools/list\"}");
	mcp_hears(&one, "\"hear\"");
	assert_false(mcp_has_heard(&one, "\"look\""));
}

static void
nobody_waits_longer_than_the_cli(void **state)
{
	harness.max_tool_wait_ms = 50;
	calls(&one, "look", "x");
	is_parked(1);
	wait_while(&worker.loop, c->state == PARKED);
	assert_int_equal(c->state, LEAVING);
}

static void
its_door_closes_with_it(void **state)
{
	calls(&one, "look", "x");
	is_parked(1);
	conversation_leave(c);
	wait_while(&worker.loop, !one.is_over);
	assert_false(mcp_has_heard(&one, "data:"));
}

/* The process goes on with other conversations, and has been told to stop. */
static void
in_a_shared_process_it_closes_when_that_has_stopped(void **state)
{
	auto_free char *before = copy(str_of(url()));

	harness.shares = 10;
	calls(&one, "look", "x");
	is_parked(1);
	conversation_leave(c);
	wait_while(&worker.loop, pool.leavings.len);
	assert_false(one.is_over);
	assert_int_equal(pool.partings.len, 1);
	mcp_posts(&two, before, "{\"id\":1,\"method\":\"tools/list\"}");
	mcp_hears(&two, "\"tools\":[]");
	client_tools_fini(&pool);
	assert_int_equal(pool.partings.len, 0);
	wait_while(&worker.loop, !one.is_over);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(the_cli_is_told_of_a_server_with_them),
		TEST(without_tools_there_is_none),
		TEST(a_call_ends_the_turn_and_its_result_goes_back),
		TEST(calls_that_come_together_are_told_together),
		TEST(one_that_comes_later_is_told_next),
		TEST(what_a_cli_announces_is_told_with_it),
		TEST(words_beside_the_results_come_with_the_last),
		TEST(what_nobody_has_is_answered_at_once),
		TEST(a_cli_that_gives_its_call_up_is_ended),
		TEST(one_that_gives_up_before_goes_on),
		TEST(other_tools_are_told_of),
		TEST(nobody_waits_longer_than_the_cli),
		TEST(its_door_closes_with_it),
		TEST(in_a_shared_process_it_closes_when_that_has_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
