/* What json_read() reads is what jansson reads; the rest it leaves alone. */
#include "tests/unit/unit.h"

#include "proto/buf.h"
#include "workers/io/json_read.h"

static json_t *
loaded(struct str text)
{
	return json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
}

static void
plain_json_is_read_as_jansson_reads_it(void **state)
{
	static const char *const all[] = {
		"{}",
		"[]",
		" [ ] ",
		"{\"a\":1}",
		"[1,-2.5e3,true,false,null]",
		"{\"a\":{\"b\":[{}]},\"a\":2}",
		"[\"\"]",
		"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
		"[\"\\u0000a\\u00e9\\u20ac\\ud83d\\ude00z\"]",
		"[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]",
		"{\"k\\u00e9\\n\":\"v\"}\n",
		"\t[1 , 2 ]\r\n",
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		json_t *want = loaded(str_of(all[i]));
		json_t *got = json_read(str_of(all[i]));

		print_message("%s\n", all[i]);
		assert_non_null(want);
		assert_true(json_equal(got, want));
		json_decref(want);
		json_decref(got);
	}
}

static void
what_is_not_plain_is_left_to_jansson(void **state)
{
	static const char *const all[] = {
		"",
		" ",
		"1",
		"\"a\"",
		"{",
		"[1",
		"[1,]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{1:2}",
		"[1]x",
		"[1][2]",
		"[nul]",
		"[01]",
		"[1.]",
		"[\"a]",
		"[\"\\x\"]",
		"[\"\\u12\"]",
		"[\"\\ud83d\"]",
		"[\"\\ude00\"]",
		"[\"\\ud83d\\u0041\"]",
		"[\"\n\"]",
		"[\"\xff\"]",
		"[\"\xed\xa0\x80\"]",
		"{\"\\u0000\":1}",
		"[1e999]",
		"[99999999999999999999]",
		"[\"\\",
		"[\"\\\"",
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		print_message("%s\n", all[i]);
		assert_null(json_read(str_of(all[i])));
	}
}

static void
deep_nesting_is_left_to_jansson(void **state)
{
	enum { DEEP = 100000 };
	char *text = xcalloc(1, DEEP);
	json_t *nested;

	memset(text, '[', DEEP);
	assert_null(json_read((struct str){ text, DEEP }));
	memset(text + 100, ']', 100);
	nested = json_read((struct str){ text, 200 });
	assert_non_null(nested);
	json_decref(nested);
	free(text);
}

/* Wherever a text is cut, and whichever byte of it is another. */
static void
damaged_json_is_no_other_json(void **state)
{
	char text[] = "{\"a\\n\":[1,\"\\ud83d\\ude00\xc3\xa9\",{\"b\":-1.5}],"
		      "\"c\":true}";
	size_t len = sizeof text - 1;

	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		assert_null(json_read((struct str){ text, i }));
		for (int c = 0; c < 256; c++) {
			struct str s = { text, len };
			json_t *want, *got;

			text[i] = (char)c;
			got = json_read(s);
			want = loaded(s);
			if (got)
				assert_true(json_equal(got, want));
			json_decref(want);
			json_decref(got);
		}
		text[i] = was;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_json_is_read_as_jansson_reads_it),
		cmocka_unit_test(what_is_not_plain_is_left_to_jansson),
		cmocka_unit_test(deep_nesting_is_left_to_jansson),
		cmocka_unit_test(damaged_json_is_no_other_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
