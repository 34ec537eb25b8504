/*
 * What workers/tools/server promises: an MCP server that only whoever knows the
 * address of a door gets to hear, whose calls wait, and which survives whatever
 * is said to it.  On real sockets.
 */
#include "unit.h"

#include "mcp_client.h"
#include "proto/log.h"
#include "workers/io/json.h"
#include "workers/tools/server.h"

static struct loop loop;
static struct tool_server server;
static struct door door, other;

static struct {
	unsigned lists, calls, drops;
	struct waiting_call *call; /* the last that waits */
	char name[64];
	char arguments[256];
	bool answers_at_once;
} did;

static struct mcp_client client;

static char *
host_header(void)
{
	return copy_format("Host: 127.0.0.1:%u\r\n"
			   "Content-Type: application/json\r\n",
			   server.port);
}

static const char *
path_of(const struct door *d)
{
	return strchr(d->url + strlen("http://"), '/');
}

static void
asks(const char *method, const struct door *d, const char *body)
{
	mcp_asks(&client, method, d->url, NULL, NULL, str_of(body));
}

static void
hears(const char *words)
{
	mcp_hears(&client, words);
}

static void
posts(const char *body)
{
	mcp_posts(&client, door.url, body);
}

static bool
has_heard(const char *words)
{
	return mcp_has_heard(&client, words);
}

/* The owner of the doors */

static json_t *
tools(struct door *d)
{
	did.lists++;
	return json_pack("[{s:s, s:{s:s}}]", "name",
			 d == &door ? "look" : "listen", "inputSchema", "type",
			 "object");
}

static json_t *
result(const char *text)
{
	return json_pack("{s:[{s:s, s:s}]}", "content", "type", "text", "text",
			 text);
}

static void
called(struct waiting_call *c)
{
	auto_free char *arguments = json_dumps(c->arguments, JSON_ENCODE_ANY);

	did.calls++;
	snprintf(did.name, sizeof did.name, "%s", c->name ? c->name : "");
	snprintf(did.arguments, sizeof did.arguments, "%s",
		 arguments ? arguments : "");
	if (did.answers_at_once)
		door_answer(c, result("at once"));
	else
		did.call = c;
}

static void
dropped(struct waiting_call *c)
{
	did.drops++;
	if (did.call == c)
		did.call = NULL;
}

static int
setup(void **state)
{
	static struct settings settings = { .max_body = 64u << 20,
					    .max_bodies = 256u << 20,
					    .max_connections = 64 };

	memset(&did, 0, sizeof did);
	server = (struct tool_server){ 0 };
	door = other = (struct door){ .tools = tools,
				      .called = called,
				      .dropped = dropped };
	loop = LOOP_INIT;
	mcp_init(&client, &loop);
	must(loop_init(&loop, &e));
	must(tool_server_open(&server, &loop, &settings, &e));
	door_open(&server, &door, copy_format("127.0.0.1:%u", server.port));
	door_open(&server, &other, copy_format("127.0.0.1:%u", server.port));
	return 0;
}

static int
teardown(void **state)
{
	mcp_fini(&client);
	door_close(&door);
	door_close(&other);
	tool_server_fini(&server);
	loop_fini(&loop);
	return 0;
}

#define CALL                                                           \
	"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\","     \
	"\"params\":{\"name\":\"look\",\"arguments\":{\"at\":\"it\"}," \
	"\"_meta\":{\"progressToken\":3}}}"
#define LIST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"

/* ---- who may come ---- */

static void
the_address_is_a_secret_of_its_own(void **state)
{
	assert_string_not_equal(door.secret, other.secret);
	assert_int_equal(strlen(door.secret), 32);
	assert_int_equal(strspn(door.secret, "0123456789abcdef"), 32);
	assert_non_null(strstr(door.url, door.secret));
}

static void
is_refused(const char *method, const char *path, const char *headers,
	   const char *status)
{
	did.lists = 0;
	mcp_asks(&client, method, other.url, path, headers, STR(LIST));
	hears("\r\n\r\n");
	hears(status);
	assert_int_equal(did.lists, 0);
}

static void
strangers_are_refused(void **state)
{
	auto_free char *headers = host_header();
	auto_free char *page = copy_format("%sOrigin: http://127.0.0.1:%u\r\n",
					   headers, server.port);
	auto_free char *rebound =
		copy_format("Host: evil.example:%u\r\n", server.port);
	auto_free char *local =
		copy_format("Host: localhost:%u\r\n", server.port);
	auto_free char *wrong = copy(str_of(path_of(&door)));

	wrong[strlen(wrong) - 1] ^= 1;
	is_refused("POST", path_of(&door), page, "403");
	is_refused("GET", path_of(&door), page, "403");
	is_refused("POST", path_of(&door), rebound, "403");
	is_refused("POST", path_of(&door), local, "403");
	is_refused("POST", path_of(&door), "Host: 127.0.0.1\r\n", "403");
	is_refused("POST", wrong, headers, "404");
	is_refused("POST", "/", headers, "404");
	is_refused("POST", "/mcp/", headers, "404");
	is_refused("POST", "/mcp", headers, "404");
}

/* Each place has a name and a port of its own for us. */
static void
a_door_is_reached_by_its_own_host_only(void **state)
{
	auto_free char *headers = host_header();
	struct door inside = { .tools = tools,
			       .called = called,
			       .dropped = dropped };

	door_open(&server, &inside, copy(STR("localhost:40961")));
	assert_true(str_starts(str_of(inside.url),
			       STR("http://localhost:40961/mcp/")));
	is_refused("POST", path_of(&inside), headers, "403");
	mcp_asks(&client, "POST", other.url, path_of(&inside),
		 "Host: localhost:40961\r\n", STR(LIST));
	hears("listen");
	door_close(&inside);
}

static void
each_door_has_its_own_tools(void **state)
{
	asks("POST", &other, LIST);
	hears("listen");
	assert_false(has_heard("look"));
	posts(LIST);
	hears("look");
	hears("\"id\":1");
	assert_true(door.was_listed);
}

static void
one_that_is_closed_is_not_there(void **state)
{
	auto_free char *path = copy(str_of(path_of(&door)));
	auto_free char *headers = host_header();

	door_close(&door);
	is_refused("POST", path, headers, "404");
	asks("POST", &other, LIST);
	hears("listen");
}

/* ---- what is said ---- */

static void
it_greets(void **state)
{
	posts("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"initialize\","
	      "\"params\":{\"protocolVersion\":\"2025-03-26\"}}");
	hears("\"protocolVersion\":\"2025-03-26\"");
	hears("\"listChanged\":true");
	hears("\"id\":\"a\"");
	posts("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	hears(" 202 ");
	posts("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
	hears("\"result\":{}");
	posts("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"server/discover\"}");
	hears("-32601");
	asks("DELETE", &door, "");
	hears(" 200 ");
	asks("PUT", &door, "{}");
	hears(" 405 ");
}

static void
what_is_no_message_is_refused(void **state)
{
	static const char *const bad[] = {
		"",	    "{",	"[]",	    "[" LIST "]",
		"\"text\"", "nonsense", "\xff\xfe", LIST LIST,
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		posts(bad[i]);
		hears("-32700");
	}
	assert_int_equal(did.lists, 0);
	posts("{}");
	hears(" 202 ");
	posts("{\"method\":7,\"id\":1}");
	hears(" 202 ");
	posts(LIST);
	hears("look");
}

/* ---- calls ---- */

static void
a_call_waits_until_it_is_answered(void **state)
{
	posts(CALL);
	hears(": ok");
	wait_while(&loop, !did.call);
	assert_true(has_heard("text/event-stream"));
	assert_string_equal(did.name, "look");
	assert_string_equal(did.arguments, "{\"at\": \"it\"}");
	assert_false(has_heard("data:"));
	door_answer(did.call, result("it is there"));
	hears("it is there");
	hears("\"id\":7");
	wait_while(&loop, door.calls.len);
	assert_int_equal(did.drops, 0);
}

static void
a_call_can_be_answered_at_once(void **state)
{
	did.answers_at_once = true;
	posts(CALL);
	hears("at once");
	assert_int_equal(door.calls.len, 0);
	assert_int_equal(did.drops, 0);
}

static void
a_call_without_a_name_or_arguments_is_one(void **state)
{
	posts("{\"id\":null,\"method\":\"tools/call\"}");
	wait_while(&loop, !did.call);
	assert_string_equal(did.name, "");
	assert_string_equal(did.arguments, "{}");
	door_answer(did.call, result("so be it"));
	hears("so be it");
	posts("{\"id\":1,\"method\":\"tools/call\",\"params\":[1]}");
	wait_while(&loop, did.calls != 2);
}

static void
one_whose_cli_has_gone_is_dropped(void **state)
{
	posts(CALL);
	wait_while(&loop, !did.call);
	mcp_hangs_up(&client);
	wait_while(&loop, !did.drops);
	assert_int_equal(door.calls.len, 0);
	assert_null(did.call);
}

static void
one_that_is_cancelled_is_dropped(void **state)
{
	struct waiting_call *call;

	posts(CALL);
	wait_while(&loop, !did.call);
	call = did.call;
	posts("{\"method\":\"notifications/cancelled\","
	      "\"params\":{\"requestId\":8}}");
	hears(" 202 ");
	posts("{\"method\":\"notifications/cancelled\"}");
	hears(" 202 ");
	/* The call's own connection has gone with the client's: */
	assert_true(did.call == call || did.drops == 1);
}

static void
a_result_that_is_too_long_is_told_as_that(void **state)
{
	size_t len = 20u << 20;
	auto_free char *text = xcalloc(1, len + 1);

	memset(text, 'x', len);
	posts(CALL);
	wait_while(&loop, !did.call);
	door_answer(did.call, result(text));
	hears("is too long");
	hears("\"isError\":true");
}

static void
a_long_result_arrives_as_a_whole(void **state)
{
	size_t len = 4u << 20;
	auto_free char *text = xcalloc(1, len + 1);

	memset(text, 'x', len);
	memcpy(text + len - 3, "end", 3);
	posts(CALL);
	wait_while(&loop, !did.call);
	door_answer(did.call, result(text));
	hears("xend");
}

/* ---- changes ---- */

static void
a_listener_hears_of_changes(void **state)
{
	posts(LIST);
	hears("look");
	asks("GET", &door, "");
	hears(": ok");
	wait_while(&loop, !door.streams.len);
	door_tell_change(&other);
	door_tell_change(&door);
	assert_false(door.was_listed);
	hears("notifications/tools/list_changed");
	mcp_hangs_up(&client);
	wait_while(&loop, door.streams.len);
	door_tell_change(&door); /* to nobody */
}

static void
what_waits_ends_with_its_door(void **state)
{
	posts(CALL);
	wait_while(&loop, !did.call);
	door_close(&door);
	wait_while(&loop, !client.is_over);
	assert_false(has_heard("data:"));
	assert_int_equal(did.drops, 0); /* its owner has closed it */

	asks("GET", &other, "");
	wait_while(&loop, !other.streams.len);
	door_close(&other);
	wait_while(&loop, !client.is_over);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(the_address_is_a_secret_of_its_own),
		TEST(strangers_are_refused),
		TEST(a_door_is_reached_by_its_own_host_only),
		TEST(each_door_has_its_own_tools),
		TEST(one_that_is_closed_is_not_there),
		TEST(it_greets),
		TEST(what_is_no_message_is_refused),
		TEST(a_call_waits_until_it_is_answered),
		TEST(a_call_can_be_answered_at_once),
		TEST(a_call_without_a_name_or_arguments_is_one),
		TEST(one_whose_cli_has_gone_is_dropped),
		TEST(one_that_is_cancelled_is_dropped),
		TEST(a_result_that_is_too_long_is_told_as_that),
		TEST(a_long_result_arrives_as_a_whole),
		TEST(a_listener_hears_of_changes),
		TEST(what_waits_ends_with_its_door),
	};

	log_open("test", LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
