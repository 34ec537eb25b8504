#pragma once
/*
 * fake_engine - a Docker engine on a socket file that says what a test wants
 *
 * It is for what a real one does not do on demand: it cuts, splits, glues,
 * hangs, refuses, goes away and comes back with another version.  It runs in
 * the loop of the test, so nothing happens behind the back of a test.
 */
#include "proto/buf.h"
#include "proto/loop.h"
#include "tests/unit/unit.h"

enum { FAKE_TALKS = 16, FAKE_REPLIES = 16 };

/* A connection, which becomes a stream with an answer of status 101. */
struct fake_talk {
	int fd; /* -1: none */
	struct watch speaks;
	struct buf heard;
	bool is_stream;
};

struct fake_reply {
	char what[128];
	char *bytes; /* NULL: it says nothing */
	size_t len;
	unsigned times; /* left; 0: always */
	bool hangs_up;
};

struct fake_engine {
	struct loop loop;
	char path[64];
	int listener; /* -1: it is away */
	struct watch knocks;
	struct fake_talk talks[FAKE_TALKS];
	struct fake_reply replies[FAKE_REPLIES];
	size_t reply_count;
	struct buf requests; /* "GET /version\n..." */
	struct buf bodies;   /* of the requests, one a line */

	struct fake_talk *stream; /* the last one; NULL: none */
	struct buf input;	  /* what was sent to it */
	bool input_ended;
	size_t flood_left, flooded; /* bytes of output */
};

extern struct fake_engine engine;

/* Its version is 1.41. */
void engine_setup(void);
void engine_teardown(void);

void engine_goes(void);
void engine_comes(void);

/* Its answers to requests whose first line begins with `what`.  A new answer
 * takes the place of the old one. */
void engine_answers(const char *what, int status, const char *json);
void engine_says(const char *what, struct str bytes);
void engine_hangs_up_after(const char *what, struct str bytes);
void engine_is_silent(const char *what);
void engine_has_version(const char *version);

/* The same, but only for the next so many requests. */
void engine_answers_times(unsigned times, const char *what, int status,
			  const char *json);

/* How many requests there were whose first line begins with `what`. */
unsigned engine_was_asked(const char *what);

/* Makes streams of the requests to this path. */
void engine_streams(const char *what);

/* On the stream. */
void engine_sends(struct str bytes);
void engine_sends_frame(int stream, const char *payload);
void engine_hangs_up(void);
void engine_floods(size_t bytes); /* and hangs up; see flood_bytes() */
void engine_listens(bool);
bool engine_was_read(void); /* all that it has sent */

enum { FLOOD_BYTES = 64 << 10 };

/* The bytes at this place of a flood, up to FLOOD_BYTES. */
const char *flood_bytes(size_t at);

/* Descriptors of this process. */
unsigned open_descriptors(void);
