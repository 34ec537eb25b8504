/* Every error says whether it is worth another try, where clients would try */
#include "gateway/reply.h"
#include "tests/unit/answers.h"

static const enum error_code codes[] = {
#define ERROR(NAME, http, type, code, retry) ERR_##NAME,
#include "proto/errors.def"
};

static struct request request;

/* What the clients' libraries run again by themselves. */
static bool
is_retried(int status)
{
	return status == 408 || status == 409 || status == 429 || status >= 500;
}

static void
replies(enum error_code code, uint32_t retry_ms)
{
	struct error e = { 0 };

	answers_fini(&request);
	answers_init(&request);
	fail_with(&e, code, "why");
	e.retry_ms = retry_ms;
	reply_error(&request, &e, NULL);
	assert_int_equal(answered.count, 1);
	assert_int_equal(answered.status, error_http(code));
	assert_string_equal(answers_header(&request, "Content-Type"),
			    "application/json");
}

static void
is_header(const char *name, const char *want)
{
	const char *got = answers_header(&request, name);

	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void
every_error_has_a_body_that_names_it(void **state)
{
	for (size_t i = 1; i < sizeof codes / sizeof *codes; i++) {
		json_t *body, *error;

		replies(codes[i], 0);
		body = answers_json();
		error = json_object_get(body, "error");
		assert_string_equal(
			json_string_value(json_object_get(error, "code")),
			error_slug(codes[i]));
		assert_string_equal(request.why, error_slug(codes[i]));
		json_decref(body);
	}
}

static void
what_no_client_runs_again_has_no_advice(void **state)
{
	for (size_t i = 1; i < sizeof codes / sizeof *codes; i++) {
		if (is_retried(error_http(codes[i])))
			continue;
		replies(codes[i], 0);
		is_header("Retry-After", NULL);
	}
}

static void
a_turn_that_may_have_run_is_not_run_again(void **state)
{
	static const enum error_code never[] = {
		ERR_TIMEOUT,   ERR_CRASHED,  ERR_WORKER_LOST,
		ERR_TRUNCATED, ERR_HARNESS,  ERR_QUOTA,
		ERR_SYSTEM,    ERR_PROTOCOL, ERR_CONFLICT,
	};

	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		replies(never[i], 0);
		is_header("X-Should-Retry", "false");
		is_header("Retry-After", NULL);
	}
}

static void
what_is_full_says_when_to_come_back(void **state)
{
	static const enum error_code later[] = { ERR_QUEUE_FULL,
						 ERR_QUEUE_TIMEOUT,
						 ERR_UNAVAILABLE };

	for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
		replies(later[i], 0);
		is_header("Retry-After", "5");
		is_header("retry-after-ms", "5000");
		is_header("X-Should-Retry", NULL);
	}
	replies(ERR_DRAINING, 0);
	is_header("Retry-After", "2");
}

static void
a_time_that_is_known_is_told_in_whole_seconds(void **state)
{
	replies(ERR_RATE_LIMIT, 0);
	is_header("Retry-After", NULL);
	replies(ERR_RATE_LIMIT, 1500);
	is_header("Retry-After", "2");
	is_header("retry-after-ms", "1500");
	replies(ERR_QUEUE_FULL, 60000);
	is_header("Retry-After", "60");
}

static void
who_has_no_key_is_told_how_to_send_one(void **state)
{
	replies(ERR_UNAUTHORIZED, 0);
	is_header("WWW-Authenticate", "Bearer");
	replies(ERR_LOGIN, 0);
	is_header("WWW-Authenticate", NULL);
}

static void
a_refusal_in_the_middle_says_the_same(void **state)
{
	struct buf body = BUF_INIT(4096);
	struct error e = { 0 };

	answers_fini(&request);
	answers_init(&request);
	fail_with(&e, ERR_QUEUE_FULL, "full");
	reply_explain(&request, &e, &body);
	assert_int_equal(answered.count, 0);
	is_header("Retry-After", "5");
	assert_non_null(memmem(body.ptr, body.len, "queue_full", 10));
	buf_fini(&body);
}

static int
tear_down(void **state)
{
	answers_fini(&request);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_a_body_that_names_it),
		cmocka_unit_test(what_no_client_runs_again_has_no_advice),
		cmocka_unit_test(a_turn_that_may_have_run_is_not_run_again),
		cmocka_unit_test(what_is_full_says_when_to_come_back),
		cmocka_unit_test(a_time_that_is_known_is_told_in_whole_seconds),
		cmocka_unit_test(who_has_no_key_is_told_how_to_send_one),
		cmocka_unit_test(a_refusal_in_the_middle_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
