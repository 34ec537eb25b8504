#pragma once
/*
 * harness - what the CLI engine must know about one coding CLI
 *
 * To add a harness, fill in a `const struct harness harness` in a folder of
 * its own and name the folder in workers/CMakeLists.txt and harnesses.def.
 * A harness turns requests into what its CLI wants to read, and lines of its
 * CLI into calls of the talk_...() functions below.  It never blocks, never
 * exits, keeps no state outside talk->state, and knows nothing of messages,
 * sockets or processes.
 *
 * A talk is one CLI process, kept warm between turns:
 *
 *      command, greet -> talk_ready      it has started
 *      say -> talk_text... talk_finish   a turn; then the next one
 */
#include <jansson.h>

#include "proto/buf.h"
#include "proto/error.h"
#include "proto/str.h"
#include "workers/words.h"

struct talk {
	/* For the whole life of the process. */
	const char *cli_id; /* the CLI's id of the conversation */
	bool resumed;	    /* the CLI knows it already... */
	/* ...up to here, where its last good turn ended; NULL: all of it */
	const char *position;
	bool kept; /* it is to be resumed later; else leave nothing */
	const char *cwd;
	const char *permission_mode;
	const char *scratch; /* a directory for files of its own */
	const char *system;  /* system prompt; NULL: none */
	size_t system_len;
	const json_t *history; /* messages that begin the conversation, as in
				* conversation.h; NULL: none.  Gone once it is
				* ready. */

	/* For the turn that is to be said. */
	const char *model;	/* NULL: the default */
	const json_t *messages; /* all that the caller has sent... */
	/* ...of which the CLI is to hear from here on: all the user's */
	size_t from;
	uint64_t turn; /* counts the turns of this process from 1 */

	void *state; /* harness.state bytes, zeroed */
};

struct harness {
	const char *program; /* looked up in PATH, unless <NAME>_BIN is set */
	const char *install; /* what to do if it is not there */
	size_t state;	     /* sizeof *talk->state */

	/* MAY be NULL: variables of ours that the CLI may see: names, or
	 * beginnings of names that end with "_". */
	const char *const *may_see;

	/* MAY be NULL: NAME=value that its CLI gets unless the user says
	 * otherwise with <NAME>_ENV_<NAME>. */
	const char *const *environment;

	/* MAY be NULL: arguments that make it print its version, and that make
	 * it exit with 0 if it is logged in; what to do if it is not. */
	const char *const *version, *const *logged_in;
	const char *log_in;

	/* MUST be set: appends arguments, in which nothing of the caller's
	 * may be, and NAME=value.  What it fails with fails the turn. */
	bool (*command)(struct talk *, struct words *argv, struct words *env,
			struct error *);

	/* MAY be NULL: writes what leads to talk_ready(); without it the CLI
	 * says by itself that it is ready. */
	void (*greet)(struct talk *);

	/* MUST be set: writes the turn's messages. */
	void (*say)(struct talk *);

	/* MAY be NULL: asks it to stop the turn, which must then lead to
	 * talk_fail() or talk_finish().  Without it the process is killed. */
	void (*interrupt)(struct talk *);

	/* MUST be set: hears one line.  What it fails with ends the process
	 * and the turn. */
	bool (*line)(struct talk *, struct str line, struct error *);

	/* MAY be NULL: the process is over, or was never started; removes
	 * what command() has made. */
	void (*clear)(struct talk *);

	/* MAY be NULL: makes sense of a CLI that ended on its own; otherwise
	 * it has CRASHED. */
	void (*ended)(struct talk *, int status, struct str last_words,
		      struct error *);

	/* MUST be set: model ids without the harness's name, ending with
	 * NULL; talk_models() replaces them. */
	const char *const *models;
};

extern const struct harness harness;

/* For the harness to call. */
void talk_write(struct talk *, struct str);

/* One JSON value on a line of its own.  Takes `json`. */
void talk_write_json(struct talk *, json_t *json);
void talk_ready(struct talk *);
void talk_text(struct talk *, struct str);
void talk_reasoning(struct talk *, struct str);

/* Takes `json`: {"id","name","arguments"}, or {"id","result"}. */
void talk_tool(struct talk *, json_t *json);

/* The CLI does not know cli_id: may be called until talk_ready(). */
void talk_lost(struct talk *);

/*
 * The turn ended well, or not; the process can go on in both cases.  `usage`
 * is OpenAI's object, which is taken, or NULL; `model` who answered, or NULL.
 */
void talk_finish(struct talk *, const char *reason, json_t *usage,
		 const char *model);
void talk_fail(struct talk *, const struct error *);

/* The turn failed in a way that the process had better not go on from. */
void talk_abort(struct talk *, const struct error *);

/* Where in the CLI's own records the turn that is to finish ended. */
void talk_mark(struct talk *, const char *position);

/* Takes `ids`, an array of strings. */
void talk_models(struct talk *, json_t *ids);

/* "claude": for error texts. */
const char *talk_name(const struct talk *);

/* Whether the turn has already said something that can't be taken back. */
bool talk_has_spoken(const struct talk *);

/* A random UUID, as RFC 4122, section 4.4 has it.  The caller frees it. */
char *new_uuid(void);
