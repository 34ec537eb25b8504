/*
 * An answer that is to be JSON: each turn names the schema, and the vendor
 * keeps the model to it.  It takes what OpenAI calls strict, and refuses other
 * schemas; those are told in words.  Codex itself checks nothing.
 */
#include "workers/codex/codex.h"

#include "workers/schema/schema.h"

static const json_t *
schema_of(const struct options *o)
{
	return json_object_get(o->schema, "schema");
}

bool
codex_takes_format(const struct options *o)
{
	return schema_is_openai_strict(schema_of(o));
}

void
codex_add_format(const struct conversation *c, json_t *params)
{
	if (codex_takes_format(&c->options))
		json_object_set(params, "outputSchema",
				(json_t *)schema_of(&c->options));
}
