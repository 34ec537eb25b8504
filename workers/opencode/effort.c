/*
 * How long the model may think: a message names a "variant" of the model. Which
 * there are the CLI tells with its models, and a user may describe others.
 */
#include "workers/opencode/opencode.h"

void
effort_note(struct server *s, const char *model, const json_t *about)
{
	const char *name;
	json_t *variant;
	unsigned set = 0;

	json_object_foreach (json_object_get(about, "variants"), name, variant)
		if (effort_named(name) != EFFORT_USUAL &&
		    !json_is_true(json_object_get(variant, "disabled")))
			set |= EFFORT_BIT(effort_named(name));
	json_object_set_new(s->efforts, model, json_integer((json_int_t)set));
}

bool
effort_ask_for(const struct conversation *c, json_t *prompt, struct error *e)
{
	const struct server *s = c->instance->own;
	auto_free char *name = model_name(c, json_object_get(prompt, "model"));
	auto_free char *who = copy_format("opencode/%s", name);
	json_int_t set = json_integer_value(json_object_get(s->efforts, name));
	enum effort effort;

	if (!effort_settle(&c->options, who, (unsigned)set, &effort, e))
		return false;
	if (effort != EFFORT_USUAL)
		json_object_set_new(prompt, "variant",
				    json_string(effort_name(effort)));
	return true;
}
