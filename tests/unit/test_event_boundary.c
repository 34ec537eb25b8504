/* What gateway/event_boundary promises. */
#include "unit.h"

#include "gateway/event_boundary.h"

/* The plain way: every byte, with all that came before it in sight. */
static bool
is_between_events(struct str s)
{
	bool blank = true, open = false;
	size_t i = 0;

	while (i < s.len) {
		if (s.ptr[i] != '\n' && s.ptr[i] != '\r') {
			blank = false;
			open = true;
			i++;
			continue;
		}
		if (blank)
			open = false;
		blank = true;
		i += 1 + (s.ptr[i] == '\r' && i + 1 < s.len &&
			  s.ptr[i + 1] == '\n');
	}
	return blank && !open;
}

static bool
is_here(struct str s, size_t piece)
{
	struct event_boundary b = { 0 };

	for (; s.len > piece; s = str_from(s, piece))
		event_boundary_feed(&b, (struct str){ s.ptr, piece });
	event_boundary_feed(&b, s);
	return event_boundary_is_here(&b);
}

static void
a_comment_fits_at_the_beginning_and_behind_blank_lines(void **state)
{
	static const struct {
		const char *stream;
		bool is_here;
	} streams[] = {
		{ "", true },
		{ "data: x", false },
		{ "data: x\n", false },
		{ "data: x\n\n", true },
		{ "data: x\r\r", true },
		{ "data: x\r\n\r\n", true },
		{ "data: x\r\n\r", false }, /* its \n is still to come */
		{ "data: x\n\n\n", true },
		{ "\n", true },
		{ "data: x\n\n: comment\n", false },
		{ "data: x\n\nevent: y\ndata", false },
		{ "data: x\n\ndata: \n\n", true },
	};

	for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
		for (size_t piece = 1; piece < 16; piece++)
			assert_int_equal(
				is_here(str_of(streams[i].stream), piece),
				streams[i].is_here);
}

/* All streams of seven bytes that are an x, a \n or a \r, cut everywhere. */
static void
it_does_not_matter_how_a_stream_is_cut(void **state)
{
	enum { LEN = 7, STREAMS = 2187 };
	char bytes[LEN + 1] = "";

	for (int n = 0; n < STREAMS; n++) {
		struct str s = { bytes, LEN };
		bool want;

		for (int i = 0, left = n; i < LEN; i++, left /= 3)
			bytes[i] = "x\n\r"[left % 3];
		want = is_between_events(s);
		for (size_t piece = 1; piece <= LEN; piece++)
			/* one that may wait for its \n is not sure */
			if (bytes[LEN - 1] != '\r')
				assert_int_equal(is_here(s, piece), want);
			else if (is_here(s, piece))
				assert_true(want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_comment_fits_at_the_beginning_and_behind_blank_lines),
		cmocka_unit_test(it_does_not_matter_how_a_stream_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
