#include "workers/codex/codex.h"

/*
 * A model id is "model" or, if there is such a provider, "provider/model": the
 * name of a model may also contain a slash.  "default" is the model in the
 * settings, or else the catalogue's.
 */

static bool
is_provider(const json_t *providers, struct str name)
{
	const json_t *list = json_object_get(providers, "data"), *provider;
	size_t i;

	json_array_foreach (list, i, provider)
		if (name.len && str_eq(json_str(provider, "id"), name))
			return true;
	return false;
}

void
codex_read_model(const json_t *providers, const char *id, char **provider,
		 char **model)
{
	struct str rest, first = str_cut(str_of(id), '/', &rest);

	*provider = *model = NULL;
	if (rest.ptr && is_provider(providers, first)) {
		*provider = copy(first);
		first = rest;
	} else {
		first = str_of(id);
	}
	if (first.len && !str_is(first, "default"))
		*model = copy(first);
}

static bool
is_default(const json_t *model)
{
	return json_is_true(json_object_get(model, "isDefault"));
}

char *
codex_default_model(const struct codex *c)
{
	const json_t *list = json_object_get(c->models, "data"), *model;
	struct str id = json_str(c->config, "model");
	size_t i;

	if (id.len)
		return copy(id);
	json_array_foreach (list, i, model)
		if (is_default(model))
			return copy(json_str(model, "model"));
	return NULL;
}

/* The catalogue lists the models of OpenAI's provider, whatever the settings
 * say. */
static bool
uses_catalogue(const struct codex *c)
{
	const char *id = json_text(c->providers, "defaultProviderId");

	return !id || !strcmp(id, "openai");
}

static bool
has_account(const struct codex *c)
{
	return json_is_object(json_object_get(c->account, "account"));
}

static void
add_catalogue(const struct codex *c, json_t *ids, const char *format)
{
	const json_t *list = json_object_get(c->models, "data"), *model;
	size_t i;

	json_array_foreach (list, i, model) {
		const char *id = json_text(model, "model");

		if (id)
			json_array_append_new(
				ids, json_pack("{s:o, s:O*}", "id",
					       json_sprintf(format, id), "name",
					       json_object_get(model,
							       "displayName")));
	}
}

/* Of other providers the CLI knows only the models in the settings. */
json_t *
codex_model_ids(const struct codex *c)
{
	json_t *ids = json_array();
	json_t *model = json_object_get(c->config, "model");

	json_array_append_new(ids, json_string("default"));
	if (uses_catalogue(c)) {
		add_catalogue(c, ids, "%s");
		return ids;
	}
	if (json_is_string(model))
		json_array_append(ids, model);
	if (has_account(c))
		add_catalogue(c, ids, "openai/%s");
	return ids;
}

/* The CLI says only of its default provider whether a login is missing; with
 * another provider the turn fails. */
bool
codex_lacks_login(const struct conversation *c)
{
	const struct codex *own = c->own;
	char *provider, *model;
	bool is_default_provider;

	codex_read_model(own->providers, c->model, &provider, &model);
	is_default_provider = !provider;
	free(provider);
	free(model);
	return is_default_provider && !has_account(own) &&
	       json_is_true(
		       json_object_get(own->account, "requiresOpenaiAuth"));
}
