#pragma once
/*
 * accept - the header Accept (RFC 9110, section 12.5.1)
 *
 * Most clients that can read a stream of events name it there whatever they
 * ask for: naming it is no wish.  Only a client that likes it better than JSON
 * wishes for it.  What can't be understood in the header is no wish either.
 */
#include <stdbool.h>

#include "proto/str.h"

/* `accept` is absent if the header was not sent. */
bool accept_prefers_events(struct str accept);
