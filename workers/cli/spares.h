#pragma once
/*
 * spares - conversations that are started ahead, for sessions to come
 *
 * A spare is not opened, so that any session can take it; its terms are given
 * to the CLI when it does.  It has the working directory that was used last,
 * for a process cannot change its own.  There are two kinds, because a CLI is
 * started with the choice whether its conversation is kept.  A kind is wanted
 * once a turn has needed it, until a spare of it was not needed for as long as
 * a conversation is kept idle.
 *
 * Where conversations share instances, a spare is an instance without one.
 */
#include "workers/cli/pool.h"

/* A spare that suits, which becomes the conversation of that plan; NULL: there
 * is none.  Another is started later. */
struct conversation *spares_take(struct pool *,
				 const struct conversation_plan *);

/* Starts one, if one is wanted: they are started one at a time. */
void spares_start(struct pool *);

/* The spare was not needed for long. */
void spares_expire(struct conversation *);
