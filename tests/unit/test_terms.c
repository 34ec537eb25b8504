/* terms are said in many places, which must agree */
#include "gateway/terms.h"

#include "proto/limits.h"
#include "tests/unit/unit.h"

enum { PLACES = 3 };

static struct str found;
static const char *where;

static bool
session(const char *body, const char *header, const char *other,
	struct error *e)
{
	const struct said said[PLACES] = {
		{ "session_id", str_of(body) },
		{ "X-Session-Id", str_of(header) },
		{ "X-Resume", str_of(other) },
	};

	where = NULL;
	return terms_session(said, PLACES, &found, &where, e);
}

static bool
cwd(const char *body, const char *header, struct error *e)
{
	const struct said said[] = { { "cwd", str_of(body) },
				     { "X-Cwd", str_of(header) } };

	where = NULL;
	return terms_cwd(said, 2, &found, &where, e);
}

static void
any_place_will_do(void **state)
{
	must(session("a", NULL, NULL, &e));
	assert_str(found, "a");
	must(session(NULL, NULL, "b", &e));
	assert_str(found, "b");
	must(session("c", "c", "c", &e));
	assert_str(found, "c");
	must(cwd(NULL, "/x", &e));
	assert_str(found, "/x");
	must(cwd("/x", "/x", &e));
	assert_str(found, "/x");
}

static void
an_empty_value_says_nothing(void **state)
{
	must(session("", NULL, "", &e));
	assert_null(found.ptr);
	must(session("", "b", NULL, &e));
	assert_str(found, "b");
	must(cwd("", "", &e));
	assert_null(found.ptr);
}

static void
places_that_differ_are_named(void **state)
{
	must_fail(ERR_INVALID,
		  "session_id and X-Resume differ; say it once, or the same",
		  session("a", "a", "b", &e));
	assert_string_equal(where, "X-Resume");
	must_fail(ERR_INVALID, "cwd and X-Cwd differ; say it once, or the same",
		  cwd("/a", "/b", &e));
	assert_string_equal(where, "X-Cwd");
}

static void
what_is_no_session_id_is_named(void **state)
{
	must_fail(ERR_INVALID, "a session id has no control characters",
		  session(NULL, "a\n", NULL, &e));
	assert_string_equal(where, "X-Session-Id");
}

static void
what_is_no_path_is_named(void **state)
{
	char longer[MAX_PATH + 2];

	memset(longer, '/', sizeof longer);
	longer[MAX_PATH + 1] = '\0';
	must_fail(ERR_BAD_CWD, "X-Cwd must be an absolute path",
		  cwd(NULL, "x", &e));
	assert_string_equal(where, "X-Cwd");
	must_fail(ERR_BAD_CWD, "cwd has 4097 bytes; a path has at most 4096",
		  cwd(longer, NULL, &e));
	must_fail(ERR_BAD_CWD, "X-Cwd must be UTF-8", cwd("", "/\xff", &e));
}

static void
an_idempotency_key_is_short_text(void **state)
{
	char longer[MAX_ID + 2];
	struct str key = STR("before");

	must(terms_key(STR("key 1"), &key, &e));
	assert_true(str_is(key, "key 1"));
	must(terms_key(STR(""), &key, &e));
	assert_null(key.ptr);
	memset(longer, 'k', sizeof longer);
	longer[MAX_ID + 1] = '\0';
	must_fail(ERR_INVALID, "an Idempotency-Key has 1 to 256 bytes",
		  terms_key(str_of(longer), &key, &e));
	must_fail(ERR_INVALID, "an Idempotency-Key has no control characters",
		  terms_key(STR("a\tb"), &key, &e));
}

static void
a_count_of_retries_is_a_number_above_zero(void **state)
{
	static const char *const are[] = { "1", " 2 ", "010" };
	static const char *const are_not[] = { "", "0", "00", "-1", "1a", "x" };

	for (size_t i = 0; i < sizeof are / sizeof *are; i++)
		assert_true(terms_is_retry(str_of(are[i])));
	for (size_t i = 0; i < sizeof are_not / sizeof *are_not; i++)
		assert_false(terms_is_retry(str_of(are_not[i])));
	assert_false(terms_is_retry((struct str){ 0 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_place_will_do),
		cmocka_unit_test(an_empty_value_says_nothing),
		cmocka_unit_test(places_that_differ_are_named),
		cmocka_unit_test(what_is_no_session_id_is_named),
		cmocka_unit_test(what_is_no_path_is_named),
		cmocka_unit_test(an_idempotency_key_is_short_text),
		cmocka_unit_test(a_count_of_retries_is_a_number_above_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
