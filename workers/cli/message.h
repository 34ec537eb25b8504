#pragma once
/*
 * message - what one message of a chat request says, as a list of parts
 *
 * Clients say the same thing in many shapes: a string or an array of parts,
 * OpenAI's parts or Anthropic's, calls of functions or of custom tools, with
 * and without ids.  Here each becomes one of the parts that parts.h describes.
 *
 * Everything that a message says becomes a part, or is refused with an error
 * that names its place, or is noted by name as ignored.  That goes for every
 * field of a message, of a part and of a call: each is in a table of what is
 * read, or is noted.
 */
#include <jansson.h>

#include "proto/error.h"
#include "proto/str.h"

/* Who is to hear the messages. */
struct recipient {
	const char *name; /* of the harness */
	unsigned takes;	  /* enum takes, or'ed */
};

/* How far the reading of a request has come. */
struct reading {
	struct recipient recipient;
	json_t *ignored;    /* the names of what is passed over, as its keys */
	json_t *open_calls; /* calls without a result so far, by their ids */
	json_t *ids;	    /* how often each id has been given to a call */
	size_t message;	    /* index of the message that is being read... */
	bool is_assistants;
	size_t part; /* ...and of the part of its content, if: */
	bool in_part;
};

void reading_init(struct reading *, const struct recipient *);
void reading_fini(struct reading *);

/* Fails with ERR_INVALID; the text begins with the place. */
bool reading_fail(const struct reading *, const char *what, struct error *);

/* Notes what the message has beside the fields that are read here. */
void message_note_ignored(struct reading *, const json_t *message);

/* Appends what the message's content says: nothing if it is null. */
must_check bool message_content(struct reading *, json_t *parts,
				const json_t *message, struct error *);

/* Appends the calls of tools that an assistant's message makes. */
void message_calls(struct reading *, json_t *parts, const json_t *message);

/*
 * Makes the `parts` of a tool's message the result of its call.  If there is no
 * such call, they are told as text.
 */
json_t *message_result(struct reading *, json_t *parts, const json_t *message);

/* All text of the parts, one after the other.  The caller frees it. */
char *parts_text(const json_t *parts, const char *between, size_t *len);
