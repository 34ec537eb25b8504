#include "workers/opencode/opencode.h"

#include <stdio.h>

#include "workers/cli/prompt.h"

/*
 * A message consists of parts: text, reasoning, uses of tools, and marks where
 * a request to the vendor begins and ends.  Text comes twice: as deltas, and as
 * a whole when its part is closed.
 */

static json_int_t
number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

json_t *
parts_record(struct opencode *o, const char *id, const char *type)
{
	json_t *record = json_object_get(o->parts, id);

	if (record)
		return record;
	record = json_pack("{s:s?, s:I, s:I}", "type", type, "said",
			   (json_int_t)0, "hash", (json_int_t)ANSWER_EMPTY);
	json_object_set_new(o->parts, id, record);
	return record;
}

/* Text after the use of a tool begins on a new line. */
static void
say_text(struct conversation *c, const char *part, struct str text)
{
	struct opencode *o = c->own;

	if (strcmp(o->part, part) && o->has_text)
		conversation_text(c, STR("\n\n"));
	snprintf(o->part, sizeof o->part, "%s", part);
	o->has_text = true;
	conversation_text(c, text);
}

static void
say(struct conversation *c, json_t *record, const char *part, struct str text)
{
	struct opencode *o = c->own;
	const char *type = json_text(record, "type");
	uint64_t hash = (uint64_t)number(record, "hash");

	if (!text.len)
		return;
	json_object_set_new(
		record, "said",
		json_integer(number(record, "said") + (json_int_t)text.len));
	json_object_set_new(record, "hash",
			    json_integer((json_int_t)answer_add(hash, text)));
	o->step_spoke = true;
	if (text_is(type, "reasoning"))
		conversation_reasoning(c, text);
	else
		say_text(c, part, text);
}

/* Compares the whole text of a part with the deltas that were heard, and says
 * the rest, if the text begins with them. */
static void
catch_up(struct conversation *c, json_t *record, const char *part,
	 struct str whole)
{
	size_t said = (size_t)number(record, "said");
	struct str begin = { whole.ptr, said };

	if (whole.len > said &&
	    answer_add(ANSWER_EMPTY, begin) == (uint64_t)number(record, "hash"))
		say(c, record, part, str_from(whole, said));
}

static void
on_text_part(struct conversation *c, const json_t *part)
{
	struct opencode *o = c->own;
	const char *id = json_text(part, "id");
	json_t *record = parts_record(o, id, json_text(part, "type"));

	if (!json_object_get(json_object_get(part, "time"), "end"))
		return;
	catch_up(c, record, id, json_str(part, "text"));
	tools_hear_end_of_text(c);
}

/* Tools, which the CLI uses by itself. */

static void
on_tool_call(struct conversation *c, json_t *record, const json_t *part)
{
	const json_t *state = json_object_get(part, "state");
	struct opencode *o = c->own;

	if (json_object_get(record, "called"))
		return;
	json_object_set_new(record, "called", json_true());
	o->step_spoke = o->step_called = true;
	conversation_tool(c, json_pack("{s:s?, s:s?, s:O?}", "id",
				       json_text(part, "callID"), "name",
				       json_text(part, "tool"), "arguments",
				       json_object_get(state, "input")));
}

static void
on_tool_result(struct conversation *c, json_t *record, const json_t *part)
{
	const json_t *state = json_object_get(part, "state");
	bool is_error = text_is(json_text(state, "status"), "error");

	if (json_object_get(record, "answered"))
		return;
	json_object_set_new(record, "answered", json_true());
	conversation_tool(
		c,
		json_pack("{s:s?, s:O?, s:b}", "id", json_text(part, "callID"),
			  "result",
			  json_object_get(state, is_error ? "error" : "output"),
			  "is_error", is_error));
}

static void
on_tool_part(struct conversation *c, const json_t *part)
{
	struct opencode *o = c->own;
	const char *status =
		json_text(json_object_get(part, "state"), "status");
	json_t *record = parts_record(o, json_text(part, "id"), "tool");
	bool is_over = text_is(status, "completed") || text_is(status, "error");

	if (structured_is_call(c, part) || tools_hear(c, record, part))
		return;
	if (is_over || text_is(status, "running"))
		on_tool_call(c, record, part);
	if (is_over)
		on_tool_result(c, record, part);
}

/* A request to the vendor begins.  Until it has said something, the CLI may
 * repeat it. */
static void
on_step_start(struct conversation *c, const json_t *part)
{
	struct opencode *o = c->own;

	o->step_spoke = o->step_called = o->has_calls = false;
}

void
parts_count(struct conversation *c, const json_t *part)
{
	static const struct usage_names names = {
		.input = "input",
		.cached = "cache.read",
		.written = "cache.write",
		.output = "output",
		.reasoning = "reasoning",
		.caches_are_apart = true,
		.reasoning_is_apart = true,
	};
	struct opencode *o = c->own;
	json_t *record = parts_record(o, json_text(part, "id"), "step-finish");

	if (json_object_get(record, "counted"))
		return;
	json_object_set_new(record, "counted", json_true());
	usage_read(&o->usage, json_object_get(part, "tokens"), &names);
	usage_add_cost(&o->usage,
		       usage_read_dollars(json_object_get(part, "cost")),
		       "opencode_list_price");
}

static const struct {
	const char *type;
	void (*hear)(struct conversation *, const json_t *part);
	bool also_aside; /* of what is not said */
} parts[] = {
	{ "text", on_text_part, false },
	{ "reasoning", on_text_part, false },
	{ "tool", on_tool_part, false },
	{ "step-start", on_step_start, true },
	{ "step-finish", parts_count, true },
	{ "agent", NULL, false },
	{ "compaction", NULL, false },
	{ "file", NULL, false },
	{ "patch", NULL, false },
	{ "retry", NULL, false },
	{ "snapshot", NULL, false },
	{ "subtask", NULL, false },
};

void
parts_hear(struct conversation *c, const json_t *about)
{
	struct opencode *o = c->own;
	const json_t *part = json_object_get(about, "part");
	const char *type = json_text(part, "type");

	if (!turn_is_on(o) || !type || !json_text(part, "id") ||
	    !text_is(json_text(part, "messageID"), o->assistant))
		return;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (strcmp(type, parts[i].type))
			continue;
		if (parts[i].hear && (!o->is_aside || parts[i].also_aside))
			parts[i].hear(c, part);
		return;
	}
	instance_unknown(c->instance, "part", type);
}

/* A delta of a part that was not seen is passed over: its type is not known. */
void
parts_delta(struct conversation *c, const json_t *about)
{
	struct opencode *o = c->own;
	const char *id = json_text(about, "partID");
	json_t *record = id ? json_object_get(o->parts, id) : NULL;

	if (!turn_is_on(o) || o->is_aside || !record ||
	    !text_is(json_text(about, "messageID"), o->assistant) ||
	    !text_is(json_text(about, "field"), "text"))
		return;
	say(c, record, id, json_str(about, "delta"));
}
