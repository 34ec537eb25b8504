#pragma once
/*
 * json_read - reads large JSON in a fraction of jansson's time
 *
 * It reads plain JSON only.  Whatever is not (a mistake, half a character, a
 * huge number, deep nesting) is left to jansson, which also says what is
 * wrong with it.
 */
#include <jansson.h>

#include "proto/str.h"

/*
 * The value that json_loadb() makes of the text with JSON_ALLOW_NUL, or NULL:
 * the text is not plain, and json_loadb() must be asked.
 */
json_t *json_read(struct str text);
