/* What workers/io/sse promises. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "workers/io/sse.h"

static struct sse sse;
static char heard[256];

/* Says the lines, and writes down every event as "name=data;". */
static void
says(const char *lines)
{
	struct str rest = str_of(lines), line;
	bool is_whole;
	size_t n = 0;

	sse_fini(&sse);
	heard[0] = '\0';
	while (rest.len) {
		line = str_cut(rest, '\n', &rest);
		must(sse_line(&sse, line, &is_whole, &e));
		if (is_whole)
			n += (size_t)snprintf(heard + n, sizeof heard - n,
					      "%s=" STR_FMT ";", sse.name,
					      STR_ARG(buf_str(&sse.data)));
	}
}

static void
hears(const char *lines, const char *events)
{
	says(lines);
	assert_string_equal(heard, events);
}

static void
an_event_has_a_name_and_data(void **state)
{
	hears("event: a\ndata: 1\n\n", "a=1;");
	hears("data:1\nevent:a\n\ndata: 2\n\n", "a=1;=2;");
	hears("data: 1\r\n\r\ndata:  2\r\n\r\n", "=1;= 2;");
	hears("data: 1\ndata:\ndata: 3\n\n", "=1\n\n3;");
	hears("data\n\n", "=;");
	hears("\xef\xbb\xbf"
	      "data: 1\n\n",
	      "=1;");
}

static void
what_means_nothing_is_passed_over(void **state)
{
	hears(": hello\n\n\nid: 7\nretry: 1\nodd\ndatum: x\ndata: 1\n\n",
	      "=1;");
	hears("event: a\n\ndata: 1\n\n", "=1;");
	hears("Data: 1\n\n", "");
}

static void
what_is_cut_off_is_no_event(void **state)
{
	hears("event: a\ndata: 1\n", "");
	hears("data: 1\n\ndata: 2", "=1;");
}

static void
a_name_that_is_too_long_is_cut(void **state)
{
	char lines[200];

	snprintf(lines, sizeof lines, "event: %0100d\ndata: 1\n\n", 0);
	says(lines);
	assert_int_equal(strlen(sse.name), SSE_NAME_SIZE - 1);
}

static void
there_is_no_memory_for_more_than_an_event_may_have(void **state)
{
	struct buf line = BUF_INIT(1 << 20);
	bool is_whole;
	size_t had = 0;

	buf_put(&line, STR("data: "));
	while (line.len < line.max)
		buf_put(&line, STR("x"));
	sse_fini(&sse);
	while (had + line.max <= MAX_SERVICE_EVENT) {
		must(sse_line(&sse, buf_str(&line), &is_whole, &e));
		had = sse.data.len + 1;
	}
	must_fail(ERR_TOO_LARGE, "an event has more than 33554432 bytes",
		  sse_line(&sse, buf_str(&line), &is_whole, &e));
	assert_true(sse.data.size <= MAX_SERVICE_EVENT);
	buf_fini(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_has_a_name_and_data),
		cmocka_unit_test(what_means_nothing_is_passed_over),
		cmocka_unit_test(what_is_cut_off_is_no_event),
		cmocka_unit_test(a_name_that_is_too_long_is_cut),
		cmocka_unit_test(
			there_is_no_memory_for_more_than_an_event_may_have),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	sse_fini(&sse);
	return failed;
}
