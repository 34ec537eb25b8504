/*
 * How long the model may think.  A turn names it, and the thread keeps it, also
 * when it is resumed; so a turn that wants what is usual names that if the
 * thread has something else.  Usual is what the settings say, and medium if
 * they say nothing: then Codex names no effort, and the vendor's default is
 * medium.
 */
#include "workers/codex/codex.h"

static const char *
usual(const struct codex *c)
{
	return c->usual_effort ? c->usual_effort : "medium";
}

void
codex_note_effort(struct codex *c, const json_t *opened)
{
	free(c->effort);
	free(c->usual_effort);
	c->effort = copy(json_str(opened, "reasoningEffort"));
	c->usual_effort = copy(json_str(c->config, "model_reasoning_effort"));
}

/* What the catalogue says of the model; Codex takes models that are not in it,
 * and any word for them. */
static unsigned
efforts_of(const struct codex *c)
{
	const json_t *model, *words;
	size_t i;

	json_array_foreach (json_object_get(c->models, "data"), i, model) {
		const char *name = json_text(model, "model");

		words = json_object_get(model, "supportedReasoningEfforts");
		if (name && c->asked_model && words &&
		    !strcmp(name, c->asked_model))
			return effort_set_of(words, "reasoningEffort");
	}
	return CODEX_EFFORTS;
}

bool
codex_choose_effort(struct conversation *c, struct error *e)
{
	struct codex *own = c->own;
	auto_free char *who = copy_format(
		"codex/%s", own->asked_model ? own->asked_model : "default");

	return effort_settle(&c->options, who, efforts_of(own),
			     &own->asked_effort, e);
}

void
codex_add_effort(struct codex *c, json_t *params)
{
	const char *wanted = effort_name(c->asked_effort);
	bool is_usual = !c->effort || !strcmp(c->effort, usual(c));

	if (!wanted && is_usual)
		return;
	if (!wanted)
		wanted = usual(c);
	json_object_set_new(params, "effort", json_string(wanted));
	free(c->effort);
	c->effort = copy(str_of(wanted));
}
