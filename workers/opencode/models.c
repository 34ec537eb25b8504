#include "workers/cli/models.h"
#include "workers/opencode/opencode.h"

/*
 * The CLI lists the providers that it can ask: those with a key, and those that
 * the user has described.  It adds a provider of its makers', with free models
 * and a public key, and may choose that by itself.  Here that provider is asked
 * only if the caller names it: no prompt goes to a vendor that was not meant.
 */
static bool
is_everybodys(const json_t *provider)
{
	const char *key =
		json_text(json_object_get(provider, "options"), "apiKey");

	return text_is(json_text(provider, "id"), "opencode") &&
	       text_is(key, "public");
}

static json_t *
described(const char *id, const json_t *about)
{
	const json_t *limit = json_object_get(about, "limit");

	return json_pack("{s:s, s:O*, s:O*, s:I}", "id", id, "name",
			 json_object_get(about, "name"), "context_length",
			 json_object_get(limit, "context"), "created",
			 models_date(json_text(about, "release_date")));
}

static void
add_models(struct server *s, const json_t *provider)
{
	const char *id = json_text(provider, "id"), *model;
	const char *first = json_text(s->defaults, id);
	json_t *models = json_object_get(provider, "models"), *about;

	json_object_foreach (models, model, about) {
		auto_free char *name = copy_format("%s/%s", id, model);

		json_array_append_new(s->models, described(name, about));
		effort_note(s, name, about);
		json_object_set(
			s->inputs, name,
			json_object_get(json_object_get(about, "capabilities"),
					"input"));
		if (!first)
			first = model;
	}
	if (first && !s->first_model)
		s->first_model = copy_format("%s/%s", id, first);
}

bool
models_read(struct server *s, const json_t *answer, struct error *e)
{
	const json_t *providers = json_object_get(answer, "providers");
	const json_t *provider;
	size_t i;

	if (!json_is_array(providers))
		return fail_with(e, ERR_HARNESS, "no list of providers");
	json_decref(s->defaults);
	s->defaults = json_incref(json_object_get(answer, "default"));
	json_array_clear(s->models);
	json_object_clear(s->inputs);
	json_array_append_new(s->models, json_string("default"));
	json_array_foreach (providers, i, provider)
		if (is_everybodys(provider))
			s->has_free = true;
		else if (json_text(provider, "id"))
			add_models(s, provider);
	return true;
}

/* "provider/model": the model may have more slashes.  A provider alone is
 * asked for its default model. */
json_t *
model_named(const struct server *s, const char *name)
{
	struct str model, provider = str_cut(str_of(name), '/', &model);
	const char *its_default = json_text(s->defaults, name);

	if (!model.ptr)
		model = str_of(its_default ? its_default : name);
	return json_pack("{s:s%, s:s%}", "providerID", provider.ptr,
			 provider.len, "modelID", model.ptr, model.len);
}

bool
model_of(const struct conversation *c, json_t **model, struct error *e)
{
	const struct server *s = c->instance->own;
	const struct opencode *o = c->own;

	*model = NULL;
	if (c->model)
		*model = model_named(s, c->model);
	else if (!o->has_default && s->first_model)
		*model = model_named(s, s->first_model);
	else if (!o->has_default)
		return fail_with(e, ERR_LOGIN,
				 "opencode is logged in with no provider; run: "
				 "opencode auth login");
	return true;
}

char *
model_name(const struct conversation *c, const json_t *model)
{
	const struct opencode *o = c->own;

	if (!model)
		return copy(str_of(o->its_model ? o->its_model : "default"));
	return copy_format("%s/%s", json_text(model, "providerID"),
			   json_text(model, "modelID"));
}

bool
model_takes(const struct conversation *c, const json_t *model,
	    const json_t *parts, struct error *e)
{
	const struct server *s = c->instance->own;
	auto_free char *name = model_name(c, model);
	const json_t *takes = json_object_get(s->inputs, name), *part;
	size_t i;

	json_array_foreach (parts, i, part) {
		const char *ours = json_text(part, "media_type");
		const char *type = ours ? ours : json_text(part, "mime");
		bool is_pdf = text_is(type, "application/pdf");

		if (json_object_get(part, "content") &&
		    !model_takes(c, model, json_object_get(part, "content"), e))
			return false;
		if (!type || !json_is_false(json_object_get(
				     takes, is_pdf ? "pdf" : "image")))
			continue;
		return fail_with(e, ERR_UNSUPPORTED, "opencode: %s takes no %s",
				 name, is_pdf ? "PDF documents" : "images");
	}
	return true;
}
