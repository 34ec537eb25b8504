#pragma once
/*
 * story - what a turn has said so far, for a listener that comes later
 *
 * Words and tools, in order; pieces of the same kind that follow each
 * other are one.  Notes are not kept, because they are no part of the answer.
 * A story has MAX_STORY bytes at most: of a longer one nothing is kept.
 */
#include "proto/buf.h"
#include "proto/msg.h"

struct listener;

struct story {
	struct buf pieces;
	size_t last;	  /* where the last piece begins */
	bool is_too_long; /* and was dropped */
};

#define STORY_INIT ((struct story){ .pieces = BUF_INIT(MAX_STORY) })

void story_fini(struct story *);

/* Forgets it: it counts as too long. */
void story_give_up(struct story *);

/* Whether a piece of this type is JSON, which is told as it is. */
bool story_is_whole(enum msg_type);

/* `type` is one that listener_tell_words() takes. */
void story_add(struct story *, enum msg_type type, struct str);

/* Tells the listener all of it, as if it were said now. */
void story_tell(const struct story *, struct listener *);
