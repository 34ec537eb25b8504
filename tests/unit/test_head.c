/* What workers/io/head promises. */
#include "unit.h"

#include "workers/io/head.h"

static struct head head;

static int
setup(void **state)
{
	head = HEAD_INIT;
	return 0;
}

static int
teardown(void **state)
{
	head_fini(&head);
	return 0;
}

static void
hears(const char *lines)
{
	struct str rest = str_of(lines), line;

	while (rest.len) {
		line = str_cut(rest, '\n', &rest);
		must(head_line(&head, line, &e));
	}
}

static void
what_concerns_the_caller_is_kept_in_order(void **state)
{
	hears("HTTP/1.1 429 Too Many\r\nX-B: 2\r\nretry-after:7\r\nX-B:\r\n");
	assert_false(head.whole);
	hears("\r\n");
	assert_true(head.whole);
	assert_int_equal(head.status, 429);
	assert_str(buf_str(&head.json),
		   "[[\"X-B\",\"2\"],[\"retry-after\",\"7\"],[\"X-B\",\"\"]]");
}

static void
what_concerns_the_connection_is_left_out(void **state)
{
	hears("HTTP/2 200\r\nconnection: close\r\nKeep-Alive: 1\r\n"
	      "Transfer-Encoding: chunked\r\nTE: x\r\nTrailer: x\r\n"
	      "Upgrade: h2c\r\nProxy-Authenticate: x\r\nContent-Length: 1\r\n"
	      "set-cookie: a=b\r\nStrict-Transport-Security: x\r\n"
	      "Alt-Svc: h3\r\n\r\n");
	assert_str(buf_str(&head.json), "[]");
}

static void
what_connection_names_is_left_out_wherever_it_stands(void **state)
{
	hears("HTTP/1.1 200\r\nA: \"x\", [y]\r\nX-Hop: 1\r\n"
	      "Connection: keep-alive, x-hop\r\nB: 2\r\n"
	      "connection: other\r\nOther: 3\r\nX-Hops: 4\r\n\r\n");
	assert_str(buf_str(&head.json),
		   "[[\"A\",\"\\\"x\\\", [y]\"],[\"B\",\"2\"],"
		   "[\"X-Hops\",\"4\"]]");
	head_reset(&head);
	hears("HTTP/1.1 200\r\nConnection: a\r\nA: 1\r\n\r\n");
	assert_str(buf_str(&head.json), "[]");
}

static void
the_head_of_an_event_stream_is_known(void **state)
{
	hears("HTTP/1.1 200\r\ncontent-type: Text/Event-Stream ;a=b\r\n\r\n");
	assert_true(head.is_events);
	head_reset(&head);
	hears("HTTP/1.1 200\r\ncontent-type: application/json\r\n\r\n");
	assert_false(head.is_events);
}

static void
a_head_before_the_head_is_forgotten(void **state)
{
	hears("HTTP/1.1 100 Continue\r\nA: 1\r\n\r\nHTTP/1.1 103\r\nB: 1\r\n"
	      "\r\n");
	assert_false(head.whole);
	hears("HTTP/1.1 200 OK\r\nC: 1\r\n\r\nTrailer-Field: 1\r\n\r\n");
	assert_int_equal(head.status, 200);
	assert_str(buf_str(&head.json), "[[\"C\",\"1\"]]");
}

static void
values_become_json_in_utf8(void **state)
{
	hears("HTTP/1.1 200\r\nA: \"q\" \\ \t\x01\r\nB: \xc3\xa9\r\n"
	      "C: \xe9\xff\r\n\r\n");
	assert_str(buf_str(&head.json),
		   "[[\"A\",\"\\\"q\\\" \\\\ \\u0009\\u0001\"],"
		   "[\"B\",\"\xc3\xa9\"],[\"C\",\"\xc3\xa9\xc3\xbf\"]]");
}

static void
what_is_no_header_is_left_out(void **state)
{
	hears("HTTP/1.1 200\r\nno colon\r\n: no name\r\nb d: 1\r\n"
	      "\xe9: 1\r\nA: 1\r\n\r\n");
	assert_str(buf_str(&head.json), "[[\"A\",\"1\"]]");
}

/* The answer itself may have cost something. */
static void
what_there_is_no_room_for_is_counted_and_left_out(void **state)
{
	static char line[MAX_HEADERS + 4] = "Long:";

	memset(line + 5, 'x', sizeof line - 6);
	hears("HTTP/1.1 200\r\nA: 1\r\n");
	must(head_line(&head, str_of(line), &e));
	hears("B: 2\r\n\r\n");
	assert_true(head.whole);
	assert_int_equal(head.left_out, 1);
	assert_str(buf_str(&head.json), "[[\"A\",\"1\"],[\"B\",\"2\"]]");
}

/* Whatever its length, the head that fills the room to the last byte ends. */
static void
a_full_head_has_an_end(void **state)
{
	static char line[4096] = "X:";
	struct str s = { line, 2 };

	memset(line + 2, 'x', sizeof line - 2);
	for (size_t len = 2; len < sizeof line; len++) {
		hears("HTTP/1.1 200\r\n");
		for (size_t i = 0; i < MAX_HEADERS / sizeof line; i++)
			must(head_line(&head, (struct str){ line, sizeof line },
				       &e));
		s.len = len;
		must(head_line(&head, s, &e));
		hears("\r\n");
		assert_true(head.whole);
		assert_in_range(head.json.len, 1, MAX_HEADERS);
		assert_int_equal(head.json.ptr[head.json.len - 1], ']');
		head_reset(&head);
	}
}

static void
a_status_that_is_none_is_an_error(void **state)
{
	must_fail(ERR_UPSTREAM, "sent a status that is none",
		  head_line(&head, STR("HTTP/1.1 999 No"), &e));
	must_fail(ERR_UPSTREAM, "sent a status that is none",
		  head_line(&head, STR("HTTP/1.1"), &e));
}

#define head_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		head_test(what_concerns_the_caller_is_kept_in_order),
		head_test(what_concerns_the_connection_is_left_out),
		head_test(what_connection_names_is_left_out_wherever_it_stands),
		head_test(the_head_of_an_event_stream_is_known),
		head_test(a_head_before_the_head_is_forgotten),
		head_test(values_become_json_in_utf8),
		head_test(what_is_no_header_is_left_out),
		head_test(what_there_is_no_room_for_is_counted_and_left_out),
		head_test(a_full_head_has_an_end),
		head_test(a_status_that_is_none_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
