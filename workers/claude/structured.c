/*
 * An answer that is to be JSON: at the handshake the CLI is given the schema,
 * for the whole life of its process.  Then it offers its model a tool of its
 * own, whose arguments are the answer; it checks them, tells the model what is
 * wrong, and gives up after some tries.  A model may also not use the tool:
 * then its answer is text, like any other.
 */
#include "workers/claude/claude.h"

#define TOOL "StructuredOutput"

/* A tool's arguments are an object. */
bool
claude_takes_format(const struct options *o)
{
	const char *type =
		json_text(json_object_get(o->schema, "schema"), "type");

	return type && !strcmp(type, "object");
}

void
claude_add_format(const struct conversation *c, json_t *initialize)
{
	if (claude_takes_format(&c->options))
		json_object_set(initialize, "jsonSchema",
				json_object_get(c->options.schema, "schema"));
}

bool
claude_is_format_call(struct conversation *c, const json_t *block)
{
	struct claude *own = c->own;
	const char *name = json_text(block, "name");
	const char *id = json_text(block, "id");
	const char *result = json_text(block, "tool_use_id");

	if (result)
		return !strcmp(result, own->format_call);
	if (!c->holds || !name || strcmp(name, TOOL) != 0)
		return false;
	snprintf(own->format_call, sizeof own->format_call, "%s", id ? id : "");
	return true;
}

/* The CLI's word for a model that has not used the tool rightly. */
bool
claude_has_no_format(const struct conversation *c, const json_t *result,
		     struct error *e)
{
	const char *subtype = json_text(result, "subtype");

	if (!subtype ||
	    strcmp(subtype, "error_max_structured_output_retries") != 0)
		return false;
	fail_with(e, ERR_INVALID_OUTPUT,
		  "%s: the model has tried several times, and has not given an "
		  "answer that fits the schema",
		  c->instance->name);
	return true;
}
