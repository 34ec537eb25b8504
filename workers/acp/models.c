#include "workers/acp/acp.h"

enum { NO_SUCH_METHOD = -32601 }; /* of JSON-RPC */

/*
 * An agent lists its models in "models", in a configuration option, or in both.
 * qwen does both, and writes a choice among the former into its user's
 * settings. Some ids are not made for people ("$runtime|openai|x"); then the
 * name is used, if it is a single word.
 */
static const char *
name_of(const char *id, const char *name)
{
	return !is_plain_model(id) && is_plain_model(name) ? name : id;
}

/* What an agent says of its models, while it is read. */
struct model_list {
	struct acp *acp;
	json_t *rows; /* for conversation_models(), by our names */
};

static const char *
our_name(const json_t *model, const char *key)
{
	const char *id = json_text(model, key);

	return id && *id ? name_of(id, json_text(model, "name")) : NULL;
}

/* The protocol has no field for the length of a context: qwen says it beside.
 */
static void
describe(struct model_list *list, const json_t *model, const char *key)
{
	const char *name = our_name(model, key);
	json_t *row = name ? json_object_get(list->rows, name) : NULL;
	const json_t *meta = json_object_get(model, "_meta");
	json_t *length = json_object_get(meta, "contextLimit");

	if (row && length)
		json_object_set(row, "context_length", length);
}

static void
add_model(struct model_list *list, const json_t *model, const char *key)
{
	const char *name = our_name(model, key);

	if (!name)
		return;
	json_object_set(list->acp->models, name, json_object_get(model, key));
	json_object_set_new(list->rows, name,
			    json_pack("{s:s, s:O*}", "id", name, "name",
				      json_object_get(model, "name")));
	describe(list, model, key);
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

/* Options may be nested in groups. */
static void
add_options(struct model_list *list, const json_t *options)
{
	const json_t *option, *inner;
	size_t i, j;

	json_array_foreach (options, i, option) {
		add_model(list, option, "value");
		json_array_foreach (json_object_get(option, "options"), j,
				    inner)
			add_model(list, inner, "value");
	}
}

static void
read_option(struct model_list *list, const json_t *option)
{
	struct acp *c = list->acp;

	c->choice = ACP_SET_OPTION;
	c->model_option = copy(str_of(json_text(option, "id")));
	c->default_model = copy(str_of(json_text(option, "currentValue")));
	add_options(list, json_object_get(option, "options"));
}

static void
read_models(struct model_list *list, const json_t *models)
{
	struct acp *c = list->acp;
	const json_t *model;
	size_t i;

	c->choice = ACP_SET_MODEL;
	c->default_model = copy(str_of(json_text(models, "currentModelId")));
	json_array_foreach (json_object_get(models, "availableModels"), i,
			    model)
		add_model(list, model, "modelId");
}

static void
describe_all(struct model_list *list, const json_t *models)
{
	const json_t *model;
	size_t i;

	json_array_foreach (json_object_get(models, "availableModels"), i,
			    model)
		describe(list, model, "modelId");
}

static json_t *
rows_of(const struct model_list *list)
{
	json_t *rows = json_pack("[s]", "default"), *row;
	const char *name;

	json_object_foreach (list->rows, name, row)
		if (strcmp(name, "default"))
			json_array_append(rows, row);
	return rows;
}

void
acp_forget_models(struct acp *own)
{
	json_decref(own->models);
	free(own->model_option);
	free(own->default_model);
	own->models = NULL;
	own->model_option = own->default_model = NULL;
	own->choice = ACP_NO_CHOICE;
}

void
acp_read_models(struct conversation *c, const json_t *opened)
{
	const json_t *models = json_object_get(opened, "models");
	const json_t *option = model_option(opened);
	struct acp *own = c->own;
	struct model_list list = { .acp = own, .rows = json_object() };

	own->models = json_object();
	if (option)
		read_option(&list, option);
	else if (json_is_object(models))
		read_models(&list, models);
	describe_all(&list, models);
	if (json_object_size(own->models))
		conversation_models(c, rows_of(&list));
	else if (own->choice == ACP_NO_CHOICE && acp_names_models())
		own->choice = ACP_TRY_MODEL;
	json_decref(list.rows);
}

static bool
is_unknown_method(const json_t *error)
{
	return json_integer_value(json_object_get(error, "code")) ==
	       NO_SUCH_METHOD;
}

/* The agent may also know models that it does not list. */
static const char *
id_of(const struct acp *c, const char *model)
{
	const char *id = json_text(c->models, model);

	return id ? id : model;
}

/* The agent does not take the operator's names: they are not listed again. */
static void
fail_choice(struct conversation *c)
{
	struct acp *own = c->own;
	struct error e = { 0 };

	conversation_models(c, json_pack("[s]", "default"));
	fail_with(
		&e, ERR_NO_MODEL,
		"%s can't be told to use %s: it has no session/set_model; ask "
		"for \"%s\" alone, and name no models in its settings",
		conversation_name(c), own->asked_model, conversation_name(c));
	acp_fail(c, &e);
}

static void
on_model_set(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct acp *own = c->own;
	struct error e = { 0 };

	if (!error) {
		free(own->model);
		own->model = own->asked_model;
		own->asked_model = NULL;
		acp_read_efforts(own, result);
		if (!acp_ask_effort(c))
			acp_send_prompt(c);
		return;
	}
	if (own->choice == ACP_TRY_MODEL && is_unknown_method(error)) {
		fail_choice(c);
		return;
	}
	acp_explain(c, error, &e);
	if (e.code == ERR_HARNESS || e.code == ERR_INVALID)
		e.code = ERR_NO_MODEL;
	acp_fail(c, &e);
}

static void
ask(struct conversation *c, const char *id)
{
	struct rpc *rpc = &acp_agent_of(c)->rpc;
	struct acp *own = c->own;
	json_t *params;

	if (own->choice != ACP_SET_OPTION) {
		rpc_ask(rpc, "session/set_model",
			acp_params(c, "modelId", json_string(id)), on_model_set,
			c);
		return;
	}
	params = acp_params(c, "configId", json_string(own->model_option));
	json_object_set_new(params, "value", json_string(id));
	rpc_ask(rpc, "session/set_config_option", params, on_model_set, c);
}

bool
acp_ask_model(struct conversation *c)
{
	struct acp *own = c->own;
	const char *model = c->model;
	const char *id = model ? id_of(own, model) : own->default_model;
	const char *has = own->model   ? own->model
			  : c->resumed ? NULL
				       : own->default_model;
	struct error e = { 0 };

	if (!id || (has && !strcmp(id, has)) || (!model && !own->model))
		return false;
	if (own->choice == ACP_NO_CHOICE) {
		fail_with(&e, ERR_NO_MODEL,
			  "%s offers no choice of models: %s is not one of "
			  "its own",
			  conversation_name(c), id);
		acp_fail(c, &e);
		return true;
	}
	own->asked_model = copy(str_of(id));
	ask(c, id);
	return true;
}
