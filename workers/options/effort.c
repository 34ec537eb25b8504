#include "workers/options/effort.h"

#include "proto/buf.h"
#include "workers/io/json.h"

enum effort
effort_named(const char *word)
{
	for (int i = EFFORT_NONE; word && i < EFFORTS; i++)
		if (!strcmp(word, effort_name((enum effort)i)))
			return (enum effort)i;
	if (word && !strcmp(word, "off"))
		return EFFORT_NONE;
	return word && !strcmp(word, "ultracode") ? EFFORT_MAX : EFFORT_USUAL;
}

unsigned
effort_set_of(const json_t *words, const char *key)
{
	const json_t *word;
	unsigned set = 0;
	size_t i;

	json_array_foreach (words, i, word) {
		enum effort e = effort_named(key ? json_text(word, key)
						 : json_string_value(word));

		if (e != EFFORT_USUAL)
			set |= EFFORT_BIT(e);
	}
	return set;
}

static bool
refuse(const struct options *o, const char *who, unsigned can, struct error *e)
{
	struct buf words = BUF_INIT(MAX_ERROR_TEXT);

	for (int i = EFFORT_NONE; i < EFFORTS; i++)
		if (can & EFFORT_BIT(i))
			buf_print(&words, "%s%s", words.len ? ", " : "",
				  effort_name((enum effort)i));
	if (words.len)
		fail_about(
			e, ERR_UNSUPPORTED,
			"reasoning_effort: %s takes no \"%s\", only " STR_FMT,
			who, effort_name(o->effort), STR_ARG(buf_str(&words)));
	else
		fail_about(e, ERR_UNSUPPORTED,
			   "reasoning_effort: %s cannot be told how long to "
			   "think: leave it out",
			   who);
	buf_fini(&words);
	return false;
}

bool
effort_settle(const struct options *o, const char *who, unsigned can,
	      enum effort *effort, struct error *e)
{
	bool is_taken =
		o->effort == EFFORT_USUAL || can & EFFORT_BIT(o->effort);

	if (!is_taken && (o->effort != EFFORT_MEDIUM || o->is_strict))
		return refuse(o, who, can, e);
	*effort = is_taken ? o->effort : EFFORT_USUAL;
	return true;
}
