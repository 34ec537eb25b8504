#include "workers/options/kept_tools.h"

#include "proto/buf.h"
#include "workers/io/hash.h"
#include "workers/io/json.h"

/* Members of the terms that no request has. */
#define HAD_TOOLS "had_tools"

bool
options_had_tools(const char *text)
{
	json_auto_t *terms = text ? json_loads(text, 0, NULL) : NULL;

	return json_is_true(json_object_get(terms, HAD_TOOLS));
}

#define KEPT_TOOLS "kept_tools"

/* NULL: there are none.  The caller frees it. */
static char *
tools_mark(const struct options *o)
{
	const json_t *offered = options_offered(o);
	auto_free char *text =
		json_array_size(offered)
			? json_dumps(offered, JSON_COMPACT | JSON_SORT_KEYS)
			: NULL;
	struct hash h = HASH_INIT;

	if (!o->tools)
		return NULL;
	hash_add_field(&h, str_of(o->keeps_own_tools ? "both" : "alone"));
	hash_add_field(&h, str_of(text));
	return copy_format("%016jx", (uintmax_t)hash_value(&h));
}

bool
options_has_tools_of(const struct options *o, const char *text)
{
	json_auto_t *terms = text ? json_loads(text, 0, NULL) : NULL;
	const char *had = json_text(terms, KEPT_TOOLS);
	auto_free char *has = tools_mark(o);

	return str_eq(str_of(had), str_of(has));
}

static json_t *
note_that_tools_are_there(const struct options *o, json_t *terms)
{
	if (!o->tools) {
		json_object_del(terms, HAD_TOOLS);
		return terms;
	}
	terms = terms ? terms : json_object();
	json_object_set_new(terms, HAD_TOOLS, json_true());
	return terms;
}

static json_t *
note_which(const struct options *o, json_t *terms)
{
	auto_free char *mark = tools_mark(o);

	if (!mark) {
		json_object_del(terms, KEPT_TOOLS);
		return terms;
	}
	if (!terms)
		terms = json_object();
	json_object_set_new(terms, KEPT_TOOLS, json_string(mark));
	return terms;
}

json_t *
kept_tools_note(const struct options *o, json_t *terms)
{
	terms = note_that_tools_are_there(o, terms);
	return o->keeps_tools ? note_which(o, terms) : terms;
}
