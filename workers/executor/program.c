#include "workers/executor/program.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "proto/utf8.h"

enum {
	READ_BYTES = 64 << 10,
	PIPE_BYTES = 256 << 10, /* fewer wake-ups for large prompts */
	LAST_OUTPUT_MS = 250, /* for the output of a program that has exited */
	LAST_READS = 64,      /* the same, of its standard error */

	/* A flood of output is read at this pace, after a burst; for a rest
	 * nothing is read when the credit is used up. */
	FLOW_BYTES_PER_MS = 8 << 10,
	BURST_BYTES = 8 << 20,
	REST_MS = 20,
};

static void
hang_up(struct program *c, struct watch *w, int *fd)
{
	loop_unwatch(c->loop, w);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool read_complaint(struct program *);

/* Reads what is left in the pipe of standard error before the end is told: it
 * says why the program ended. */
static void
end_if_over(struct program *c)
{
	if (!c->loop || c->process.pid || c->out >= 0 || c->was_ended)
		return;
	for (int n = 0; n < LAST_READS && read_complaint(c); n++)
		;
	c->was_ended = true;
	loop_unset(c->loop, &c->give_up);
	c->ended(c);
}

/* Output */

/* Passes on every whole line.  A callback may call program_pause() or
 * program_fini(). */
static void
hear_lines(struct program *c)
{
	struct str line;

	while (c->loop && !c->paused && lines_next(&c->lines, &line))
		c->heard(c, line);
}

/* A program that has closed its output and does not exit is killed. */
static void
on_closed_output(struct timer *t)
{
	program_kill(container_of(t, struct program, give_up));
}

/* The bytes behind the last newline are a line, too. */
static void
finish_output(struct program *c)
{
	struct str line;

	hang_up(c, &c->readable, &c->out);
	if (lines_last(&c->lines, &line))
		c->heard(c, line);
	if (!c->loop)
		return;
	lines_fini(&c->lines);
	if (c->process.pid)
		loop_set(c->loop, &c->give_up, LAST_OUTPUT_MS,
			 on_closed_output);
	end_if_over(c);
}

static void on_last_output_due(struct timer *);

/*
 * After the program has exited, its pipe may be held open by a program that it
 * has started, which may even write to it.  So the output is read for a short
 * time only: what the program itself wrote is in the pipe already.  The time
 * does not run while the output is paused.
 */
static void
wait_for_last_output(struct program *c)
{
	if (!c->process.pid && !c->paused && !c->was_ended)
		loop_set(c->loop, &c->give_up, LAST_OUTPUT_MS,
			 on_last_output_due);
	else
		loop_unset(c->loop, &c->give_up);
}

static void on_resume(struct timer *);

/* A program that has exited is read to the end nevertheless: LAST_OUTPUT_MS is
 * much longer than REST_MS. */
static void
spend_credit(struct program *c, size_t len)
{
	uint64_t now = loop_now();

	c->credit += (int64_t)(now - c->counted_at) * FLOW_BYTES_PER_MS;
	c->counted_at = now;
	if (c->credit > BURST_BYTES)
		c->credit = BURST_BYTES;
	c->credit -= (int64_t)len;
	if (c->credit > 0 || c->paused)
		return;
	loop_unwatch(c->loop, &c->readable);
	loop_set(c->loop, &c->resume, REST_MS, on_resume);
}

static bool
keep(struct program *c, struct str piece)
{
	struct error e = { 0 };
	char *room;

	if (lines_room(&c->lines, piece.len, &room, &e)) {
		memcpy(room, piece.ptr, piece.len);
		lines_added(&c->lines, piece.len);
		return true;
	}
	fail_with(&e, ERR_HARNESS, "the CLI wrote a line of more than %u bytes",
		  MAX_LINE);
	loop_unwatch(c->loop, &c->readable);
	c->failed(c, &e);
	return false;
}

static void
on_readable(struct watch *w)
{
	static char piece[READ_BYTES]; /* shared: thousands of us wait */
	struct program *c = container_of(w, struct program, readable);
	ssize_t n = read(c->out, piece, sizeof piece);

	if (n > 0) {
		if (!keep(c, (struct str){ piece, (size_t)n }))
			return;
		hear_lines(c);
		if (c->loop)
			spend_credit(c, (size_t)n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		finish_output(c);
	}
}

static bool
read_on(struct program *c, struct error *e)
{
	if (c->out < 0 || c->readable.fd >= 0)
		return true;
	return loop_watch(c->loop, &c->readable, c->out, EPOLLIN, on_readable,
			  e);
}

static void
on_resume(struct timer *t)
{
	struct program *c = container_of(t, struct program, resume);
	struct error e = { 0 };

	hear_lines(c);
	if (!c->loop)
		return;
	wait_for_last_output(c);
	if (!c->paused && !read_on(c, &e))
		c->failed(c, &e);
}

/* The descriptor is not watched at all meanwhile: epoll reports a hang-up even
 * if it is asked for no events. */
void
program_pause(struct program *c, bool paused)
{
	if (c->paused == paused)
		return;
	c->paused = paused;
	if (paused) {
		loop_unwatch(c->loop, &c->readable);
		loop_unset(c->loop, &c->resume);
		loop_unset(c->loop, &c->give_up);
	} else {
		loop_set(c->loop, &c->resume, 0, on_resume);
	}
}

/* Standard error, of which the last MAX_STDERR bytes are kept */

/* False if there is nothing to read. */
static bool
read_complaint(struct program *c)
{
	struct buf *b = &c->last_words;
	char piece[4096];
	struct error e;
	ssize_t n = c->err < 0 ? 0 : read(c->err, piece, sizeof piece);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	if (n <= 0) {
		hang_up(c, &c->complaining, &c->err);
		return false;
	}
	if (b->len + (size_t)n > b->max)
		buf_drop(b, b->len + (size_t)n - b->max);
	(void)!buf_add(b, (struct str){ piece, (size_t)n }, &e);
	return true;
}

static void
on_complaint(struct watch *w)
{
	(void)read_complaint(container_of(w, struct program, complaining));
}

struct str
program_last_words(const struct program *c)
{
	struct str s = str_trim(buf_str(&c->last_words));

	if (s.len > MAX_ERROR_TEXT / 2)
		s = str_from(s, s.len - MAX_ERROR_TEXT / 2);
	while (s.len && !utf8_valid(s))
		s = str_from(s, 1);
	return s;
}

/* Input */

static void
close_input(struct program *c)
{
	hang_up(c, &c->writable, &c->in);
	buf_fini(&c->to_write);
	c->written = 0;
}

/* A broken pipe is no error: the program's end follows, and says more. */
static void
write_some(struct program *c)
{
	struct error e;
	ssize_t n;

	while (c->in >= 0 && c->written < c->to_write.len) {
		n = write(c->in, c->to_write.ptr + c->written,
			  c->to_write.len - c->written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			close_input(c);
			return;
		}
		if (n < 0)
			break;
		c->written += (size_t)n;
	}
	if (c->written == c->to_write.len) {
		buf_drop(&c->to_write, c->written);
		c->written = 0;
	}
	if (c->in >= 0 && !c->to_write.len && c->close_input)
		close_input(c);
	if (c->in < 0)
		return;
	if (!c->to_write.len)
		loop_unwatch(c->loop, &c->writable);
	else if (c->writable.fd < 0)
		(void)!loop_watch(c->loop, &c->writable, c->in, EPOLLOUT,
				  c->writable.ready, &e);
}

static void
on_writable(struct watch *w)
{
	write_some(container_of(w, struct program, writable));
}

void
program_write(struct program *c, struct str s)
{
	struct error e = { 0 };

	if (!c->loop || c->in < 0 || c->close_input)
		return;
	c->writable.ready = on_writable;
	if (!buf_add(&c->to_write, s, &e)) {
		c->failed(c, &e);
		return;
	}
	write_some(c);
}

void
program_close_input(struct program *c)
{
	c->close_input = true;
	write_some(c);
}

/* Start and end */

static void
on_last_output_due(struct timer *t)
{
	struct program *c = container_of(t, struct program, give_up);

	if (c->out >= 0)
		finish_output(c);
}

static void
on_exit_of(struct process *p)
{
	struct program *c = container_of(p, struct program, process);

	wait_for_last_output(c);
	end_if_over(c);
}

static bool
make_pipe(int fds[2], struct error *e)
{
	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail_errno(e, "pipe");
	(void)fcntl(fds[0], F_SETPIPE_SZ, PIPE_BYTES);
	return true;
}

/* Our end of a pipe does not block; the program's end does, as it expects. */
static void
keep_end(int *ours, int *other, int fd, int theirs)
{
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	*ours = fd;
	*other = theirs;
}

static bool
make_pipes(struct program *c, struct spawn *s, struct error *e)
{
	int in[2], out[2], err[2];

	if (!make_pipe(in, e))
		return false;
	keep_end(&c->in, &s->in, in[1], in[0]);
	if (!make_pipe(out, e))
		return false;
	keep_end(&c->out, &s->out, out[0], out[1]);
	if (!make_pipe(err, e))
		return false;
	keep_end(&c->err, &s->err, err[0], err[1]);
	return true;
}

static void
close_theirs(const struct spawn *s)
{
	const int fds[] = { s->in, s->out, s->err };

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void
program_init(struct program *c, struct executor *x, struct loop *loop)
{
	c->loop = loop;
	c->executor = x;
	c->process = PROCESS_INIT;
	c->in = c->out = c->err = -1;
	c->writable = c->readable = c->complaining = WATCH_INIT;
	c->to_write = BUF_INIT(2u * MAX_WIRE);
	c->lines = LINES_INIT(MAX_LINE);
	c->last_words = BUF_INIT(MAX_STDERR);
	c->written = 0;
	c->credit = BURST_BYTES;
	c->counted_at = loop_now();
	c->paused = c->close_input = c->was_ended = false;
}

bool
program_start(struct program *c, struct executor *x, struct loop *loop,
	      const struct spawn *how, struct error *e)
{
	struct spawn s = *how;
	bool ok;

	program_init(c, x, loop);
	s.in = s.out = s.err = s.pass = -1;
	ok = make_pipes(c, &s, e) &&
	     x->start(x, &c->process, loop, &s, on_exit_of, e);
	close_theirs(&s);
	ok = ok && read_on(c, e) &&
	     loop_watch(loop, &c->complaining, c->err, EPOLLIN, on_complaint,
			e);
	if (!ok)
		program_fini(c);
	return ok;
}

void
program_signal(const struct program *c, int signal)
{
	c->executor->signal(c->executor, &c->process, signal);
}

void
program_kill(struct program *c)
{
	program_signal(c, SIGKILL);
}

void
program_fini(struct program *c)
{
	if (!c->loop)
		return;
	c->executor->end(c->executor, &c->process);
	loop_unset(c->loop, &c->resume);
	loop_unset(c->loop, &c->give_up);
	hang_up(c, &c->writable, &c->in);
	hang_up(c, &c->readable, &c->out);
	hang_up(c, &c->complaining, &c->err);
	buf_fini(&c->to_write);
	lines_fini(&c->lines);
	buf_fini(&c->last_words);
	c->loop = NULL;
}
