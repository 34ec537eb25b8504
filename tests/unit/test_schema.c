/* What workers/schema promises: what fits, what does not and where, what is no
 * schema, and that nothing costs more than its limits. */
#include "tests/unit/unit.h"

#include <dirent.h>

#include "proto/buf.h"
#include "workers/schema/schema.h"

static json_t *
read(const char *text)
{
	json_error_t why;
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

	if (!json)
		fail_msg("%s: %s", text, why.text);
	return json;
}

static bool
checks(const char *text, bool is_strict, struct error *e)
{
	json_t *schema = read(text);
	bool ok = schema_check(schema, "schema", is_strict, e);

	json_decref(schema);
	return ok;
}

static bool
fits(const char *schema_text, const char *value_text, struct error *e)
{
	json_t *schema = read(schema_text), *value = read(value_text);
	bool ok = schema_check(schema, "schema", false, e);

	if (!ok)
		fail_msg("%s: %s", schema_text, e->text);
	ok = schema_fits(schema, value, e);
	json_decref(schema);
	json_decref(value);
	return ok;
}

#define PERSON                                                                 \
	"{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"}," \
	"\"tags\":{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"b\"]}}},"   \
	"\"required\":[\"name\"],\"additionalProperties\":false}"

static const struct {
	const char *schema, *value, *why; /* NULL: it fits */
} values[] = {
	{ PERSON, "{\"name\":\"x\",\"tags\":[\"a\"]}", NULL },
	{ PERSON, "{\"name\":1}",
	  "$.name: must be of the type string, and is a number" },
	{ PERSON, "{}", "$: must have a member \"name\"" },
	{ PERSON, "{\"name\":\"x\",\"y\":1}",
	  "$: must not have a member \"y\"" },
	{ PERSON, "{\"name\":\"x\",\"tags\":[\"a\",\"c\"]}",
	  "$.tags[1]: must be one of \"a\", \"b\", and is \"c\"" },
	{ PERSON, "[]", "$: must be of the type object, and is an array" },
	{ "{\"properties\":{\"a b\":{\"properties\":{\"ü\":{\"const\":1}}}}}",
	  "{\"a b\":{\"ü\":2}}", "$[\"a b\"][\"ü\"]: must be 1, and is 2" },
	{ "{\"type\":[\"string\",\"null\"]}", "null", NULL },
	{ "{\"type\":[\"string\",\"null\"]}", "1",
	  "$: must be of one of the types \"string\", \"null\", and is a "
	  "number" },
	{ "{\"type\":\"integer\"}", "1.0", NULL },
	{ "{\"type\":\"integer\"}", "1.5",
	  "$: must be of the type integer, and is a number" },
	{ "{\"minimum\":2,\"exclusiveMaximum\":5}", "5",
	  "$: must be less than 5, and is 5" },
	{ "{\"multipleOf\":0.01}", "0.07", NULL },
	{ "{\"multipleOf\":0.01}", "0.075",
	  "$: must be a multiple of 0.01, and is 0.074999999999999997" },
	{ "{\"minLength\":2}", "\"ü\"",
	  "$: must have 2 or more characters, and has 1" },
	{ "{\"pattern\":\"^\\\\u00fc\\\\d$\"}", "\"ü1\"", NULL },
	{ "{\"pattern\":\"^a$\"}", "\"a\\n\"",
	  "$: must match the pattern ^a$, and is \"a\\n\"" },
	{ "{\"format\":\"date-time\"}", "\"2026-02-28T23:59:60.5+01:00\"",
	  NULL },
	{ "{\"format\":\"date\"}", "\"2026-02-29\"",
	  "$: must have the format date, and is \"2026-02-29\"" },
	{ "{\"format\":\"email\"}", "\"a.b@example.org\"", NULL },
	{ "{\"format\":\"duration\"}", "\"P1DT2H\"", NULL },
	{ "{\"format\":\"duration\"}", "\"PT\"",
	  "$: must have the format duration, and is \"PT\"" },
	{ "{\"uniqueItems\":true}", "[1,{\"a\":1,\"b\":2},1.0]",
	  "$: must not have the same element twice: 1, at [2]" },
	{ "{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1.0}]",
	  "$: must not have the same element twice: {\"a\":1,\"b\":2}, at "
	  "[1]" },
	{ "{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}",
	  "[\"a\",1]", "$[1]: must not be there" },
	{ "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\","
	  "\"properties\":{\"k\":{\"const\":\"a\"},\"n\":{\"type\":"
	  "\"number\"}}}]}",
	  "{\"k\":\"a\",\"n\":\"x\"}",
	  "$: fits none of the 2 alternatives; closest: $.n: must be of the "
	  "type number, and is a string" },
	{ "{\"oneOf\":[{\"type\":\"number\"},{\"type\":\"integer\"}]}", "1",
	  "$: fits more than one of the 2 alternatives" },
	{ "{\"not\":{\"type\":\"null\"}}", "null",
	  "$: must not be what \"not\" describes" },
	{ "{\"if\":{\"type\":\"string\"},\"then\":{\"maxLength\":1},\"else\":"
	  "{\"type\":\"null\"}}",
	  "1", "$: must be of the type null, and is a number" },
	{ "{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\","
	  "\"properties\":{\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/node\"},{"
	  "\"type\":\"null\"}]},\"n\":{\"type\":\"number\"}},\"required\":["
	  "\"n\"]}}}",
	  "{\"n\":1,\"next\":{\"n\":2,\"next\":{\"next\":null}}}",
	  "$.next: fits none of the 2 alternatives; closest: $.next.next: "
	  "fits none of the 2 alternatives; closest: $.next.next: must have a "
	  "member \"n\"" },
	{ "{\"$defs\":{\"a~/%\":{\"const\":1}},\"$ref\":\"#/$defs/"
	  "a~0~1%25\"}",
	  "2", "$: must be 1, and is 2" },
	{ "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":1}",
	  "$: must have a member \"b\"" },
	{ "{\"contains\":{\"const\":1},\"minContains\":2}", "[1,2]",
	  "$: must have 2 or more elements that fit \"contains\", and has 1" },
	{ "{\"x-own\":1,\"type\":\"null\"}", "null", NULL },
};

static void
a_value_fits_or_the_error_says_where_it_does_not(void **state)
{
	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		if (values[i].why)
			must_fail(ERR_INVALID_OUTPUT, values[i].why,
				  fits(values[i].schema, values[i].value, &e));
		else
			must(fits(values[i].schema, values[i].value, &e));
}

static const struct {
	const char *schema, *why;
} no_schemas[] = {
	{ "{\"type\":\"strng\"}",
	  "schema.type: must be one of string, number, integer, boolean, "
	  "object, array, null" },
	{ "{\"properties\":{\"a\":{\"items\":[{\"type\":1}]}}}",
	  "schema.properties.a.items[0].type: must be one of string, number, "
	  "integer, boolean, object, array, null" },
	{ "{\"properties\":[]}", "schema.properties: must be an object" },
	{ "{\"required\":[1]}", "schema.required[0]: must be a string" },
	{ "{\"anyOf\":[]}", "schema.anyOf: must not be empty" },
	{ "{\"minLength\":-1}",
	  "schema.minLength: must be a whole number from 0 up" },
	{ "{\"multipleOf\":0}", "schema.multipleOf: must be a number above 0" },
	{ "{\"pattern\":\"(\"}",
	  "schema.pattern: is no regular expression: missing closing "
	  "parenthesis, at byte 1" },
	{ "{\"$ref\":\"#/$defs/x\"}",
	  "schema.$ref: there is no schema at \"#/$defs/x\"" },
	{ "{\"$ref\":\"https://example.org/x\"}",
	  "schema.$ref: \"https://example.org/x\" must begin with \"#/\": only "
	  "what is in the schema itself can be referred to" },
	{ "{\"$ref\":\"#\"}",
	  "schema.$ref: \"#\" refers to itself without end" },
	{ "{\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/b\"}]},\"b\":{"
	  "\"not\":{\"$ref\":\"#/$defs/a\"}}}}",
	  "schema.$defs.a.anyOf[0].$ref: \"#/$defs/b\" refers to itself "
	  "without end" },
	{ "{\"unevaluatedProperties\":false}",
	  "schema.unevaluatedProperties: this keyword is not supported, and "
	  "cannot be passed over: it narrows what is valid" },
};

static void
what_is_no_schema_is_an_error_that_says_where(void **state)
{
	for (size_t i = 0; i < sizeof no_schemas / sizeof *no_schemas; i++)
		must_fail(ERR_INVALID, no_schemas[i].why,
			  checks(no_schemas[i].schema, false, &e));
}

static void
what_is_not_known_is_an_error_only_if_the_schema_is_strict(void **state)
{
	must(checks("{\"x\":1,\"format\":\"colour\"}", false, &e));
	must_fail(ERR_INVALID,
		  "schema.x: this keyword is not known, and the schema is "
		  "strict",
		  checks("{\"x\":1}", true, &e));
	must_fail(ERR_INVALID,
		  "schema.format: \"colour\" is not known, and the schema is "
		  "strict",
		  checks("{\"format\":\"colour\"}", true, &e));
}

static bool
is_strict(const char *text)
{
	json_t *schema = read(text);
	bool is = schema_is_openai_strict(schema);

	json_decref(schema);
	return is;
}

static void
openais_subset_says_all_of_an_object(void **state)
{
	const char *whole = "{\"type\":\"object\",\"properties\":{\"a\":{"
			    "\"type\":\"string\"}},\"required\":[\"a\"],"
			    "\"additionalProperties\":false}";

	assert_true(is_strict(whole));
	assert_false(is_strict(PERSON));
	assert_false(is_strict("{\"type\":\"array\"}"));
	assert_false(is_strict("{\"type\":\"object\"}"));
	assert_false(is_strict(
		"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"
		"\"object\"}},\"required\":[\"a\"],\"additionalProperties\":"
		"false}"));
}

/* Limits */

static void
a_pattern_that_goes_back_and_forth_is_given_up(void **state)
{
	must_fail(ERR_INVALID_OUTPUT,
		  "it is too much to check: a pattern takes too long to match",
		  fits("{\"pattern\":\"^(a+)+$\"}",
		       "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"", &e));
}

/* Whatever is around it: what is not known is not the contrary either. */
static void
a_limit_is_no_answer(void **state)
{
	static const char *const around[] = {
		"{\"not\":%s}", "{\"anyOf\":[%s,true]}", "{\"if\":%s}",
		"{\"oneOf\":[%s,true]}",
		"{\"properties\":{\"x\":1},\"allOf\":[%s]}"
	};

	for (size_t i = 0; i < 4; i++) {
		auto_free char *schema = NULL;
		struct buf b = BUF_INIT(1000);
		const char *at = strstr(around[i], "%s");

		buf_put(&b,
			(struct str){ around[i], (size_t)(at - around[i]) });
		buf_put(&b, STR("{\"pattern\":\"^(a+)+$\"}"));
		buf_put(&b, str_of(at + 2));
		schema = copy(buf_str(&b));
		must_fail(ERR_INVALID_OUTPUT,
			  "it is too much to check: a pattern takes too long "
			  "to match",
			  fits(schema, "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"",
			       &e));
		buf_fini(&b);
	}
}

static char *
nested(const char *open, const char *in, const char *close, size_t n)
{
	struct buf b = BUF_INIT(1 << 20);
	char *text;

	for (size_t i = 0; i < n; i++)
		buf_put(&b, str_of(open));
	buf_put(&b, str_of(in));
	for (size_t i = 0; i < n; i++)
		buf_put(&b, str_of(close));
	text = copy(buf_str(&b));
	buf_fini(&b);
	return text;
}

static void
what_nests_too_deep_is_given_up(void **state)
{
	auto_free char *value = nested("[", "1", "]", 1000);
	auto_free char *schema = nested("{\"not\":", "true", "}", 600);

	must_fail(ERR_INVALID_OUTPUT,
		  "it is too much to check: it nests too deep",
		  fits("{\"items\":{\"$ref\":\"#\"}}", value, &e));
	struct error e = { 0 };
	assert_false(checks(schema, false, &e));
	assert_non_null(strstr(e.text, "nests deeper than 512 levels"));
}

static void
what_is_too_large_is_given_up(void **state)
{
	auto_free char *ones = nested("[1],", "[1]", "", 100000);
	auto_free char *tests = nested("{\"minItems\":0},", "true", "", 60);
	auto_free char *value = copy_format("[%s]", ones);
	auto_free char *schema =
		copy_format("{\"items\":{\"allOf\":[%s]}}", tests);

	must_fail(ERR_INVALID_OUTPUT,
		  "it is too much to check: the value and its schema are too "
		  "large",
		  fits(schema, value, &e));
}

/* The official suite of JSON Schema, if Debian's package of it is there. */
#define SUITE "/usr/share/json-schema-test-suite/tests/draft7"

static unsigned tried, wrong;

/* What needs other documents is refused before anything is checked.  Since
 * 2019-09 keywords beside a reference count. */
static void
try_group(const char *file, const json_t *group)
{
	const json_t *schema = json_object_get(group, "schema"), *test;
	const char *about =
		json_string_value(json_object_get(group, "description"));
	struct error e = { 0 };
	size_t i;

	if (!schema_check(schema, "schema", false, &e) ||
	    !strcmp(about, "ref overrides any sibling keywords"))
		return;
	json_array_foreach (json_object_get(group, "tests"), i, test) {
		bool valid = json_is_true(json_object_get(test, "valid"));

		tried++;
		if (schema_fits(schema, json_object_get(test, "data"), &e) ==
		    valid)
			continue;
		wrong++;
		print_error(
			"%s: %s: %s: should be %s; %s\n", file,
			json_string_value(
				json_object_get(group, "description")),
			json_string_value(json_object_get(test, "description")),
			valid ? "valid" : "invalid", valid ? e.text : "");
	}
}

static void
try_file(const char *path)
{
	json_t *groups = json_load_file(path, JSON_ALLOW_NUL, NULL), *group;
	size_t i;

	json_array_foreach (groups, i, group)
		try_group(path, group);
	json_decref(groups);
}

static void
the_official_suite_agrees(void **state)
{
	static const char *const optional[] = {
		"format/date-time", "format/date", "format/time",
		"format/email",	    "format/ipv4", "format/ipv6",
		"format/hostname",  "format/uri"
	};
	DIR *suite = opendir(SUITE);
	struct dirent *entry;

	if (!suite)
		skip();
	while ((entry = readdir(suite)) != NULL) {
		auto_free char *path = copy_format(SUITE "/%s", entry->d_name);

		if (strstr(entry->d_name, ".json"))
			try_file(path);
	}
	closedir(suite);
	for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
		auto_free char *path =
			copy_format(SUITE "/optional/%s.json", optional[i]);

		try_file(path);
	}
	print_message("%u tests of the suite\n", tried);
	assert_true(tried > 300);
	assert_int_equal(wrong, 0);
}

/* Each of the keywords looks at as many names as the schema likes. */
static void
a_keyword_may_be_long_but_not_for_each_of_many_values(void **state)
{
	enum { NAMES = 50000, VALUES = 50000 };
	json_t *names = json_object(), *objects = json_array();
	json_t *schema =
		json_pack("{s:{s:o}}", "items", "dependentRequired", names);
	struct error why = { 0 };

	for (int i = 0; i < NAMES; i++) {
		char name[16];

		snprintf(name, sizeof name, "n%d", i);
		json_object_set_new(names, name, json_array());
	}
	for (int i = 0; i < VALUES; i++)
		json_array_append_new(objects, json_object());
	must(schema_check(schema, "schema", false, &e));
	assert_false(schema_fits(schema, objects, &why));
	assert_string_equal(why.text, "it is too much to check: the value and "
				      "its schema are too large");
	json_decref(schema);
	json_decref(objects);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_value_fits_or_the_error_says_where_it_does_not),
		cmocka_unit_test(what_is_no_schema_is_an_error_that_says_where),
		cmocka_unit_test(
			what_is_not_known_is_an_error_only_if_the_schema_is_strict),
		cmocka_unit_test(openais_subset_says_all_of_an_object),
		cmocka_unit_test(
			a_pattern_that_goes_back_and_forth_is_given_up),
		cmocka_unit_test(a_limit_is_no_answer),
		cmocka_unit_test(what_nests_too_deep_is_given_up),
		cmocka_unit_test(what_is_too_large_is_given_up),
		cmocka_unit_test(
			a_keyword_may_be_long_but_not_for_each_of_many_values),
		cmocka_unit_test(the_official_suite_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
