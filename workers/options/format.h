#pragma once
/*
 * format - what a request wants its answer to be: `response_format`
 *
 * https://platform.openai.com/docs/api-reference/chat/create has the shapes.
 */
#include <jansson.h>

#include "workers/options/options.h"

/*
 * Of a json_schema, *schema is {"name":N,"schema":S,"strict":B}, and with a
 * "description" if there is one, which the caller json_decref()s.
 */
must_check bool format_read(const json_t *value, enum format *, json_t **schema,
			    struct error *);
