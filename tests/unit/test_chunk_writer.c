/* writer loses no byte, whatever the socket takes, and frames what it sends */
#include "gateway/http/chunk_writer.h"
#include "tests/unit/unit.h"

#include <sys/socket.h>
#include <unistd.h>

static int ends[2];
static struct chunk_writer writer;

static void
write_text(const char *text)
{
	struct error e;

	assert_true(buf_add(chunk_writer_begin(&writer), str_of(text), &e));
}

static void
hears(const char *want)
{
	char got[256] = "";
	ssize_t n = recv(ends[1], got, sizeof got - 1, MSG_DONTWAIT);

	assert_string_equal(n < 0 ? "" : got, want);
}

static void
what_is_written_together_is_one_chunk(void **state)
{
	write_text("ab");
	write_text("cd");
	must(chunk_writer_push(&writer, ends[0], &e));
	hears("000004\r\nabcd\r\n");
	write_text("e");
	must(chunk_writer_push(&writer, ends[0], &e));
	hears("000001\r\ne\r\n");
}

static void
nothing_is_not_the_end(void **state)
{
	chunk_writer_begin(&writer);
	must(chunk_writer_push(&writer, ends[0], &e));
	hears("");
}

static void
an_old_client_gets_no_chunks(void **state)
{
	writer.is_plain = true;
	write_text("abcd");
	must(chunk_writer_push(&writer, ends[0], &e));
	hears("abcd");
}

/* Takes all there is; adds to *sum, by which order and loss are seen. */
static size_t
drink(uint64_t *sum)
{
	static unsigned char got[1 << 16];
	size_t all = 0;
	ssize_t n;

	while ((n = recv(ends[1], got, sizeof got, MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			*sum = *sum * 31 + got[i];
		all += (size_t)n;
	}
	return all;
}

static void
a_slow_client_gets_every_byte(void **state)
{
	uint64_t got = 0, want = 0;
	size_t bytes = 0;

	writer.is_plain = true;
	for (int i = 0; i < 60000; i++) {
		char text[] = { (char)('a' + i % 26), (char)('a' + i % 7), 0 };

		for (int k = 0; k < 50; k++)
			write_text(text);
		for (int k = 0; k < 100; k++)
			want = want * 31 + (unsigned char)text[k % 2];
		if (i % 100 == 0)
			must(chunk_writer_push(&writer, ends[0], &e));
		if (i % 700 == 0)
			bytes += drink(&got);
	}
	while (bytes < 6000000) {
		must(chunk_writer_push(&writer, ends[0], &e));
		bytes += drink(&got);
	}
	assert_int_equal(chunk_writer_waiting(&writer), 0);
	assert_int_equal(writer.total, 6000000);
	assert_true(got == want);
}

static void
it_is_seen_when_the_client_has_gone(void **state)
{
	struct error e;

	close(ends[1]);
	write_text("x");
	assert_false(chunk_writer_push(&writer, ends[0], &e));
}

static int
set_up(void **state)
{
	chunk_writer_init(&writer);
	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static int
tear_down(void **state)
{
	chunk_writer_fini(&writer);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_together_is_one_chunk),
		TEST(nothing_is_not_the_end),
		TEST(an_old_client_gets_no_chunks),
		TEST(a_slow_client_gets_every_byte),
		TEST(it_is_seen_when_the_client_has_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
