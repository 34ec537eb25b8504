#pragma once
/*
 * prompt - a chat request, as a harness wants to see it
 *
 * OpenAI's messages come in many shapes: strings, null, arrays of parts, old
 * and new names for the same.  Here they become one: the text of all system
 * and developer messages, and a list of messages {"role","content"} of the
 * roles "user" and "assistant", each with an array of parts as parts.h
 * describes them.  A user's message has text, images and results; results of
 * the calls before it are a message of their own.  An assistant's has text and
 * calls.
 *
 * Nothing is cut or joined that the caller kept apart.  What can't be said to
 * the CLI is an error that names where it stands, or is listed as ignored.
 *
 * The last message is always the user's, and says more than results, for that
 * is what a CLI answers.  Of a request that ends with instructions only, these
 * are the question; one that ends with words of the assistant's, or with
 * results, gets a request to go on behind them.
 */
#include <jansson.h>

#include "proto/buf.h"
#include "proto/error.h"
#include "workers/cli/message.h"

struct prompt {
	char *system; /* NULL: none; may have NULs in it, hence: */
	size_t system_len;
	json_t *messages; /* as above */
	json_t *told;	  /* the same, with files in the place of their paths;
			   * NULL: there are none, or they were not read */
	json_t *strays;	  /* results that are sent without their calls, behind
			   * the last message of the assistant's; NULL or
			   * empty: there are none */
	json_t *told_strays; /* the same, as `told` is */
	bool goes_on;  /* the last message is ours: the answer is to go on */
	size_t ours;   /* messages from here on are not in the caller's list
			* of user's messages; SIZE_MAX: all are */
	char *ignored; /* fields that nobody honours: "n, seed"; NULL: none */
};

must_check bool prompt_read(struct prompt *, const json_t *body,
			    const struct recipient *, struct error *);
void prompt_fini(struct prompt *);

/* The messages as a harness can be told them: see attach.h.  Lent. */
json_t *prompt_told(const struct prompt *);

const json_t *prompt_content(const struct prompt *, size_t message);
bool prompt_is_assistants(const struct prompt *, size_t message);

/* Behind the last message of the assistant: what it has not answered yet. */
size_t prompt_unanswered(const struct prompt *);

/*
 * How many messages a conversation that is begun anew has behind it: all up to
 * the last message of the assistant, and the results of its calls.  What
 * follows is the question; there always is one.
 */
size_t prompt_history(const struct prompt *);

/* What the user says behind the last answer beside results: messages, which the
 * caller json_decref()s. */
json_t *prompt_beside_results(const struct prompt *);

/* The first `n` messages, as they are told, which the caller json_decref()s;
 * NULL if n is 0. */
json_t *prompt_begin(const struct prompt *, size_t n);

/* A hash of the messages from `from` on: the same for the same messages. */
uint64_t prompt_hash(const struct prompt *, size_t from);

/*
 * A hash of what a message says, without regard to white space, which
 * clients like to trim: 0 if it is not the assistant's or says nothing.
 */
uint64_t prompt_answer(const struct prompt *, size_t message);

/*
 * Hashes of what the user asks, without regard to white space and to ids of
 * calls.  They never are 0.
 *
 * prompt_asked     what the answer `answer`, a message of the assistant's, has
 *                  answered: all that stands between it and the answer before
 * prompt_question  what is asked from the message `from` on, and in results
 *                  that stand directly before it.  If the caller
 *                  sends the same again with the answer behind it, this is
 *                  prompt_asked() of that answer.
 */
uint64_t prompt_asked(const struct prompt *, size_t answer);
uint64_t prompt_question(const struct prompt *, size_t from);

/* The same hash as prompt_answer(), of text that comes in pieces: begin with
 * ANSWER_EMPTY. */
#define ANSWER_EMPTY UINT64_C(0xcbf29ce484222325)
uint64_t answer_add(uint64_t answer, struct str text);
