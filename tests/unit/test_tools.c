/* What workers/options/tools promises, and what options make of it. */
#include "unit.h"

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/io/json.h"
#include "workers/options/options.h"
#include "workers/options/tools.h"

static json_t *others;

static int
setup(void **state)
{
	others = json_object();
	return 0;
}

static int
teardown(void **state)
{
	json_decref(others);
	return 0;
}

static json_t *
reads(const char *text, struct error *e)
{
	json_t *value = json_loads(text, 0, NULL);
	json_t *all;

	assert_non_null(value);
	json_object_clear(others);
	all = tools_read("tools", value, others, e);
	json_decref(value);
	return all;
}

static void
is_refused(const char *text, const char *why)
{
	struct error e = { 0 };

	assert_null(reads(text, &e));
	assert_int_equal(e.code, ERR_INVALID);
	if (!strstr(e.text, why))
		fail_msg("%s: not %s", e.text, why);
}

#define TOOL(rest) "{\"type\":\"function\",\"function\":{" rest "}}"

static void
a_tool_is_read_as_it_is(void **state)
{
	struct error e = { 0 };
	json_t *all = reads("[" TOOL("\"name\":\"look\",\"description\":\"d\","
				     "\"strict\":true,\"parameters\":{\"type\":"
				     "\"object\",\"properties\":{\"at\":{"
				     "\"$ref\":\"#/x\"}},\"required\":[\"at\"]"
				     ",\"x\":{}}") "]",
			    &e);
	json_t *wanted = json_pack(
		"[{s:s, s:s, s:{s:s, s:{s:{s:s}}, s:[s], s:{}}}]", "name",
		"look", "description", "d", "parameters", "type", "object",
		"properties", "at", "$ref", "#/x", "required", "at", "x");

	assert_true(json_equal(all, wanted));
	assert_int_equal(json_object_size(others), 0);
	json_decref(all);
	json_decref(wanted);
}

/* A CLI may drop all tools if the schema of one is odd. */
static void
each_has_a_schema_of_an_object(void **state)
{
	static const char *const odd[] = {
		"\"name\":\"a\"",
		"\"name\":\"a\",\"parameters\":null,\"description\":null",
		"\"name\":\"a\",\"parameters\":{}",
		"\"name\":\"a\",\"parameters\":{\"type\":\"string\"}",
		("\"name\":\"a\",\"parameters\":{\"type\":null,"
		 "\"properties\":[]}"),
	};

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		auto_free char *text = copy_format("[" TOOL("%s") "]", odd[i]);
		struct error e = { 0 };
		json_t *all = reads(text, &e);
		json_t *wanted =
			json_pack("[{s:s, s:s, s:{s:s, s:{}}}]", "name", "a",
				  "description", "", "parameters", "type",
				  "object", "properties");

		assert_true(json_equal(all, wanted));
		json_decref(all);
		json_decref(wanted);
	}
}

static void
other_shapes_are_read_or_named(void **state)
{
	struct error e = { 0 };
	json_t *all = reads("[{\"name\":\"flat\"},{\"type\":\"custom\","
			    "\"custom\":{\"name\":\"c\"}},{\"type\":"
			    "\"web_search\"},{\"function\":{\"name\":\"f\"}}]",
			    &e);

	assert_int_equal(json_array_size(all), 2);
	assert_string_equal(json_text(json_array_get(all, 0), "name"), "flat");
	assert_int_equal(json_object_size(others), 2);
	assert_non_null(json_object_get(others, "tools.1"));
	assert_non_null(json_object_get(others, "tools.2"));
	json_decref(all);
}

static void
what_is_wrong_is_named(void **state)
{
	struct buf many = BUF_INIT(1 << 20);

	is_refused("[5]", "tools[0]: must be an object");
	is_refused("[" TOOL("") "]", "tools[0].function.name");
	is_refused("[" TOOL("\"name\":\"\"") "]", "function.name");
	is_refused("[" TOOL("\"name\":7") "]", "function.name");
	is_refused("[" TOOL("\"name\":\"two words\"") "]", "function.name");
	is_refused("[" TOOL("\"name\":\"a\"") "," TOOL("\"name\":\"a\"") "]",
		   "tools[1].function.name: another tool");
	is_refused("[" TOOL("\"name\":\"a\",\"parameters\":[]") "]",
		   "parameters");
	buf_put(&many, STR("["));
	for (int i = 0; i <= MAX_TOOLS; i++)
		buf_print(&many, "%s" TOOL("\"name\":\"t%d\""), i ? "," : "",
			  i);
	buf_print(&many, "]%c", 0);
	is_refused(many.ptr, "at most");
	buf_fini(&many);
}

static void
a_name_of_128_characters_is_the_longest(void **state)
{
	char name[MAX_TOOL_NAME + 2];
	struct error e = { 0 };
	json_t *all;

	memset(name, 'x', sizeof name);
	for (size_t len = MAX_TOOL_NAME; len <= MAX_TOOL_NAME + 1; len++) {
		auto_free char *text = copy_format(
			"[" TOOL("\"name\":\"%.*s\"") "]", (int)len, name);

		all = reads(text, &e);
		assert_int_equal(all != NULL, len == MAX_TOOL_NAME);
		json_decref(all);
	}
}

/* ---- names that a CLI cannot carry ---- */

static void
is_told(const char *name, size_t max, bool is_same)
{
	auto_free char *told = tool_told_name(name, max);

	assert_true(strlen(told) <= max);
	assert_int_equal(!strcmp(told, name), is_same);
	assert_null(strpbrk(told, ".:/ "));
}

static void
names_are_mapped_there_and_back(void **state)
{
	struct error e = { 0 };
	json_t *all = reads("[{\"name\":\"a.b\"},{\"name\":\"a_b\"},{\"name\":"
			    "\"a/b\"},{\"name\":\"a:b\"},"
			    "{\"name\":\"a-very-long-name-that-ends-in-one\"},"
			    "{\"name\":\"a-very-long-name-that-ends-in-two\"}]",
			    &e);
	const json_t *tool;
	size_t i;

	is_told("look_at-it9", 20, true);
	is_told("look_at-it9", 10, false);
	is_told("a.b", 20, false);
	json_array_foreach (all, i, tool) {
		auto_free char *told =
			tool_told_name(json_text(tool, "name"), 20);

		assert_ptr_equal(tools_find_told(all, told, 20), tool);
	}
	assert_null(tools_find_told(all, "a.b", 20));
	assert_null(tools_find_told(all, "nothing", 20));
	assert_null(tools_find_told(NULL, "nothing", 20));
	json_decref(all);
}

/* ---- choice ---- */

static bool
chooses(const char *text, enum tool_choice *choice, const char **name,
	json_t **value, struct error *e)
{
	json_decref(*value);
	*value = json_loads(text, JSON_DECODE_ANY, NULL);
	*name = NULL;
	return tools_read_choice("tool_choice", *value, choice, name, e);
}

static void
a_choice_is_a_word_or_a_tool(void **state)
{
	enum tool_choice choice;
	const char *name;
	json_t *value = NULL;
	struct error why = { 0 };

	must(chooses("\"auto\"", &choice, &name, &value, &e));
	assert_int_equal(choice, TOOL_CHOICE_AUTO);
	must(chooses("\"none\"", &choice, &name, &value, &e));
	assert_int_equal(choice, TOOL_CHOICE_NONE);
	must(chooses("\"required\"", &choice, &name, &value, &e));
	assert_int_equal(choice, TOOL_CHOICE_REQUIRED);
	assert_null(name);
	must(chooses("{\"type\":\"function\",\"function\":{\"name\":\"a\"}}",
		     &choice, &name, &value, &e));
	assert_int_equal(choice, TOOL_CHOICE_NAMED);
	assert_string_equal(name, "a");
	must(chooses("{\"type\":\"function\",\"name\":\"b\"}", &choice, &name,
		     &value, &e));
	assert_string_equal(name, "b");
	assert_false(chooses("\"any\"", &choice, &name, &value, &why));
	assert_false(chooses("{}", &choice, &name, &value, &why));
	assert_int_equal(why.code, ERR_INVALID);
	json_decref(value);
}

/* ---- a conversation that keeps its tools ---- */

/* The text that the session of such a request has. */
static char *
text_of(const char *body, struct options *o)
{
	json_t *json = json_loads(body, 0, NULL);

	must(options_read(o, json, NULL, &e));
	o->keeps_tools = true;
	must(options_inherit(o, NULL, &e));
	json_decref(json);
	return o->text ? copy(str_of(o->text)) : NULL;
}

#define A "{\"name\":\"a\"}"
#define B "{\"name\":\"b\"}"

static void
a_session_knows_the_tools_that_it_was_begun_with(void **state)
{
	static const struct {
		const char *had, *wanted;
		bool is_same;
	} cases[] = {
		{ "{}", "{}", true },
		{ "{}", "{\"tools\":[]}", true },
		{ "{}", "{\"tools\":[" A "]}", false },
		{ "{\"tools\":[" A "]}", "{}", false },
		{ "{\"tools\":[" A "]}", "{\"tools\":[" A "]}", true },
		{ "{\"tools\":[" A "]}", "{\"tools\":[" B "]}", false },
		{ "{\"tools\":[" A "]}", "{\"tools\":[" A "," B "]}", false },
		{ "{\"tools\":[" A "]}",
		  "{\"tools\":[" A "],\"tool_choice\":\"none\"}", true },
		{ "{\"tools\":[" A "],\"tool_choice\":\"none\"}",
		  "{\"tools\":[" A "]}", true },
		{ "{\"tools\":[" A "]}",
		  "{\"tools\":[" A "],\"bridge\":{\"builtin_tools\":true}}",
		  false },
		{ "{\"mode\":\"hosted-safe\",\"tools\":[" A "]}",
		  "{\"tools\":[" A "]}", true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct options had, wanted;
		auto_free char *text = text_of(cases[i].had, &had);

		free(text_of(cases[i].wanted, &wanted));
		if (options_has_tools_of(&wanted, text) != cases[i].is_same)
			fail_msg("%s and %s", cases[i].had, cases[i].wanted);
		options_fini(&had);
		options_fini(&wanted);
	}
}

static void
a_call_is_made_with_json_of_any_kind(void **state)
{
	static const char *const cases[][2] = {
		{ "{\"a\":1}", "{\"a\":1}" },
		{ "\"x\"", "\"x\"" },
		{ "[1,2]", "[1,2]" },
		{ "5", "5" },
		{ "null", "{}" },
	};
	char *none = call_arguments(NULL);

	assert_string_equal(none, "{}");
	free(none);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_auto_t *said =
			json_loads(cases[i][0], JSON_DECODE_ANY, NULL);
		char *text = call_arguments(said);

		assert_string_equal(text, cases[i][1]);
		free(text);
	}
}

static void
tools_are_no_term_that_is_inherited(void **state)
{
	struct options had, wanted;
	auto_free char *text = text_of("{\"tools\":[" A "]}", &had);
	auto_free char *now = text_of("{}", &wanted);

	assert_non_null(text);
	assert_null(now);
	must(options_inherit(&wanted, text, &e));
	assert_null(wanted.tools);
	assert_null(wanted.text);
	options_fini(&had);
	options_fini(&wanted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_tool_is_read_as_it_is),
		TEST(each_has_a_schema_of_an_object),
		TEST(other_shapes_are_read_or_named),
		TEST(what_is_wrong_is_named),
		TEST(a_name_of_128_characters_is_the_longest),
		TEST(names_are_mapped_there_and_back),
		TEST(a_choice_is_a_word_or_a_tool),
		TEST(a_session_knows_the_tools_that_it_was_begun_with),
		TEST(a_call_is_made_with_json_of_any_kind),
		TEST(tools_are_no_term_that_is_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
