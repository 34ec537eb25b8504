#pragma once
/*
 * failure - what the failure of a CLI means in the bridge's own error codes
 *
 * CLIs and vendors say what went wrong in an HTTP status, in words for people,
 * or in both.  A harness reads what is peculiar to its CLI and then takes the
 * last step here, so that the same cause has the same code whichever CLI has
 * told it.  Nothing in this file fails: what it does not know stays as it is.
 */
#include "proto/error.h"
#include "proto/str.h"

/* What a vendor's HTTP status means; ERR_NONE if it says nothing. */
enum error_code failure_of_status(long status);

/*
 * The conversation does not fit into the model's context, by the words of any
 * vendor or CLI.  Words about a rate limit are none of these, even where they
 * count tokens.
 */
bool failure_is_full_context(const char *words);

/* Clients repeat a request by themselves when they are told this code. */
bool failure_invites_retry(enum error_code);

/*
 * The last step: the code for a failure that a harness takes for `guess`,
 * which may be ERR_NONE, and that is told in `words`, which may be NULL.  A
 * turn that has spoken may have used tools, and a client must not repeat it
 * for the sake of half a sentence: then the answer is a truncated one.
 */
enum error_code failure_code(enum error_code guess, const char *words,
			     bool has_spoken);

/* Fills in "<name>: <words>", and behind a lack of a login what to do, which
 * may be NULL. */
void failure_tell(struct error *, enum error_code, const char *name,
		  struct str words, const char *log_in);

/* The same last step for an error that nobody has looked at so far, such as
 * the last words of a CLI that crashed.  Its text stays. */
void failure_settle(struct error *);
