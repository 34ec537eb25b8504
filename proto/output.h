#pragma once
/*
 * output - writes to standard output and standard error without ever waiting
 *
 * A terminal after Ctrl-S, a pipe that nobody reads and a busy journal take
 * no more bytes.  A process that waits for them does nothing else: so what
 * can't be written at once is not written, and the caller is told.
 *
 * O_NONBLOCK belongs to an open file description, which we share with the
 * shell and with everybody else who writes there.  It is never set on that
 * one: output_own() opens a description of our own, and where that can't be
 * done the descriptor is asked with poll() before each write.
 */
#include <stdbool.h>
#include <stddef.h>

/*
 * Replaces the descriptor of a pipe or a terminal by a description of our own
 * that does not block, which children then inherit.  What else there is, and
 * what may not be opened again, stays as it is.
 */
void output_own(int fd);

enum output_way {
	OUTPUT_UNKNOWN,
	OUTPUT_WRITE, /* it does not block, or is a file */
	OUTPUT_SEND,  /* it is a socket */
	OUTPUT_POLL,  /* it may block, if another process is faster */
};

struct output {
	int fd;
	enum output_way way;
	bool is_cut; /* the last line was written in part only */
};

#define OUTPUT_INIT(fd_)    \
	{                   \
		.fd = (fd_) \
	}

/*
 * Writes one line, which ends with a line feed.  False if it was not written
 * as a whole.  Up to PIPE_BUF bytes are never mixed with others' lines.
 */
bool output_line(struct output *, const char *line, size_t len);
