#pragma once
/*
 * stream - a program in a container, connected with three pipes
 *
 * The engine makes a stream out of an HTTP connection (for a program that it
 * executes, or the first one of a container): what we send is the program's
 * standard input, and it sends standard output and standard error as frames.
 * Bytes are moved between the connection and the pipes as fast as both sides
 * take them: the writer of a full side has to wait, and nothing is kept but
 * one piece in each direction.
 *
 * A pipe whose reader is gone loses what is for it; the other pipes go on.
 * The end of the input is passed on, and the output is moved on after it.
 */
#include "proto/str.h"
#include "workers/executor/docker/api.h"

struct docker_stream;

struct docker_ends {
	/* Pipes that nobody else uses: they are made non-blocking.  Copies
	 * (dup) them.  -1: the input is empty, the output is thrown away. */
	int in, out, err;
};

/*
 * Posts the body to the path (see docker_ask()).  Takes the body; NULL: none.
 *
 * `opened` MAY be NULL: the engine has made a stream of the connection.
 * `ended` is called once, and last, but not before this returns: the stream is
 * gone, and must not be dropped any more.  `e` is NULL if it has ended between
 * two frames, which is the usual end, but also that of an engine that is
 * killed.  Else `e` says why: the engine can't be reached or has refused (in
 * its own words), the connection was lost, or has ended inside of a frame.
 *
 * The copies of the pipes are closed at the end, that of the input as soon as
 * its end was passed on, or nobody takes more of it.  SIGPIPE must be blocked.
 */
struct docker_stream *
docker_stream_open(struct docker_api *, const char *path, json_t *body,
		   const struct docker_ends *, void (*opened)(void *arg),
		   void (*ended)(void *arg, const struct error *e), void *arg);

/* Ends it; nothing of it is called any more. */
void docker_stream_drop(struct docker_stream *);

/*
 * The first bytes of standard output, up to 256: if the engine can't start a
 * program, they are its reason in words, with nothing that tells them from
 * output.  Lends it; may be asked in `ended`, too.
 */
struct str docker_stream_first_words(const struct docker_stream *);
