#pragma once
/*
 * json_line - JSON as it is written to a CLI
 *
 * Some programs read lines with a reader that also ends a line at characters
 * that JSON allows in a string: U+2028, U+2029, U+0085.  These are written as
 * escapes, as control characters are, so that a value is one line for every
 * reader.  Beside that the text is what json_dumps() makes with JSON_COMPACT,
 * in a fraction of its time.
 */
#include <jansson.h>
#include <stdio.h>

#include "proto/buf.h"
#include "proto/limits.h"

/* Each byte of a request becomes six at most, and a harness adds little. */
enum { MAX_JSON_LINE = 7u * MAX_BODY };

/* Appends the value, without a line end. */
void json_line(struct buf *, const json_t *value);

/* The value as a string with a NUL behind it.  The caller frees it. */
char *json_line_text(const json_t *value);

/* Writes the value and a line end; ferror() tells of failures. */
void json_line_write(FILE *, const json_t *value);
