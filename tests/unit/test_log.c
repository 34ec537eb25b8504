/* A log line never waits for its reader, and can't command a terminal. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/output.h"

enum {
	TOO_LONG = 20, /* s: what still waits then is ended by SIGALRM */
	MANY = 4000,   /* lines: more than a pipe or a socket takes */
};

/* What stands for the terminal, pipe or journal behind standard error. */
struct reader {
	int kept, ours, theirs; /* ours is read, theirs is standard error */
};

static void
become_stderr(struct reader *r)
{
	r->kept = dup(STDERR_FILENO);
	assert_true(r->kept >= 0);
	assert_true(dup2(r->theirs, STDERR_FILENO) >= 0);
	alarm(TOO_LONG);
}

static void
end_reader(struct reader *r)
{
	alarm(0);
	assert_true(dup2(r->kept, STDERR_FILENO) >= 0);
	close(r->kept);
	close(r->ours);
	close(r->theirs);
	log_open("test", LOG_INFO);
}

static struct reader
a_pipe(void)
{
	struct reader r;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	r.ours = ends[0];
	r.theirs = ends[1];
	become_stderr(&r);
	return r;
}

static struct reader
a_socket(void)
{
	struct reader r;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	r.ours = ends[0];
	r.theirs = ends[1];
	become_stderr(&r);
	return r;
}

static struct reader
a_terminal(void)
{
	struct reader r;

	r.ours = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(r.ours >= 0);
	assert_int_equal(grantpt(r.ours), 0);
	assert_int_equal(unlockpt(r.ours), 0);
	r.theirs = open(ptsname(r.ours), O_RDWR | O_NOCTTY);
	assert_true(r.theirs >= 0);
	become_stderr(&r);
	return r;
}

/* Everything that can be read now; the caller frees it. */
static char *
read_all(const struct reader *r)
{
	size_t room = 1 << 20, len = 0;
	char *text = test_malloc(room);
	ssize_t n;

	assert_int_equal(fcntl(r->ours, F_SETFL, O_NONBLOCK), 0);
	while ((n = read(r->ours, text + len, room - len - 1)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static void
log_many(void)
{
	for (int i = 0; i < MANY; i++)
		log_info("line %d of a flood that nobody reads", i);
}

/* After a flood: what was lost is said with the first line that gets out. */
static void
says_how_many_were_lost(const struct reader *r)
{
	char *flood = read_all(r), *after, *count;
	unsigned written = 0;

	for (const char *at = flood; (at = strstr(at, "of a flood")); at++)
		written++;
	assert_in_range(written, 1, MANY - 1);
	log_info("it is read again");
	after = read_all(r);
	count = strstr(after, "warn test: ");
	assert_non_null(count);
	assert_int_equal(strtoul(count + strlen("warn test: "), NULL, 10),
			 MANY - written);
	assert_non_null(strstr(after, "could not be written"));
	assert_non_null(strstr(after, "info test: it is read again\n"));
	log_info("and is complete from then on");
	test_free(flood);
	test_free(after);
	after = read_all(r);
	assert_null(strstr(after, "could not be written"));
	test_free(after);
}

static void
a_full_pipe_is_not_waited_for(void **state)
{
	struct reader r = a_pipe();

	log_open("test", LOG_INFO);
	log_many();
	says_how_many_were_lost(&r);
	end_reader(&r);
}

static void
nor_is_one_of_our_own(void **state)
{
	struct reader r = a_pipe();

	output_own(STDERR_FILENO);
	log_open("test", LOG_INFO);
	log_many();
	says_how_many_were_lost(&r);
	end_reader(&r);
}

static void
a_full_socket_is_not_waited_for(void **state)
{
	struct reader r = a_socket();

	output_own(STDERR_FILENO);
	log_open("test", LOG_INFO);
	log_many();
	says_how_many_were_lost(&r);
	end_reader(&r);
}

static void
stop_and_go(struct reader *r)
{
	char *text;

	log_open("test", LOG_INFO);
	assert_int_equal(tcflow(r->theirs, TCOOFF), 0);
	log_many();
	assert_int_equal(tcflow(r->theirs, TCOON), 0);
	test_free(read_all(r));
	log_info("it is read again");
	text = read_all(r);
	assert_non_null(strstr(text, "could not be written"));
	assert_non_null(strstr(text, "it is read again"));
	test_free(text);
	end_reader(r);
}

static void
a_stopped_terminal_is_not_waited_for(void **state)
{
	struct reader r = a_terminal();

	stop_and_go(&r);
}

static void
nor_is_a_stopped_one_of_our_own(void **state)
{
	struct reader r = a_terminal();

	output_own(STDERR_FILENO);
	stop_and_go(&r);
}

/* The shell, and whoever else writes there, would get EAGAIN. */
static void
what_we_share_stays_as_it_is(void **state)
{
	struct reader r = a_pipe();

	output_own(STDERR_FILENO);
	assert_false(fcntl(r.theirs, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK);
	end_reader(&r);
}

static void
a_reader_that_has_gone_is_no_reason_to_die(void **state)
{
	struct reader r = a_socket();

	close(r.ours);
	log_open("test", LOG_INFO);
	errno = ENOENT;
	log_info("nobody hears this");
	assert_int_equal(errno, ENOENT);
	end_reader(&r);
	log_info("somebody hears this");
}

static void
shows(const char *said, const char *shown)
{
	struct reader r = a_pipe();
	char *text, *at;

	log_open("test", LOG_INFO);
	log_warn("%s", said);
	text = read_all(&r);
	end_reader(&r);
	at = strstr(text, "warn test: ");
	assert_non_null(at);
	assert_string_equal(at + strlen("warn test: "), shown);
	test_free(text);
}

static void
no_text_commands_the_terminal(void **state)
{
	shows("plain \"text\" \\ with a\ttab",
	      "plain \"text\" \\ with a\ttab\n");
	shows("Grüße, 世界", "Grüße, 世界\n");
	shows("\x1b]0;title\x07\x7f", "\\x1b]0;title\\x07\\x7f\n");
	shows("two\nlines\r", "two\\nlines\\x0d\n");
	shows("\xc2\x9b!", "\\xc2\\x9b!\n");
	shows("\xe2\x80\xae", "\\xe2\\x80\\xae\n");
	shows("half \xe4\xb8", "half \\xe4\\xb8\n");
}

static void
a_long_line_is_cut(void **state)
{
	struct reader r = a_pipe();
	char *text;

	log_open("test", LOG_INFO);
	log_info("%s%*s", "long", 9000, "\x1b");
	log_info("short");
	text = read_all(&r);
	end_reader(&r);
	assert_in_range(strlen(text), 1000, 4096);
	assert_non_null(strstr(text, "\n2"));
	assert_non_null(strstr(text, "short\n"));
	test_free(text);
}

static void
a_quote_is_cut_between_characters(void **state)
{
	char text[400];

	memset(text, 'a', sizeof text);
	memcpy(text + 159, "世", 3);
	text[sizeof text - 1] = '\0';
	assert_null(strstr(log_quote(str_of(text)), "\\x"));
	assert_string_equal(log_quote(STR("a\"\\\x1b")),
			    "\"a\\x22\\x5c\\x1b\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_pipe_is_not_waited_for),
		cmocka_unit_test(nor_is_one_of_our_own),
		cmocka_unit_test(a_full_socket_is_not_waited_for),
		cmocka_unit_test(a_stopped_terminal_is_not_waited_for),
		cmocka_unit_test(nor_is_a_stopped_one_of_our_own),
		cmocka_unit_test(what_we_share_stays_as_it_is),
		cmocka_unit_test(a_reader_that_has_gone_is_no_reason_to_die),
		cmocka_unit_test(no_text_commands_the_terminal),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(a_quote_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
