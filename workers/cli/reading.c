#include "workers/cli/reading.h"

#include <stdio.h>

#include "proto/buf.h"
#include "workers/io/json.h"

void
reading_init(struct reading *r, const struct recipient *recipient)
{
	*r = (struct reading){ .recipient = *recipient,
			       .ignored = json_object(),
			       .open_calls = json_object(),
			       .strays = json_array(),
			       .ids = json_object() };
}

void
reading_fini(struct reading *r)
{
	json_decref(r->ignored);
	json_decref(r->open_calls);
	json_decref(r->strays);
	json_decref(r->ids);
	*r = (struct reading){ 0 };
}

bool
reading_fail(const struct reading *r, const char *what, struct error *e)
{
	char part[32] = "";

	if (r->in_part)
		snprintf(part, sizeof part, ".content[%zu]", r->part);
	return fail_about(e, ERR_INVALID, "messages[%zu]%s%s", r->message, part,
			  what);
}

bool
reading_refuse(const struct reading *r, enum capability needed, struct error *e)
{
	auto_free char *what = copy_format(": %s %s", r->recipient.name,
					   capability_refusal(needed));

	reading_fail(r, what, e);
	e->code = ERR_UNSUPPORTED;
	return false;
}

void
reading_ignore(struct reading *r, const char *where, const char *name)
{
	auto_free char *path = copy_format("%s.%s", where, name);

	json_object_set_new_nocheck(r->ignored, path, json_true());
}

bool
json_says_nothing(const json_t *value)
{
	return json_is_null(value) || json_is_false(value) ||
	       (json_is_string(value) && !json_string_length(value)) ||
	       (json_is_array(value) && !json_array_size(value)) ||
	       (json_is_object(value) && !json_object_size(value));
}

/* Beside fields that are read there are some without influence on an answer. */
static const struct {
	const char *role, *fields; /* role NULL: any */
} understood[] = {
	{ NULL, "role content refusal cache_control id type status "
		"index" },
	{ "assistant", "tool_calls function_call partial prefix" },
	{ "tool", "tool_call_id name" }, /* name: as in its call */
	{ "function", "tool_call_id name" },
};

static bool
is_understood(const char *role, const char *field)
{
	for (size_t i = 0; i < sizeof understood / sizeof *understood; i++)
		if ((!understood[i].role ||
		     (role && !strcasecmp(role, understood[i].role))) &&
		    str_list_has(str_of(understood[i].fields), str_of(field)))
			return true;
	return false;
}

void
message_note_ignored(struct reading *r, const json_t *message)
{
	const char *role = json_text(message, "role"), *field;
	json_t *value;

	json_object_foreach ((json_t *)message, field, value)
		if (!json_says_nothing(value) && !is_understood(role, field))
			reading_ignore(r, "messages", field);
}

/* What is the default asks for nothing. */
static bool
is_default(const json_t *value)
{
	const char *text = json_string_value(value);

	return json_says_nothing(value) || (text && !strcmp(text, "auto"));
}

void
reading_note_unread(struct reading *r, const char *where, const json_t *object,
		    const char *read)
{
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)object, field, value)
		if (!is_default(value) &&
		    !str_list_has(str_of(read), str_of(field)))
			reading_ignore(r, where, field);
}
