/* A row of the models has what clients insist on, and what is known */
#include "tests/unit/unit.h"

#include "proto/buf.h"
#include "workers/capabilities.h"
#include "workers/cli/models.h"

#define CAN ",\"capabilities\":[\"images\",\"cwd\"]"

/* Takes `told`. */
static void
is(json_t *told, const char *want)
{
	json_t *row = models_row("cli", CAN_IMAGES | CAN_CWD, told);
	auto_free char *got = row ? json_dumps(row, JSON_COMPACT) : NULL;

	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
	json_decref(row);
	json_decref(told);
}

static void
an_id_alone_is_a_row(void **state)
{
	static const char want[] =
		"{\"id\":\"cli/a/b\",\"object\":\"model\",\"created\":0,"
		"\"owned_by\":\"cli\"" CAN "}";

	is(json_string("a/b"), want);
	is(json_pack("{s:s}", "id", "a/b"), want);
}

static void
what_is_known_is_told(void **state)
{
	is(json_pack("{s:s, s:s, s:i, s:i}", "id", "a", "name", "A One",
		     "context_length", 200000, "created", 1700000000),
	   "{\"id\":\"cli/a\",\"object\":\"model\",\"created\":1700000000,"
	   "\"owned_by\":\"cli\"" CAN ",\"name\":\"A One\","
	   "\"context_length\":200000}");
}

static void
what_makes_no_sense_is_left_out(void **state)
{
	is(json_pack("{s:s, s:s, s:f, s:i, s:s}", "id", "a", "name", "",
		     "context_length", 1.5, "created", -1, "object", "x"),
	   "{\"id\":\"cli/a\",\"object\":\"model\",\"created\":0,"
	   "\"owned_by\":\"cli\"" CAN "}");
	is(json_pack("{s:i}", "id", 1), NULL);
	is(json_string(""), NULL);
	is(json_integer(1), NULL);
	is(json_null(), NULL);
}

static void
a_date_is_a_time(void **state)
{
	assert_int_equal(models_date("1970-01-02"), 86400);
	assert_int_equal(models_date("2025-05-14"), 1747180800);
	assert_int_equal(models_date("2025-05"), 1746057600);
	assert_int_equal(models_date("2025"), 1735689600);
	assert_int_equal(models_date("2025-13-01"), 0);
	assert_int_equal(models_date("1900-01-01"), 0);
	assert_int_equal(models_date("soon"), 0);
	assert_int_equal(models_date(""), 0);
	assert_int_equal(models_date(NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_alone_is_a_row),
		cmocka_unit_test(what_is_known_is_told),
		cmocka_unit_test(what_makes_no_sense_is_left_out),
		cmocka_unit_test(a_date_is_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
