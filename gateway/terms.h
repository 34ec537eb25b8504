#pragma once
/*
 * terms - what a turn runs under, as its request says it: session and cwd
 *
 * Clients that can't add a field to the body can add a header, so the same may
 * be said in several places.  Those that say it must agree: nobody could tell
 * which of two was meant.  An empty value says nothing; templates that had
 * nothing to fill in send it.
 */
#include "proto/error.h"
#include "proto/str.h"

struct request;

/* A session id as callers may choose them: not empty, printable, short. */
must_check bool terms_check_session(struct str, struct error *);

/* One place, and what it says; absent or empty: nothing. */
struct said {
	const char *where; /* "X-Session-Id": for the error */
	struct str what;
};

/*
 * What the places that say something agree on: absent if none does.  On
 * failure *where is the place at fault: ERR_INVALID if two differ or it is no
 * session id, ERR_BAD_CWD if it is no absolute path.
 */
must_check bool terms_session(const struct said *, size_t places,
			      struct str *session, const char **where,
			      struct error *);
must_check bool terms_cwd(const struct said *, size_t places, struct str *cwd,
			  const char **where, struct error *);

/*
 * The Idempotency-Key of a request: text of 1 to MAX_ID bytes without control
 * characters.  Absent or empty: there is none.
 */
must_check bool terms_key(struct str said, struct str *key, struct error *);

/*
 * The headers of options.def that the request has, as a JSON object of texts,
 * which the caller frees; NULL: there are none.  On failure *where is the one
 * at fault.
 */
must_check bool terms_headers(const struct request *, char **headers,
			      const char **where, struct error *);

/* Whether a count of retries, as SDKs send it, is more than 0. */
bool terms_is_retry(struct str said);
