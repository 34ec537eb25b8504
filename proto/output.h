#pragma once
/*
 * output - writes to standard output and standard error without ever waiting
 *
 * A terminal after Ctrl-S, a pipe that nobody reads and a busy journal take no
 * more bytes, and a process that waited for them would do nothing else.  So a
 * line that can't be written at once is not written, and the caller is told.
 *
 * O_NONBLOCK belongs to an open file description, which we share with the shell
 * and with every process that writes there.  It is never set on the shared one:
 * output_own() opens a description of our own, and where that is impossible
 * poll() is asked before each write.
 */
#include <stdbool.h>
#include <stddef.h>

/*
 * Replaces the descriptor of a pipe or a terminal by a description of our own
 * that does not block, which children then inherit.  Any other descriptor, and
 * one that may not be opened again, stays unchanged.
 */
void output_own(int fd);

enum output_way {
	OUTPUT_UNKNOWN,
	OUTPUT_WRITE, /* the descriptor does not block, or is a file */
	OUTPUT_SEND,  /* the descriptor is a socket */
	OUTPUT_POLL,  /* a write may block if another process was faster */
};

struct output {
	int fd;
	enum output_way way;
	bool is_cut; /* only a part of the last line was written */
};

#define OUTPUT_INIT(fd_)    \
	{                   \
		.fd = (fd_) \
	}

/*
 * Writes one line, which ends with a line feed.  False if the line was not
 * written as a whole.  Up to PIPE_BUF bytes are never mixed with others' lines.
 */
bool output_line(struct output *, const char *line, size_t len);
