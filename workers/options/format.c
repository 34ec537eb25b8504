#include "workers/options/format.h"

#include "proto/str.h"
#include "workers/io/json.h"
#include "workers/schema/schema.h"

static bool
fail(const char *what, struct error *e)
{
	return fail_about(e, ERR_INVALID, "response_format%s", what);
}

/* As OpenAI has it: up to 64 characters of these. */
static bool
is_name(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	return len && len <= 64 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789_-") == len;
}

static bool
read_schema(const json_t *said, json_t **schema, struct error *e)
{
	json_t *s = json_object_get(said, "schema");
	json_t *strict = json_object_get(said, "strict");

	if (!json_is_object(said))
		return fail(".json_schema: must be an object", e);
	if (!is_name(json_text(said, "name")))
		return fail(".json_schema.name: must be 1 to 64 characters of "
			    "A-Z, a-z, 0-9, - and _",
			    e);
	if (!json_is_object(s))
		return fail(".json_schema.schema: must be an object", e);
	if (strict && !json_is_null(strict) && !json_is_boolean(strict))
		return fail(".json_schema.strict: must be true or false", e);
	if (!schema_check(s, "response_format.json_schema.schema",
			  json_is_true(strict), e))
		return false;
	*schema = json_pack("{s:O, s:O, s:b, s:O*}", "name",
			    json_object_get(said, "name"), "schema", s,
			    "strict", json_is_true(strict), "description",
			    json_object_get(said, "description"));
	return true;
}

bool
format_read(const json_t *value, enum format *format, json_t **schema,
	    struct error *e)
{
	const char *type = json_text(value, "type");

	if (type && !strcmp(type, "text")) {
		*format = FORMAT_TEXT;
		return true;
	}
	if (type && !strcmp(type, "json_object")) {
		*format = FORMAT_OBJECT;
		return true;
	}
	if (!type || strcmp(type, "json_schema") != 0)
		return fail(".type: must be text, json_object or json_schema",
			    e);
	*format = FORMAT_SCHEMA;
	return read_schema(json_object_get(value, "json_schema"), schema, e);
}
