#pragma once
/*
 * usage - what a turn has used, as OpenAI's chat completions say it
 *
 * The only place where that object is written.  (A provider's own answer is
 * passed on as it is, with the object that it has.)
 */
#include "proto/buf.h"
#include "proto/msg.h"

/* Appends the object.  Numbers that are not known are left out, but for the
 * three that clients read without asking whether they are there: these are 0
 * then, and "is_known" is false. */
void usage_write(struct buf *, const struct msg_finish *);
