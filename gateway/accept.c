#include "gateway/accept.h"

/* Weights are in thousandths: as fine as the header can say them. */
enum { WHOLE = 1000, NOT_NAMED = -1 };

/* How much of a media type a range names: all types, a group, or one. */
enum { ALL, GROUP, EXACT };

struct range {
	struct str type;
	int weight;
};

/* "0.25" is 250.  Whatever is no weight counts as the whole. */
static int
weight_of(struct str q)
{
	int weight = 0, unit = WHOLE;

	if (!q.len || (*q.ptr != '0' && *q.ptr != '1') || q.len > 5 ||
	    (q.len > 1 && q.ptr[1] != '.'))
		return WHOLE;
	for (size_t i = 0; i < q.len; i += i == 0 ? 2 : 1) {
		if (q.ptr[i] < '0' || q.ptr[i] > '9')
			return WHOLE;
		weight += (q.ptr[i] - '0') * unit;
		unit /= 10;
	}
	return weight < WHOLE ? weight : WHOLE;
}

static struct range
range_of(struct str text)
{
	struct range r = { .weight = WHOLE };
	struct str parameters, parameter, value, name;

	r.type = str_trim(str_cut(text, ';', &parameters));
	while (parameters.len) {
		parameter = str_cut(parameters, ';', &parameters);
		name = str_trim(str_cut(parameter, '=', &value));
		if (str_same(name, STR("q")))
			r.weight = weight_of(str_trim(value));
	}
	return r;
}

/* How exactly the range names the type; NOT_NAMED: not at all. */
static int
exactness(struct str range, struct str type)
{
	struct str rest, group = str_cut(type, '/', &rest);
	struct str subtype, range_group = str_cut(range, '/', &subtype);

	if (str_same(range, type))
		return EXACT;
	if (!str_is(subtype, "*"))
		return NOT_NAMED;
	if (str_is(range_group, "*"))
		return ALL;
	return str_same(range_group, group) ? GROUP : NOT_NAMED;
}

/* The weight of the range that names the type best; 0 if none does. */
static int
weight_in(struct str accept, struct str type, int *best)
{
	int weight = 0, exact;
	struct range r;

	*best = NOT_NAMED;
	while (accept.len) {
		r = range_of(str_cut(accept, ',', &accept));
		exact = exactness(r.type, type);
		if (exact <= *best)
			continue;
		*best = exact;
		weight = r.weight;
	}
	return weight;
}

bool
accept_prefers_events(struct str accept)
{
	int events_named, json_named;
	int events = weight_in(accept, STR("text/event-stream"), &events_named);
	int json = weight_in(accept, STR("application/json"), &json_named);

	return events_named == EXACT && events > json;
}
