#pragma once
/*
 * error - what went wrong, in a form that can be logged, sent and shown
 *
 * A function that can fail returns bool and takes a `struct error *` last.  It
 * returns false if, and only if, it has filled the error in; on false its
 * output parameters are untouched.  The function that gives up reports the
 * error; the functions before it only return it.
 *
 * Errors are circumstances.  Bugs are not errors: assert() them.  Running out
 * of memory is not an error either: the process dies and is started again.
 */
#include <stdbool.h>
#include <stdint.h>

#include "proto/limits.h"

enum error_code {
#define ERROR(NAME, http, type, code, retry) ERR_##NAME,
#include "proto/errors.def"
	ERROR_CODES
};

/* Whether a client may send the request again: see errors.def. */
enum error_retry { RETRY_NO_USE, RETRY_NEVER, RETRY_LATER };

struct error {
	enum error_code code; /* ERR_NONE in a zeroed struct */
	uint32_t retry_ms;    /* when to try again, in ms; 0: unknown */
	uint16_t field_len;   /* length of the field's name that the text begins
				 with; 0: the error is about no field */
	char text[MAX_ERROR_TEXT];
};

#define must_check __attribute__((warn_unused_result))
#define printf_like(f) __attribute__((format(printf, f, (f) + 1)))

/*
 * Fills in `e` and returns false, so that failing reads `return
 * fail_with(...)`.  A text that is too long is cut, never inside a character.
 */
bool fail_with(struct error *e, enum error_code, const char *fmt, ...)
	printf_like(3);

/*
 * Like fail_with(), for a request with a wrong field: the text begins with the
 * field's name, which ends before the first space or colon.
 */
bool fail_about(struct error *e, enum error_code, const char *fmt, ...)
	printf_like(3);

/* Like fail_with() with ERR_SYSTEM, and adds the text of errno. */
bool fail_errno(struct error *e, const char *fmt, ...) printf_like(2);

const char *error_name(enum error_code); /* "NOT_FOUND" */
const char *error_type(enum error_code); /* OpenAI's error.type */
const char *error_slug(enum error_code); /* OpenAI's error.code */
int error_http(enum error_code);	 /* 404 */
enum error_retry error_retry(enum error_code);
