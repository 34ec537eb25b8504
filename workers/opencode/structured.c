/*
 * An answer that is to be JSON: the message names the schema, opencode offers
 * its model a tool whose arguments are the answer, and has the vendor demand
 * that it is used.  They are in the last message then, unchecked.  A model that
 * has answered in words all the same has its answer looked at like any other.
 */
#include "workers/opencode/opencode.h"

#define TOOL "StructuredOutput"

bool
opencode_takes_format(const struct options *o)
{
	return text_is(json_text(json_object_get(o->schema, "schema"), "type"),
		       "object");
}

void
structured_ask_for(const struct conversation *c, json_t *prompt)
{
	json_t *schema = json_object_get(c->options.schema, "schema");

	if (opencode_takes_format(&c->options))
		json_object_set_new(prompt, "format",
				    json_pack("{s:s, s:O, s:i}", "type",
					      "json_schema", "schema", schema,
					      "retryCount", 0));
}

void
structured_hear(struct opencode *o, const json_t *info)
{
	json_t *json = json_object_get(info, "structured");

	if (!json)
		return;
	json_decref(o->structured);
	o->structured = json_incref(json);
}

bool
structured_is_call(const struct conversation *c, const json_t *part)
{
	return c->holds && text_is(json_text(part, "tool"), TOOL);
}

bool
structured_is_missing(const struct conversation *c, const json_t *error)
{
	const struct opencode *o = c->own;

	return c->holds && o->has_text &&
	       text_is(json_text(error, "name"), "StructuredOutputError");
}
