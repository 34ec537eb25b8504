#pragma once
/*
 * failure - what the failure of a CLI means in the bridge's own error codes
 *
 * CLIs and vendors say what went wrong by a name for programs, by an HTTP
 * status, in words for people, or by several of these.  A harness reads them
 * from its CLI's output, and this file decides what they mean, so that the same
 * cause has the same code whichever CLI has told it.  A harness adds only a
 * table of the names and phrases that no other CLI has.
 *
 * Whether a client may try again is not decided here: it depends on whether the
 * CLI may have acted, which worker/turn.c knows.
 *
 * Nothing in this file fails: what it does not know is ERR_HARNESS.
 */
#include "proto/error.h"
#include "proto/str.h"

struct failure_word {
	const char *word;
	enum error_code code;
};

/* What only one CLI says.  Each list ends with an empty entry; NULL: none. */
struct failure_table {
	const char *cli;		    /* begins each error text */
	const struct failure_word *names;   /* exact, for programs */
	const struct failure_word *phrases; /* patterns, see failure.c */
	const char *log_in;		    /* what to do; NULL: nothing */
};

/* What a CLI has told. */
struct failure {
	const char *name;  /* NULL: none */
	long status;	   /* of the vendor's answer; 0: not known */
	const char *words; /* NULL: none */
};

/*
 * The sources are asked in this order: the name, the status, the words.  A code
 * that says only who failed (ERR_INVALID, ERR_UPSTREAM) gives way to what the
 * next source knows.
 */
enum error_code failure_code(const struct failure_table *,
			     const struct failure *);

/* The code of a name, or ERR_NONE. */
enum error_code failure_of_name(const struct failure_word *names,
				const char *name);

/* What a vendor's HTTP status means; ERR_NONE if it says nothing. */
enum error_code failure_of_status(long status);

/* What words for people mean, with the status that they may tell of; ERR_NONE
 * if they are not known.  `phrases` may be NULL. */
enum error_code failure_of_words(const struct failure_word *phrases,
				 const char *words);

/* The HTTP status of a failure that words tell of; 0: they tell of none.  A
 * number that merely has three digits is no status. */
long failure_status_in(const char *words);

/*
 * The conversation does not fit into the model's context, by the words of any
 * vendor or CLI.  Words about a rate limit are none of these, even where they
 * count tokens.
 */
bool failure_is_full_context(const char *words);

/* Fills in "<cli>: <words>", and behind a lack of a login what to do. */
void failure_tell(struct error *, enum error_code, const struct failure_table *,
		  struct str words);

/* The last step for an error that nobody has looked at so far, such as the last
 * words of a CLI that crashed.  Its text stays. */
void failure_settle(struct error *);
