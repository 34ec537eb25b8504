/* What workers/passthrough/splice promises. */
#include "unit.h"

#include "workers/passthrough/splice.h"

static struct buf out;

static void
spliced(const char *body, const char *model, const char *want)
{
	out = BUF_INIT(1 << 16);
	must(splice_model(&out, str_of(body), str_of(model), &e));
	assert_str(buf_str(&out), want);
	buf_fini(&out);
}

static void
refused(const char *body, const char *why)
{
	out = BUF_INIT(1 << 16);
	must_fail(ERR_INVALID, why,
		  splice_model(&out, str_of(body), STR("m"), &e));
	buf_fini(&out);
}

static void
only_the_model_is_another(void **state)
{
	spliced("{\"model\":\"openai/gpt\"}", "gpt", "{\"model\":\"gpt\"}");
	spliced(" {\n \"x\" : 1.50e0 ,\t\"model\" : \"a\" , \"y\":[ ] }\r\n",
		"b",
		" {\n \"x\" : 1.50e0 ,\t\"model\" : \"b\" , \"y\":[ ] }\r\n");
	spliced("{\"a\":null,\"b\":true,\"c\":-0.0,\"model\":\"a\"}", "",
		"{\"a\":null,\"b\":true,\"c\":-0.0,\"model\":\"\"}");
}

static void
a_model_further_in_is_somebody_elses(void **state)
{
	spliced("{\"o\":{\"model\":\"x\"},\"l\":[{\"model\":\"y\"}],"
		"\"model\":\"z\"}",
		"m",
		"{\"o\":{\"model\":\"x\"},\"l\":[{\"model\":\"y\"}],"
		"\"model\":\"m\"}");
}

static void
every_one_of_several_is_replaced(void **state)
{
	spliced("{\"model\":\"x\",\"a\":1,\"model\":\"y\",\"model\":\"z\"}",
		"m",
		"{\"model\":\"m\",\"a\":1,\"model\":\"m\",\"model\":\"m\"}");
}

static void
a_key_may_be_written_with_escapes(void **state)
{
	spliced("{\"mod\\u0065l\":\"x\"}", "m", "{\"mod\\u0065l\":\"m\"}");
	spliced("{\"\\u006D\\u006f\\u0064\\u0065\\u006C\":\"x\"}", "m",
		"{\"\\u006D\\u006f\\u0064\\u0065\\u006C\":\"m\"}");
	refused("{\"mod\\u0165l\":\"x\",\"\\u006\":1,\"mod\\\\u0065l\":1,"
		"\"mode\":1,\"models\":1,\"Model\":1,\"\":1}",
		"model: is missing");
}

static void
strings_may_look_like_anything(void **state)
{
	spliced("{\"t\":\"}{][,\\\"model\\\":\\\\\",\"model\":\"\\\\\\\"}\","
		"\"u\":[\"]\\\\\",\"\\\"}\"]}",
		"m",
		"{\"t\":\"}{][,\\\"model\\\":\\\\\",\"model\":\"m\","
		"\"u\":[\"]\\\\\",\"\\\"}\"]}");
	spliced("{\"a\":\"model\",\"model\":\"x\"}", "m",
		"{\"a\":\"model\",\"model\":\"m\"}");
}

static void
whatever_the_model_was_it_is_replaced_whole(void **state)
{
	spliced("{\"model\":{\"model\":[1,\"]\"]}, \"a\":1}", "m",
		"{\"model\":\"m\", \"a\":1}");
	spliced("{\"model\":null}", "m", "{\"model\":\"m\"}");
	spliced("{\"model\":12 ,\"a\":1}", "m", "{\"model\":\"m\" ,\"a\":1}");
}

static void
the_new_model_is_written_as_json(void **state)
{
	spliced("{\"model\":0}", "a\"b\\c\n\x01\xc3\xa9/d",
		"{\"model\":\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9/d\"}");
}

/* What no parser of ours would take may mean something to a vendor. */
static void
nothing_else_is_judged(void **state)
{
	static const char *const odd[] = {
		"\"\\ud83d\"",
		"\"a\\u0000b\"",
		"\"\xff\xfe\"",
		"1e999",
		"99999999999999999999999999",
		"-0",
		"NaN",
		"\"a\nb\"",
		"\"\\x\"",
		"[1,]",
		"{\"a\"}",
	};

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		auto_free char *body =
			copy_format("{\"x\":%s,\"model\":\"a/b\",\"y\":[%s]}",
				    odd[i], odd[i]);
		auto_free char *want =
			copy_format("{\"x\":%s,\"model\":\"b\",\"y\":[%s]}",
				    odd[i], odd[i]);

		spliced(body, "b", want);
	}
	spliced("\xef\xbb\xbf{\"model\":\"a\"}", "b",
		"\xef\xbb\xbf{\"model\":\"b\"}");
}

static void
depth_costs_nothing(void **state)
{
	enum { DEPTH = 1 << 20 };
	struct buf body = BUF_INIT(4 * DEPTH), deep = BUF_INIT(4 * DEPTH);

	buf_print(&body, "{\"a\":");
	for (int i = 0; i < DEPTH; i++)
		must(buf_add(&body, STR("["), &e));
	for (int i = 0; i < DEPTH; i++)
		must(buf_add(&body, STR("]"), &e));
	buf_print(&body, ",\"model\":\"x\"}");
	must(splice_model(&deep, buf_str(&body), STR("y"), &e));
	assert_int_equal(deep.len, body.len);
	buf_fini(&deep);
	buf_fini(&body);
}

static void
what_is_no_object_or_has_no_model_is_refused(void **state)
{
	static const char *const bodies[] = {
		"",
		" ",
		"[]",
		"\"model\"",
		"{",
		"{}",
		"{\"",
		"{\"model",
		"{\"model\"",
		"{\"model\":",
		"{\"model\":\"",
		"{\"model\":\"x",
		"{\"model\":\"x\\\"}",
		"{\"model\":\"x\"",
		"{\"model\":\"x\",",
		"{\"model\":\"x\",}",
		"{\"model\":}",
		"{\"model\":[",
		"{\"model\":[\"}",
		"{model:1}",
		"{\"model\" \"x\"}",
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		refused(bodies[i], "the body is not a JSON object");
	refused("{\"a\":1}", "model: is missing");
}

static void
it_says_when_there_is_no_room(void **state)
{
	out = BUF_INIT(300);
	must_fail(ERR_TOO_LARGE, "more than the allowed 300 bytes",
		  splice_model(&out, STR("{\"model\":1}"),
			       (struct str){ (char[300]){ 0 }, 300 }, &e));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_model_is_another),
		cmocka_unit_test(a_model_further_in_is_somebody_elses),
		cmocka_unit_test(every_one_of_several_is_replaced),
		cmocka_unit_test(a_key_may_be_written_with_escapes),
		cmocka_unit_test(strings_may_look_like_anything),
		cmocka_unit_test(whatever_the_model_was_it_is_replaced_whole),
		cmocka_unit_test(the_new_model_is_written_as_json),
		cmocka_unit_test(nothing_else_is_judged),
		cmocka_unit_test(depth_costs_nothing),
		cmocka_unit_test(what_is_no_object_or_has_no_model_is_refused),
		cmocka_unit_test(it_says_when_there_is_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
