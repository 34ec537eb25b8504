#pragma once
/*
 * linger - listens a little after the last word
 *
 * A socket that is closed while the other side is still sending is reset, and
 * what had been said last is lost with it: a client that was refused in the
 * middle of its request would see a broken connection instead of the reason.
 * So the socket is kept for a while, and what comes is thrown away.
 */
#include "proto/loop.h"

enum { LINGER_TIME = 2000 }; /* ms */

/* Says that nothing more will come from us; `fd` stays the caller's. */
void lingering_close(struct list *lingering, struct loop *, int fd);

void lingering_close_end_all(struct list *lingering);
