#include "workers/description.h"

#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "workers/capabilities.h"
#include "workers/options/effort.h"

/* Whose harnesses take an option: see options.def. */
enum by {
	BY_ALL = -3,
	BY_PROFILE,
	BY_NOBODY,
#define CAPABILITY(ID, name, otherwise, with, without, refusal) \
	BY_##ID = ID##_CAPABILITY,
#include "workers/capabilities.def"
};

#define KIND_text "string"
#define KIND_flag "boolean"
#define KIND_object "object"
#define KIND_named "object_or_id"
#define KIND_list "array"
#define KIND_choice "string_or_object"
#define SCOPE_TERMS "terms"
#define SCOPE_TURN "turn"

static const struct declaration {
	const char *name, *type, *scope, *field, *alias, *header, *unit;
	enum by by;
	json_int_t limit;
} options[OPTIONS] = {
#define OPTION(ID, kind, scope, by, name, field, alias, header, limit, unit, \
	       doc)                                                          \
	{ name,	  KIND_##kind, SCOPE_##scope, field, alias,                  \
	  header, unit,	       BY_##by,	      limit },
#include "proto/options.def"
};

static const struct {
	const char *name;
	const struct profile_takes *takes;
} takers[] = {
/* clang-format off */
#define TAKES(ID, name, parts, rules) { name, &profile_takes[ID##_TAKES] },
#include "workers/options/profile_parts.def"
	/* clang-format on */
};

bool
ability_listed(struct ability *a, const char *name)
{
	const struct harness_can *h = harnesses_can;

	while (h->name && strcmp(h->name, name) != 0)
		h++;
	if (!h->name)
		return false;
	*a = (struct ability){
		.can = h->can,
		.passes_on = h->passes_on,
		.efforts = h->can & CAN_EFFORT ? ANY_EFFORT : 0,
		.modes = MODE_BIT(MODE_BYOB) |
			 (h->can & CAN_SAFE ? MODE_BIT(MODE_SAFE) : 0),
	};
	if (h->passes_on)
		return true;
	a->takes = &profile_takes[OTHERS_TAKES];
	for (size_t i = 0; i < sizeof takers / sizeof *takers; i++)
		if (!strcmp(takers[i].name, name))
			a->takes = takers[i].takes;
	return true;
}

static const char *
native(const struct ability *a)
{
	return a->passes_on ? "passed_on" : "native";
}

static json_t *
modes_of(const struct ability *a)
{
	json_t *modes = json_object();

	for (int m = 0; m < MODES; m++) {
		bool is_taken = a->modes & MODE_BIT(m);

		if (m == MODE_SANDBOXED && !a->is_set_up)
			continue;
		json_object_set_new(modes, mode_name((enum mode)m),
				    json_string(is_taken ? "native" : "none"));
	}
	return modes;
}

static json_t *
efforts_of(const struct ability *a)
{
	json_t *words = json_array();

	for (int i = EFFORT_NONE; i < EFFORTS; i++)
		if (a->efforts & EFFORT_BIT(i))
			json_array_append_new(words, json_string(effort_name(
							     (enum effort)i)));
	return words;
}

static json_t *
modes_in(const struct ability *a)
{
	json_t *words = json_array();

	for (int m = 0; m < MODES; m++)
		if (a->modes & MODE_BIT(m))
			json_array_append_new(
				words, json_string(mode_name((enum mode)m)));
	return words;
}

/* What the value may be, where there are only a few; NULL: anything. */
static json_t *
values_of(const struct ability *a, enum option o)
{
	if (o == OPTION_MODE)
		return modes_in(a);
	if (o == OPTION_EFFORT && a->efforts && !a->passes_on)
		return efforts_of(a);
	if (o == OPTION_CHOICE && a->can & CAN_TOOLS && !a->passes_on)
		return json_pack("[s, s]", "none", "auto");
	return NULL;
}

static const char *
way_of(const struct ability *a, const struct declaration *d,
       const json_t *capabilities)
{
	if (d->by == BY_ALL)
		return "native";
	if (d->by == BY_PROFILE)
		return a->takes ? "native" : "none";
	if (d->by == BY_NOBODY)
		return a->passes_on ? "passed_on" : "none";
	return json_string_value(json_object_get(
		capabilities,
		capability_name((enum capability)(1ull << d->by))));
}

static json_t *
option_of(const struct ability *a, enum option o, const json_t *capabilities)
{
	const struct declaration *d = &options[o];
	json_t *row =
		json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?}", "name",
			  d->name, "how", way_of(a, d, capabilities), "type",
			  d->type, "scope", d->scope, "field", d->field,
			  "alias", d->alias, "header", d->header);
	json_t *values = values_of(a, o);

	if (values)
		json_object_set_new(row, "values", values);
	if (d->unit)
		json_object_set_new(row, "limits",
				    json_pack("{s:I}", d->unit, d->limit));
	return row;
}

/* Parts that are options of the request are taken as these are: what the
 * harness cannot is refused, wherever it was said. */
static json_t *
profile_of(const struct ability *a)
{
	json_t *parts = profile_ways(a->takes);

	if (profile_takes_all(a->takes))
		return parts;
	if (!(a->can & CAN_EFFORT))
		json_object_set_new(parts, profile_path(PART_EFFORT),
				    json_string("none"));
	if (!(a->can & CAN_MCP))
		json_object_set_new(parts, profile_path(PART_SERVERS),
				    json_string("none"));
	return parts;
}

json_t *
description_of(const struct ability *a)
{
	json_t *capabilities = capabilities_ways(a->can, native(a));
	json_t *rows = json_array();

	for (int o = 0; o < OPTIONS; o++)
		json_array_append_new(
			rows, option_of(a, (enum option)o, capabilities));
	return json_pack("{s:o, s:o, s:o, s:o}", "capabilities", capabilities,
			 "modes", modes_of(a), "options", rows, "profile",
			 profile_of(a));
}

void
description_add(struct buf *to, const struct ability *a)
{
	json_t *description = description_of(a);
	char *text = json_dumps(description, JSON_COMPACT);

	buf_put(to, str_of(text));
	free(text);
	json_decref(description);
}
