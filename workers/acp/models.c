#include "workers/acp/acp.h"

/*
 * An agent has its models in "models", or as one of its configuration options,
 * or in both: qwen, for which the former is its user's choice for the future
 * as well, and written into its settings.  Some of their ids are not made for
 * people ("$runtime|openai|x"): their names are, if they are single words.
 */
static const char *
name_of(const char *id, const char *name)
{
	return !is_plain_model(id) && is_plain_model(name) ? name : id;
}

static void
add_model(struct acp *c, const json_t *model, const char *key)
{
	const char *id = json_text(model, key);

	if (id && *id)
		json_object_set_new(c->models,
				    name_of(id, json_text(model, "name")),
				    json_string(id));
}

static const json_t *
model_option(const json_t *opened)
{
	const json_t *option;
	size_t i;

	json_array_foreach (json_object_get(opened, "configOptions"), i,
			    option) {
		const char *category = json_text(option, "category");

		if (category && !strcmp(category, "model") &&
		    json_text(option, "id"))
			return option;
	}
	return NULL;
}

/* Options may be in groups. */
static void
add_options(struct acp *c, const json_t *options)
{
	const json_t *option, *inner;
	size_t i, j;

	json_array_foreach (options, i, option) {
		add_model(c, option, "value");
		json_array_foreach (json_object_get(option, "options"), j,
				    inner)
			add_model(c, inner, "value");
	}
}

static void
read_option(struct acp *c, const json_t *option)
{
	c->choice = ACP_SET_OPTION;
	c->model_option = copy(str_of(json_text(option, "id")));
	c->default_model = copy(str_of(json_text(option, "currentValue")));
	add_options(c, json_object_get(option, "options"));
}

static void
read_models(struct acp *c, const json_t *models)
{
	const json_t *model;
	size_t i;

	c->choice = ACP_SET_MODEL;
	c->default_model = copy(str_of(json_text(models, "currentModelId")));
	json_array_foreach (json_object_get(models, "availableModels"), i,
			    model)
		add_model(c, model, "modelId");
}

static json_t *
names_of(const json_t *models)
{
	json_t *names = json_pack("[s]", "default"), *id;
	const char *name;

	json_object_foreach ((json_t *)models, name, id)
		if (strcmp(name, "default"))
			json_array_append_new(names, json_string(name));
	return names;
}

void
acp_read_models(struct talk *t, const json_t *opened)
{
	const json_t *models = json_object_get(opened, "models");
	const json_t *option = model_option(opened);
	struct acp *c = t->state;

	c->models = json_object();
	if (option)
		read_option(c, option);
	else if (json_is_object(models))
		read_models(c, models);
	if (json_object_size(c->models))
		talk_models(t, names_of(c->models));
}

/* What it does not list it may know all the same. */
static const char *
id_of(const struct acp *c, const char *model)
{
	const char *id = json_text(c->models, model);

	return id ? id : model;
}

static void
on_model_set(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct acp *c = t->state;
	struct error e = { 0 };

	if (!error) {
		free(c->model);
		c->model = c->asked_model;
		c->asked_model = NULL;
		acp_send_prompt(t);
		return;
	}
	acp_explain(t, error, &e);
	if (e.code == ERR_HARNESS || e.code == ERR_INVALID)
		e.code = ERR_NO_MODEL;
	acp_fail(t, &e);
}

static void
ask(struct talk *t, const char *id)
{
	struct rpc *rpc = &acp_agent_of(t)->rpc;
	struct acp *c = t->state;
	json_t *params;

	if (c->choice == ACP_SET_MODEL) {
		rpc_ask(rpc, "session/set_model",
			acp_params(t, "modelId", json_string(id)), on_model_set,
			t);
		return;
	}
	params = acp_params(t, "configId", json_string(c->model_option));
	json_object_set_new(params, "value", json_string(id));
	rpc_ask(rpc, "session/set_config_option", params, on_model_set, t);
}

bool
acp_ask_model(struct talk *t)
{
	struct acp *c = t->state;
	const char *id = t->model ? id_of(c, t->model) : c->default_model;
	const char *has = c->model     ? c->model
			  : t->resumed ? NULL
				       : c->default_model;
	struct error e = { 0 };

	if (!id || (has && !strcmp(id, has)) || (!t->model && !c->model))
		return false;
	if (c->choice == ACP_NO_CHOICE) {
		fail_with(&e, ERR_NO_MODEL,
			  "%s offers no choice of models: %s is not one of "
			  "its own",
			  talk_name(t), t->model);
		acp_fail(t, &e);
		return true;
	}
	c->asked_model = copy(str_of(id));
	ask(t, id);
	return true;
}
