/* head reads a head in one way, or refuses it */
#include "gateway/http/head.h"
#include "proto/buf.h"
#include "proto/limits.h"
#include "tests/unit/unit.h"

static struct head head;

static enum head_state
read_at_once(struct str bytes, struct error *e)
{
	size_t seen = 0;

	return head_read(&head, bytes, &seen, e);
}

#define HOST "Host: localhost\r\n"

static void
is_read(const char *text)
{
	struct error e = { 0 };

	assert_int_equal(read_at_once(str_of(text), &e), HEAD_COMPLETE);
	assert_int_equal(head.len, strlen(text));
}

static void
is_refused(struct str bytes)
{
	struct error e = { 0 };

	assert_int_equal(read_at_once(bytes, &e), HEAD_REFUSED);
	assert_true(e.code == ERR_INVALID || e.code == ERR_HEADERS);
}

static void
a_head_is_complete_at_its_empty_line(void **state)
{
	const char *text = "POST /v1/x?a=1 HTTP/1.1\r\n" HOST
			   "Content-Length: 12\r\nConnection: close\r\n\r\n";
	size_t seen = 0, len = strlen(text);
	struct error e = { 0 };

	for (size_t n = 0; n < len; n++)
		assert_int_equal(
			head_read(&head, (struct str){ text, n }, &seen, &e),
			HEAD_INCOMPLETE);
	assert_int_equal(head_read(&head, (struct str){ text, len }, &seen, &e),
			 HEAD_COMPLETE);
	assert_str(head.method, "POST");
	assert_str(head.target, "/v1/x?a=1");
	assert_str(head.host, "localhost");
	assert_int_equal(head.length, 12);
	assert_false(head_keeps_alive(&head));
}

static void
what_follows_a_head_is_not_its_own(void **state)
{
	struct error e = { 0 };

	assert_int_equal(
		read_at_once(STR("GET / HTTP/1.1\r\n" HOST "\r\nGET /x"), &e),
		HEAD_COMPLETE);
	assert_int_equal(head.len, strlen("GET / HTTP/1.1\r\n" HOST "\r\n"));
	assert_true(head_keeps_alive(&head));
}

static void
what_clients_send_is_read(void **state)
{
	is_read("GET /health HTTP/1.0\r\n\r\n");
	assert_false(head_keeps_alive(&head));
	is_read("GET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
	assert_true(head_keeps_alive(&head));
	is_read("GET http://localhost/v1/models HTTP/1.1\r\n" HOST "\r\n");
	is_read("OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
	is_read("GET / HTTP/1.1\r\nhOST:[::1]:3344\r\nAccept: a, b;q=0.1\r\n"
		"Accept: c\r\nX-Empty:\r\nX-Tab:\ta\tb\r\n\r\n");
	assert_str(head.host, "[::1]:3344");
	is_read("POST / HTTP/1.1\r\n" HOST
		"Transfer-Encoding: Chunked\r\n\r\n");
	assert_true(head.is_chunked);
}

static void
what_two_readers_may_read_differently_is_refused(void **state)
{
	static const char *const heads[] = {
		"GET / HTTP/1.1\n" HOST "\n",
		"GET / HTTP/1.1\r\n" HOST "\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
		"\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
		"GET  / HTTP/1.1\r\n" HOST "\r\n",
		"GET / HTTP/1.1 \r\n" HOST "\r\n",
		"GET / HTTP/2.0\r\n" HOST "\r\n",
		"GET /\r\n" HOST "\r\n",
		"G(T / HTTP/1.1\r\n" HOST "\r\n",
		"GET x HTTP/1.1\r\n" HOST "\r\n",
		"GET /\x01 HTTP/1.1\r\n" HOST "\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST HOST "\r\n",
		"GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "X : y\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "X\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n",
		"GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n",
		"GET http://evil/ HTTP/1.1\r\n" HOST "\r\n",
		"POST / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST
		"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST
		"Content-Length: 99999999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST
		"Transfer-Encoding: chunked, chunked\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST
		"Transfer-Encoding : chunked\r\n\r\n",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		is_refused(str_of(heads[i]));
	is_refused(STR("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"));
}

static void
a_host_is_a_host(void **state)
{
	static const char *const hosts[] = { "localhost", "a.b-c:1",  "1.2.3.4",
					     "[::1]",	  "[::1]:80", "a:" };
	static const char *const others[] = {
		"",    ":80",	   "a b", "[::1]evil.com", "[::1",   "[::1]:x",
		"a:b", "a:123456", "a/b", "a@b",	   "[evil]",
	};

	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
		assert_true(head_is_host(str_of(hosts[i])));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(head_is_host(str_of(others[i])));
}

static void
grows_to(const char *first, const char *piece, size_t n)
{
	struct buf b = BUF_INIT(4 * MAX_HEAD);

	buf_print(&b, "%s", first);
	for (size_t i = 0; i < n; i++)
		buf_print(&b, "%s", piece);
	buf_print(&b, "%s\r\n\r\n",
		  strchr(piece, ':') ? "X: y" : " HTTP/1.1\r\n" HOST "X: y");
	is_refused(buf_str(&b));
	buf_fini(&b);
}

static void
a_head_has_limits(void **state)
{
	grows_to("GET / HTTP/1.1\r\n" HOST, "A: b\r\n", MAX_HEAD_FIELDS);
	grows_to("GET / HTTP/1.1\r\n" HOST,
		 "A: 0123456789012345678901234567890"
		 "1234567890\r\n",
		 MAX_HEAD / 32);
	grows_to("GET /?", "a=b&", MAX_HEAD_ARGUMENTS + 1);
	grows_to("GET /", "aaaaaaaaaaaaaaaa", 600);
}

static void
a_head_without_an_end_is_refused_in_time(void **state)
{
	struct buf b = BUF_INIT(4 * MAX_HEAD);

	buf_print(&b, "GET / HTTP/1.1\r\nX: ");
	while (b.len <= MAX_HEAD)
		buf_print(&b, "x");
	is_refused(buf_str(&b));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_complete_at_its_empty_line),
		cmocka_unit_test(what_follows_a_head_is_not_its_own),
		cmocka_unit_test(what_clients_send_is_read),
		cmocka_unit_test(
			what_two_readers_may_read_differently_is_refused),
		cmocka_unit_test(a_host_is_a_host),
		cmocka_unit_test(a_head_has_limits),
		cmocka_unit_test(a_head_without_an_end_is_refused_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
