#pragma once
/*
 * request - what of a request is not MHD's: its headers and its stream
 *
 * Shared by http.c and request.c, and by nobody else: for all others there is
 * http.h.
 */
#include "gateway/http/http.h"

/* It waits for us, and MHD does not look at it. */
bool request_is_ours(const struct request *);

/* Says to who answers, if there is somebody, that the client has gone. */
void request_tell_owner(struct request *);

/* The client has gone, or takes nothing any more. */
void request_lose(struct request *);

/* Sends what there is to send, as far as the socket takes it. */
void request_push(struct request *);

/* Adds our id.  An upstream may have signed its answer already. */
void request_sign(struct request *);

/* The headers of the answer, one by one, from *at = 0. */
bool request_next_header(const struct request *, size_t *at, const char **name,
			 const char **value);

/* In http.c: gives the connection to MHD again, to end the answer. */
void request_hand_back(struct request *);

/* In http.c: answers in the middle of a request, and ends the connection. */
void request_cut_short(struct request *, const struct error *);

/* In http.c: has request_push() called when the socket takes more. */
void request_watch_room(struct request *, bool wanted);
