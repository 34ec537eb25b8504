#pragma once
/* json - what is in a JSON object, as the rest of us wants to have it */
#include <jansson.h>

#include "proto/str.h"

/* NULL if it is not there, or no string. */
static inline const char *
json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* The same, where there may be NULs in it; absent if it is not there. */
static inline struct str
json_str(const json_t *object, const char *key)
{
	const json_t *text = json_object_get(object, key);

	return (struct str){ json_string_value(text),
			     json_string_length(text) };
}
