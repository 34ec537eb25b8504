/*
 * How long the model may think.  droid lists what each model takes, and keeps
 * with the session what it was told; so it is told again when a turn wants
 * another, and what is usual counts as one.  It takes other words in silence.
 */
#include "workers/factory/factory.h"

static const json_t *
about(const struct factory *f, const char *model)
{
	return model ? json_object_get(f->efforts, model) : NULL;
}

void
factory_note_efforts(struct factory *f, const char *id, const json_t *model)
{
	unsigned set = effort_set_of(
		json_object_get(model, "supportedReasoningEfforts"), NULL);

	if (!f->efforts)
		f->efforts = json_object();
	json_object_set_new(
		f->efforts, id,
		json_pack("{s:I, s:O*}", "set", (json_int_t)set, "usual",
			  json_object_get(model, "defaultReasoningEffort")));
}

/* A new session has what the user has chosen for the default model; one that is
 * resumed has what was said in it last. */
void
factory_note_effort(struct factory *f, const json_t *settings)
{
	free(f->effort);
	f->effort = copy(json_str(settings, "reasoningEffort"));
	if (f->conversation->resumed || f->usual_effort)
		return;
	f->usual_effort = copy(str_of(f->effort));
}

static const char *
usual(const struct factory *f, const char *model)
{
	bool is_default =
		model && f->default_model && !strcmp(model, f->default_model);

	if (is_default && f->usual_effort)
		return f->usual_effort;
	return json_text(about(f, model), "usual");
}

bool
factory_choose_effort(const struct conversation *c, const char *model,
		      struct error *e)
{
	struct factory *f = c->own;
	json_int_t set =
		json_integer_value(json_object_get(about(f, model), "set"));
	auto_free char *who =
		copy_format("factory/%s", model ? model : "default");
	enum effort effort;

	if (!effort_settle(&c->options, who, (unsigned)set, &effort, e))
		return false;
	f->asked_effort =
		effort == EFFORT_USUAL ? usual(f, model) : effort_name(effort);
	return true;
}

const char *
factory_take_effort(struct factory *f)
{
	if (!f->asked_effort ||
	    (f->effort && !strcmp(f->effort, f->asked_effort)))
		return NULL;
	free(f->effort);
	f->effort = copy(str_of(f->asked_effort));
	return f->effort;
}
