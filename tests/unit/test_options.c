/* What workers/options promises: one value, wherever it was said. */
#include "tests/unit/unit.h"

#include "proto/buf.h"
#include "workers/options/effort.h"
#include "workers/options/options.h"

static struct options o;

static int
forget(void **state)
{
	options_fini(&o);
	return 0;
}

static bool
reads(const char *body, const char *headers, struct error *e)
{
	json_t *b = json_loads(body, 0, NULL);
	json_t *h = headers ? json_loads(headers, 0, NULL) : NULL;
	bool ok;

	assert_non_null(b);
	options_fini(&o);
	ok = options_read(&o, b, h, e);
	json_decref(b);
	json_decref(h);
	return ok;
}

static void
nothing_is_asked_for(void **state)
{
	must(reads("{\"model\":\"x\",\"mode\":null,\"effort\":\"\"}", NULL,
		   &e));
	assert_int_equal(o.mode, MODE_BYOB);
	assert_int_equal(o.effort, EFFORT_USUAL);
	assert_int_equal(o.format, FORMAT_TEXT);
	assert_null(o.text);
	must(options_inherit(&o, NULL, &e));
	assert_null(o.text);
}

static void
a_field_counts_before_a_header(void **state)
{
	must(reads("{}", "{\"X-Bridge-Mode\":\" hosted-safe \"}", &e));
	assert_int_equal(o.mode, MODE_SAFE);
	must(reads("{\"mode\":\"byob\"}", "{\"X-Bridge-Mode\":\"hosted-safe\"}",
		   &e));
	assert_int_equal(o.mode, MODE_BYOB);
	must(reads("{\"effort\":\"low\"}", NULL, &e));
	assert_int_equal(o.effort, EFFORT_LOW);
	must(reads("{\"effort\":\"low\",\"reasoning_effort\":\"max\"}", NULL,
		   &e));
	assert_int_equal(o.effort, EFFORT_MAX);
}

static bool
settles(const char *word, bool strict, unsigned can, enum effort *effort,
	struct error *e)
{
	auto_free char *body =
		copy_format("{\"reasoning_effort\":\"%s\"}", word);

	if (!reads(body, NULL, e))
		fail_msg("%s", e->text);
	o.is_strict = strict;
	return effort_settle(&o, "acme", can, effort, e);
}

/* But medium asks for what is usual where there is no such word. */
static void
an_effort_that_nobody_takes_is_refused(void **state)
{
	const unsigned can = EFFORT_BIT(EFFORT_NONE) | EFFORT_BIT(EFFORT_LOW);
	enum effort effort = EFFORT_MAX;

	must(settles("low", false, can, &effort, &e));
	assert_int_equal(effort, EFFORT_LOW);
	must(settles("medium", false, can, &effort, &e));
	assert_int_equal(effort, EFFORT_USUAL);
	must_fail(ERR_UNSUPPORTED,
		  "reasoning_effort: acme takes no \"medium\", only none, low",
		  settles("medium", true, can, &effort, &e));
	must_fail(ERR_UNSUPPORTED,
		  "reasoning_effort: acme takes no \"max\", only none, low",
		  settles("ultracode", false, can, &effort, &e));
	must_fail(ERR_UNSUPPORTED,
		  "reasoning_effort: acme cannot be told how long to think: "
		  "leave it out",
		  settles("none", false, 0, &effort, &e));
}

/* It is of one turn, but a process may have it. */
static void
an_effort_is_picked_for_a_process(void **state)
{
	struct options picked;
	char *text;

	must(reads("{\"effort\":\"low\"}", NULL, &e));
	options_pick(&picked, &o, BINDS_EFFORT);
	assert_int_equal(picked.effort, EFFORT_LOW);
	options_fini(&picked);
	options_pick(&picked, &o, BINDS_MODE);
	assert_int_equal(picked.effort, EFFORT_USUAL);
	options_fini(&picked);
	text = options_keep_effort(NULL);
	must(reads("{}", NULL, &e));
	must(options_inherit(&o, text, &e));
	free(text);
	options_pick(&picked, &o, BINDS_EFFORT);
	assert_int_equal(picked.effort, EFFORT_MEDIUM);
	options_fini(&picked);
}

static void
a_sandbox_is_a_mode_if_none_is_named(void **state)
{
	must(reads("{}", "{\"X-Sandbox\":\"YES\"}", &e));
	assert_int_equal(o.mode, MODE_SANDBOXED);
	must(reads("{}", "{\"X-Sandbox\":\"0\"}", &e));
	assert_int_equal(o.mode, MODE_BYOB);
	must(reads("{}",
		   "{\"X-Sandbox\":\"1\",\"X-Bridge-Mode\":\"hosted-safe\"}",
		   &e));
	assert_int_equal(o.mode, MODE_SAFE);
}

static void
byob_is_no_term(void **state)
{
	must(reads("{\"mode\":\"byob\"}", NULL, &e));
	assert_null(o.text);
	must(options_inherit(&o, "{\"mode\":\"hosted-safe\"}", &e));
	assert_int_equal(o.mode, MODE_BYOB);
	assert_null(o.text);
	must(options_inherit(
		&o, "{\"mcp\":{\"a\":{}},\"mode\":\"hosted-safe\"}", &e));
	assert_string_equal(o.text, "{\"mcp\":{\"a\":{}}}");
	must(reads("{}", NULL, &e));
	must(options_inherit(&o, "{\"mode\":\"hosted-safe\"}", &e));
	assert_int_equal(o.mode, MODE_SAFE);
}

static void
no_servers_are_no_term(void **state)
{
	must(reads("{\"mcp\":{\"mcpServers\":{}}}", NULL, &e));
	assert_null(o.text);
	must(options_inherit(&o, "{\"mcp\":{\"a\":{}}}", &e));
	assert_null(o.servers);
	assert_null(o.text);
}

static void
servers_can_be_told_anew(void **state)
{
	struct options had;

	must(reads("{\"mode\":\"hosted-safe\",\"mcp\":{\"mcpServers\":"
		   "{\"a\":{\"command\":\"x\"}}}}",
		   NULL, &e));
	options_copy(&had, &o);
	must(reads("{\"mode\":\"hosted-safe\"}", NULL, &e));
	assert_false(options_suit(&had, &o, 0, 0));
	assert_true(options_suit(&had, &o, 0, BINDS_MCP));
	assert_false(options_suit(&had, &o, 0, BINDS_PROFILE));
	must(reads("{}", NULL, &e));
	assert_false(options_suit(&had, &o, 0, BINDS_MCP));
	options_fini(&had);
}

static void
a_part_of_the_terms_can_be_picked(void **state)
{
	struct options some;

	must(reads(
		"{\"mode\":\"hosted-safe\",\"agent_profile\":{\"name\":\"x\"}}",
		NULL, &e));
	options_pick(&some, &o, BINDS_MODE);
	assert_string_equal(some.text, "{\"mode\":\"hosted-safe\"}");
	assert_int_equal(some.mode, MODE_SAFE);
	assert_null(some.profile);
	options_fini(&some);
	options_pick(&some, &o, BINDS_MCP);
	assert_null(some.text);
	options_fini(&some);
	options_pick(&some, NULL, BINDS_MODE);
	assert_null(some.text);
	options_fini(&some);
}

static void
the_mode_can_be_read_alone(void **state)
{
	json_t *headers = json_pack("{s:s, s:s}", "X-Sandbox", "1",
				    "X-Mcp-Config", "no JSON");
	json_t *body = json_pack("{s:s}", "mode", "hosted-safe");
	enum mode mode;

	must(options_read_mode(&mode, body, headers, &e));
	assert_int_equal(mode, MODE_SAFE);
	must(options_read_mode(&mode, NULL, headers, &e));
	assert_int_equal(mode, MODE_SANDBOXED);
	must(options_read_mode(&mode, NULL, NULL, &e));
	assert_int_equal(mode, MODE_BYOB);
	json_object_set_new(body, "mode", json_string("weird"));
	must_fail(ERR_INVALID,
		  "mode: \"weird\" is none of: byob, hosted-safe, "
		  "hosted-sandboxed",
		  options_read_mode(&mode, body, NULL, &e));
	json_decref(body);
	json_decref(headers);
}

static void
a_wrong_value_is_named(void **state)
{
	must_fail(ERR_INVALID,
		  "mode: \"weird\" is none of: byob, hosted-safe, "
		  "hosted-sandboxed",
		  reads("{\"mode\":\"weird\"}", NULL, &e));
	must_fail(ERR_INVALID, "mode: must be a text",
		  reads("{\"mode\":1}", NULL, &e));
	must_fail(ERR_INVALID, "effort: must be a text",
		  reads("{\"effort\":{}}", NULL, &e));
	must_fail(ERR_INVALID, "X-Bridge-Strict: must be true or false",
		  reads("{}", "{\"X-Bridge-Strict\":\"perhaps\"}", &e));
	must_fail(ERR_INVALID, "X-Mcp-Config: is not valid JSON",
		  reads("{}", "{\"X-Mcp-Config\":\"{\"}", &e));
	must_fail(ERR_INVALID,
		  "response_format.type: must be text, json_object or "
		  "json_schema",
		  reads("{\"response_format\":{\"type\":\"xml\"}}", NULL, &e));
	must_fail(ERR_INVALID,
		  "mcp.mcpServers.a.command: must be the name of a program",
		  reads("{\"mcp\":{\"mcpServers\":{\"a\":{}}}}", NULL, &e));
	must_fail(ERR_UNSUPPORTED,
		  "mcp.mcpServers.a.trust: is not known; what is: type "
		  "transport command args env url headers timeout enabled "
		  "disabled description",
		  reads("{\"mcp\":{\"mcpServers\":{\"a\":{\"command\":\"x\","
			"\"trust\":true}}}}",
			NULL, &e));
}

static void
servers_of_body_and_header_are_taken_together(void **state)
{
	must(reads("{\"mcp\":{\"mcpServers\":{\"a\":{\"command\":\"body\"},"
		   "\"off\":{\"command\":\"x\",\"enabled\":false}}}}",
		   "{\"X-Mcp-Config\":\"{\\\"mcpServers\\\":{"
		   "\\\"a\\\":{\\\"command\\\":\\\"header\\\"},"
		   "\\\"b\\\":{\\\"url\\\":\\\"http://x\\\"}}}\"}",
		   &e));
	assert_string_equal(
		o.text,
		"{\"mcp\":{\"a\":{\"type\":\"stdio\",\"command\":\"body\","
		"\"args\":[],\"env\":{}},\"b\":{\"type\":\"http\","
		"\"url\":\"http://x\",\"headers\":{}}}}");
}

static void
what_is_left_out_is_as_before(void **state)
{
	auto_free char *text = NULL;

	must(reads("{\"mode\":\"hosted-safe\",\"agent_profile\":{\"a\":1,"
		   "\"b\":2}}",
		   NULL, &e));
	text = copy(str_of(o.text));
	must(reads("{}", NULL, &e));
	must(options_inherit(&o, text, &e));
	assert_string_equal(o.text, text);
	assert_int_equal(o.mode, MODE_SAFE);
	assert_int_equal(json_object_size(o.profile), 2);

	/* the session is another one now */
	must(options_inherit(&o, NULL, &e));
	assert_null(o.text);
	assert_null(o.profile);

	/* another order is no other profile, and the text stays */
	must(reads("{\"agent_profile\":{\"b\":2,\"a\":1}}", NULL, &e));
	must(options_inherit(&o, text, &e));
	assert_string_equal(o.text, text);
}

static void
another_profile_is_a_conflict(void **state)
{
	static const char text[] = "{\"agent_profile\":{\"a\":1}}";

	must(reads("{\"agent_profile\":{\"a\":2}}", NULL, &e));
	must_fail(ERR_BINDING,
		  "agent_profile: the session has the profile "
		  "4864c82c39d109e6, and the request has 5b07ec1de465706c: "
		  "leave it out, say \"rebind_profile\": true, or use another "
		  "session_id",
		  options_inherit(&o, text, &e));
	must(reads("{\"agent_profile\":{\"a\":2},\"rebind_profile\":true}",
		   NULL, &e));
	must(options_inherit(&o, text, &e));
	assert_string_equal(o.text, "{\"agent_profile\":{\"a\":2}}");
}

static void
what_is_bound_must_be_the_same(void **state)
{
	struct options low;

	must(reads("{\"effort\":\"low\"}", NULL, &e));
	options_copy(&low, &o);
	assert_true(options_suit(&low, &o, BINDS_EFFORT, 0));
	must(reads("{}", NULL, &e));
	assert_false(options_suit(&low, &o, BINDS_EFFORT, 0));
	assert_true(options_suit(&low, &o, 0, 0));
	must(reads("{\"effort\":\"low\",\"mode\":\"hosted-safe\"}", NULL, &e));
	assert_false(options_suit(&low, &o, 0, 0));
	options_fini(&low);
}

/* They are kept with the session, and written with each of its turns. */
static void
servers_have_a_size(void **state)
{
	json_t *env = json_object(), *body;
	auto_free char *value = xcalloc(1, MAX_SERVERS_BYTES + 1);
	struct error why = { 0 };

	memset(value, 'v', MAX_SERVERS_BYTES);
	json_object_set_new(env, "V", json_string(value));
	body = json_pack("{s:{s:{s:{s:s, s:o}}}}", "mcp", "mcpServers", "a",
			 "command", "x", "env", env);
	options_fini(&o);
	assert_false(options_read(&o, body, NULL, &why));
	assert_int_equal(why.code, ERR_INVALID);
	assert_non_null(strstr(why.text, "at most 32 servers and 1048576"));
	json_object_set_new(env, "V", json_string("short"));
	options_fini(&o);
	must(options_read(&o, body, NULL, &e));
	json_decref(body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nothing_is_asked_for, forget),
		cmocka_unit_test_teardown(a_field_counts_before_a_header,
					  forget),
		cmocka_unit_test_teardown(a_sandbox_is_a_mode_if_none_is_named,
					  forget),
		cmocka_unit_test_teardown(
			an_effort_that_nobody_takes_is_refused, forget),
		cmocka_unit_test_teardown(an_effort_is_picked_for_a_process,
					  forget),
		cmocka_unit_test_teardown(byob_is_no_term, forget),
		cmocka_unit_test_teardown(no_servers_are_no_term, forget),
		cmocka_unit_test_teardown(servers_can_be_told_anew, forget),
		cmocka_unit_test_teardown(servers_have_a_size, forget),
		cmocka_unit_test_teardown(a_part_of_the_terms_can_be_picked,
					  forget),
		cmocka_unit_test_teardown(the_mode_can_be_read_alone, forget),
		cmocka_unit_test_teardown(a_wrong_value_is_named, forget),
		cmocka_unit_test_teardown(
			servers_of_body_and_header_are_taken_together, forget),
		cmocka_unit_test_teardown(what_is_left_out_is_as_before,
					  forget),
		cmocka_unit_test_teardown(another_profile_is_a_conflict,
					  forget),
		cmocka_unit_test_teardown(what_is_bound_must_be_the_same,
					  forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
