#pragma once
/*
 * reading - how far the reading of a chat request's messages has come
 *
 * Everything that a message says becomes a part, or is refused with an error
 * that names its place, or is noted by name as ignored.  That goes for every
 * field of a message, of a part and of a call: each is in a table of what is
 * read, or is noted.
 */
#include <jansson.h>

#include "proto/error.h"
#include "proto/str.h"
#include "workers/capabilities.h"

/* Who is to hear the messages. */
struct recipient {
	const char *name; /* of the harness */
	uint64_t can;	  /* its capabilities */
};

/* How far the reading of a request has come. */
struct reading {
	struct recipient recipient;
	json_t *ignored;    /* the names of what is passed over, as its keys */
	json_t *open_calls; /* calls without a result so far, by their ids */
	json_t *strays;	    /* results that belong to no call, behind the last
			     * message of the assistant's, with their ids */
	json_t *ids;	    /* how often each id has been given to a call */
	size_t message;	    /* index of the message that is being read... */
	bool is_assistants, is_system;
	unsigned attachments; /* images and files so far, in all messages */
	size_t part;	      /* ...and of the part of its content, if: */
	bool in_part;
};

void reading_init(struct reading *, const struct recipient *);
void reading_fini(struct reading *);

/* Fails with ERR_INVALID; the text begins with the place. */
bool reading_fail(const struct reading *, const char *what, struct error *);

/* What stands here needs a capability that the harness lacks: fails with
 * ERR_UNSUPPORTED. */
bool reading_refuse(const struct reading *, enum capability needed,
		    struct error *);

/* Notes that "<where>.<name>" is passed over. */
void reading_ignore(struct reading *, const char *where, const char *name);

/* Notes the fields of a part or of a call that are not among those read, whose
 * names stand in `read`. */
void reading_note_unread(struct reading *, const char *where,
			 const json_t *object, const char *read);

/* Notes what the message has beside the fields that are read here. */
void message_note_ignored(struct reading *, const json_t *message);

/* Null, false and everything that is empty. */
bool json_says_nothing(const json_t *);
