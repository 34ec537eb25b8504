#include "workers/passthrough/offer.h"

#include <jansson.h>

#include "proto/utf8.h"

static json_t *
row_of(const char *provider, const json_t *model)
{
	json_t *created = json_object_get(model, "created");
	const char *id = json_string_value(json_object_get(model, "id"));
	json_t *owner = json_object_get(model, "owned_by");
	json_t *row;

	if (!id || !*id || strlen(id) > MAX_MODEL)
		return NULL;
	row = json_object();
	json_object_set_new(row, "id", json_sprintf("%s/%s", provider, id));
	json_object_set_new(row, "object", json_string("model"));
	if (json_is_integer(created))
		json_object_set(row, "created", created);
	json_object_set_new(row, "owned_by", json_string(provider));
	if (json_is_string(owner))
		json_object_set(row, "upstream_owned_by", owner);
	return row;
}

static void
add_row(struct buf *rows, const char *provider, const json_t *model)
{
	json_t *row = row_of(provider, model);
	auto_free char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;
	size_t had = rows->len;
	struct error e;

	json_decref(row);
	if (!text)
		return;
	if ((had && !buf_add(rows, STR(","), &e)) ||
	    !buf_add(rows, str_of(text), &e))
		rows->len = had;
}

bool
offer_read(struct buf *rows, const char *provider, struct str answer,
	   struct error *e)
{
	json_error_t why;
	json_t *root = json_loadb(answer.ptr, answer.len, 0, &why);
	json_t *list, *model;
	size_t i;

	list = json_is_array(root) ? root : json_object_get(root, "data");
	if (!json_is_array(list)) {
		json_decref(root);
		return fail_with(e, ERR_UPSTREAM, "it sent no list of models");
	}
	json_array_foreach (list, i, model)
		add_row(rows, provider, model);
	json_decref(root);
	return true;
}
