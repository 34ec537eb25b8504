#pragma once
/*
 * file - what a file in a caller's message is, and how it is told as text
 *
 * Its bytes decide what it is, never its name or what somebody calls it.
 */
#include <jansson.h>

#include "proto/str.h"

enum file_kind { FILE_UNKNOWN, FILE_TEXT, FILE_PDF, FILE_IMAGE };

/* *media_type is that of the PDF or the image, and lives as long as the
 * process.  Text is UTF-8 without zero bytes; no bytes at all are text. */
enum file_kind file_kind(struct str bytes, const char **media_type);

/* What a media type calls a file: FILE_UNKNOWN if it may be anything. */
enum file_kind file_kind_called(struct str media_type);

/* "a PDF document", for people. */
const char *file_kind_name(enum file_kind);

/*
 * A text that is marked as a file, as a part of a message, which the caller
 * json_decref()s:
 *
 *      <file name="notes.txt">
 *      ...
 *      </file>
 *
 * The text stays as it is, and can yet not end its mark: where "</file" is in
 * it, the mark is <file-2>, or <file-3>..., the first whose end the text does
 * not have.  The same file always becomes the same text.
 */
json_t *file_text(struct str name, struct str text);
