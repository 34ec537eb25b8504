/* fields finds what the gateway needs, wherever a body is cut as it arrives */
#include "gateway/chat/fields.h"
#include "proto/buf.h"
#include "proto/limits.h"
#include "tests/unit/unit.h"

static struct fields fields;

/* As it would arrive: `step` bytes at once. */
static bool
reads(struct str body, size_t step, struct error *e)
{
	struct str so_far = { body.ptr, 0 };

	fields = (struct fields){ 0 };
	while (so_far.len < body.len) {
		so_far.len += step;
		if (so_far.len > body.len)
			so_far.len = body.len;
		if (!fields_read(&fields, so_far, e))
			return false;
	}
	return fields_end(&fields, e);
}

static void
finds(const char *body, enum field which, const char *value)
{
	struct str b = str_of(body);
	struct error e = { 0 };

	for (size_t step = 1; step <= b.len; step++) {
		assert_true(reads(b, step, &e));
		assert_str(fields_value(&fields, b, which), value);
	}
}

static void
refuses(const char *body)
{
	struct str b = str_of(body);
	struct error e = { 0 };

	for (size_t step = 1; step <= b.len + 1; step++) {
		assert_false(reads(b, step, &e));
		assert_int_equal(e.code, ERR_INVALID);
	}
}

static void
a_value_is_found_wherever_it_stands(void **state)
{
	finds("{\"model\":\"a/b\"}", FIELD_MODEL, "\"a/b\"");
	finds(" { \"x\" : [1,{\"model\":2}] , \"model\" : \"m\" } ",
	      FIELD_MODEL, "\"m\"");
	finds("{\"messages\":[{\"a\":\"]}\"}],\"stream\":true}", FIELD_STREAM,
	      "true");
	finds("{\"stream\":true}", FIELD_STREAM, "true");
	finds("{\"messages\":[{\"a\":\"]}\\\"\"}]}", FIELD_MESSAGES,
	      "[{\"a\":\"]}\\\"\"}]");
	finds("{\"cwd\":null ,\"a\":-1e5}", FIELD_CWD, "null");
}

static void
a_name_may_be_written_with_escapes(void **state)
{
	finds("{\"mod\\u0065l\":1}", FIELD_MODEL, "1");
	finds("{\"model\\\"\":1,\"model\":2}", FIELD_MODEL, "2");
}

static void
what_nobody_needs_is_not_looked_at(void **state)
{
	finds("{\"seed\":123456789012345678901234567890,\"model\":1}",
	      FIELD_MODEL, "1");
	finds("{\"a\":\"\\ud800\",\"b\":\"\xff\",\"model\":1}", FIELD_MODEL,
	      "1");
	finds("{\"a\":1e999,\"model\":1}", FIELD_MODEL, "1");
}

static void
what_is_no_object_is_refused(void **state)
{
	static const char *const bodies[] = {
		"",	 "{",		"[]",	     "1",	  "\"x\"",
		"{}x",	 "{\"a\"}",	"{\"a\":}",  "{,}",	  "{\"a\":1,}",
		"{a:1}", "{\"a\":1 2}", "{\"a\":\"", "{\"a\":[1",
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		refuses(bodies[i]);
}

static void
a_field_that_is_there_twice_is_refused(void **state)
{
	refuses("{\"model\":1,\"mod\\u0065l\":2}");
	refuses("{\"cwd\":\"/a\",\"x\":1,\"cwd\":\"/b\"}");
}

/* {"a":[ `n` times `piece` 0 and `closing` ]} */
static bool
repeats(const char *piece, size_t n, const char *closing, struct error *e)
{
	struct buf b = BUF_INIT(64 << 20);
	bool ok;

	buf_print(&b, "{\"a\":[");
	for (size_t i = 0; i < n; i++)
		buf_print(&b, "%s", piece);
	buf_print(&b, "0");
	for (size_t i = 0; i < n; i++)
		buf_print(&b, "%s", closing);
	buf_print(&b, "]}");
	ok = reads(buf_str(&b), 4096, e);
	buf_fini(&b);
	return ok;
}

static void
what_is_too_deep_or_too_much_is_refused(void **state)
{
	must(repeats("[", MAX_BODY_DEPTH - 2, "]", &e));
	must(repeats("[],", 4 * MAX_BODY_DEPTH, "", &e));
	must(repeats("0,", MAX_BODY_VALUES - 10, "", &e));
	must_fail(ERR_INVALID, "the body is nested deeper than 512 levels",
		  repeats("{\"a\":", MAX_BODY_DEPTH - 1, "}", &e));
	must_fail(ERR_TOO_LARGE, "the body has more than 1048576 values",
		  repeats("0,", MAX_BODY_VALUES, "", &e));
}

static void
what_stands_in_a_text_is_no_value(void **state)
{
	must(repeats("\"[[,,\\\"[,\\\\\",", 1000, "", &e));
	must_fail(ERR_INVALID, "the body is nested deeper than 512 levels",
		  repeats("[\"\\\\\",[", MAX_BODY_DEPTH / 2, "]]", &e));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_found_wherever_it_stands),
		cmocka_unit_test(a_name_may_be_written_with_escapes),
		cmocka_unit_test(what_nobody_needs_is_not_looked_at),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(a_field_that_is_there_twice_is_refused),
		cmocka_unit_test(what_is_too_deep_or_too_much_is_refused),
		cmocka_unit_test(what_stands_in_a_text_is_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
