#include "workers/cli/transcript.h"

#include <assert.h>

#include "workers/cli/parts.h"

/* What is being written: parts, and the text behind the last of them. */
struct transcript {
	json_t *parts;
	struct buf text;
};

/* A request is read whole before, and is far from this long. */
enum { MAX_TRANSCRIPT = 4u * MAX_BODY };

static const char *
text_in(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Not with buf_print(): it may have NULs in it. */
static void
add_string(struct buf *b, const json_t *string)
{
	buf_put(b, (struct str){ json_string_value(string),
				 json_string_length(string) });
}

static json_t *
string_of(const struct buf *b)
{
	return json_stringn(buf_str(b).ptr, b->len);
}

static void
end_text(struct transcript *t)
{
	if (t->text.len)
		json_array_append_new(t->parts,
				      json_pack("{s:s, s:o}", "type", "text",
						"text", string_of(&t->text)));
	buf_fini(&t->text);
}

static bool
add_part(void *to, const json_t *part, struct error *e)
{
	struct transcript *t = to;

	end_text(t);
	json_array_append(t->parts, (json_t *)part);
	buf_put(&t->text, STR("\n"));
	return true;
}

static bool
add_text(void *to, const json_t *part, struct error *e)
{
	struct transcript *t = to;

	add_string(&t->text, json_object_get(part, "text"));
	buf_put(&t->text, STR("\n"));
	return true;
}

static bool
add_call(void *to, const json_t *part, struct error *e)
{
	struct transcript *t = to;

	buf_print(&t->text, "<tool_call id=\"%s\" name=\"%s\">\n",
		  text_in(part, "id"), text_in(part, "name"));
	add_string(&t->text, json_object_get(part, "arguments"));
	buf_put(&t->text, STR("\n</tool_call>\n"));
	return true;
}

static const struct part_handlers in_a_result = {
	.text = add_text,
	.image = add_part,
	.image_url = add_part,
	.file = add_part,
	.path = add_part,
};

static bool
add_result(void *to, const json_t *part, struct error *e)
{
	struct transcript *t = to;

	buf_print(&t->text, "<tool_result id=\"%s\"%s>\n", text_in(part, "id"),
		  json_object_get(part, "is_error") ? " is_error=\"true\""
						    : "");
	if (!parts_say(json_object_get(part, "content"), &in_a_result, t, e))
		return false;
	buf_put(&t->text, STR("</tool_result>\n"));
	return true;
}

static const struct part_handlers in_a_history = {
	.text = add_text,
	.image = add_part,
	.image_url = add_part,
	.file = add_part,
	.path = add_part,
	.call = add_call,
	.result = add_result,
};

/* Every kind has a handler, and none of these fails. */
static void
say(struct transcript *t, const json_t *parts, const struct part_handlers *h)
{
	struct error e = { 0 };
	bool ok = parts_say(parts, h, t, &e);

	assert(ok);
}

static void
add_message(struct transcript *t, const json_t *message)
{
	const char *role = text_in(message, "role");

	buf_print(&t->text, "\n<%s>\n", role);
	say(t, json_object_get(message, "content"), &in_a_history);
	buf_print(&t->text, "</%s>\n", role);
}

/* A part that needs no words stays as it is. */
static bool
keep_part(void *to, const json_t *part, struct error *e)
{
	struct transcript *t = to;

	json_array_append(t->parts, (json_t *)part);
	return true;
}

static bool
tell_call(void *to, const json_t *part, struct error *e)
{
	struct transcript *t = to;

	(void)add_call(t, part, e);
	end_text(t);
	return true;
}

static bool
tell_result(void *to, const json_t *part, struct error *e)
{
	struct transcript *t = to;
	bool ok = true;

	if (json_object_get(part, "name"))
		(void)add_call(t, part, e);
	ok = add_result(t, part, e);
	end_text(t);
	return ok;
}

static const struct part_handlers in_a_question = {
	.text = keep_part,
	.image = keep_part,
	.image_url = keep_part,
	.file = keep_part,
	.path = keep_part,
	.call = tell_call,
	.result = tell_result,
};

json_t *
transcript_question(const struct conversation *c)
{
	struct transcript t = { .parts = json_array(),
				.text = BUF_INIT(MAX_TRANSCRIPT) };

	for (size_t i = c->from; i < json_array_size(c->messages); i++)
		say(&t,
		    json_object_get(json_array_get(c->messages, i), "content"),
		    &in_a_question);
	buf_fini(&t.text);
	return t.parts;
}

json_t *
transcript_of(const json_t *part)
{
	struct transcript t = { .parts = json_array(),
				.text = BUF_INIT(MAX_TRANSCRIPT) };
	json_t *parts = json_pack("[O]", part);

	say(&t, parts, &in_a_question);
	json_decref(parts);
	buf_fini(&t.text);
	return t.parts;
}

json_t *
transcript_history(const struct conversation *conversation)
{
	struct transcript t = { .text = BUF_INIT(MAX_TRANSCRIPT) };
	const json_t *message;
	size_t i;

	if (json_array_size(conversation->history) == 0)
		return NULL;
	t.parts = json_array();
	buf_put(&t.text, STR("The conversation so far:\n"));
	json_array_foreach (conversation->history, i, message)
		add_message(&t, message);
	buf_put(&t.text,
		STR("\nEnd of the conversation so far. The user goes on "
		    "with the next message:\n\n"));
	end_text(&t);
	buf_fini(&t.text);
	return t.parts;
}

json_t *
transcript_system(const struct conversation *conversation)
{
	struct buf text = BUF_INIT(MAX_TRANSCRIPT);
	json_t *part;

	if (!conversation->system_len)
		return NULL;
	buf_put(&text, STR("<system>\n"));
	buf_put(&text,
		(struct str){ conversation->system, conversation->system_len });
	buf_put(&text, STR("\n</system>\n\n"));
	part = json_pack("{s:s, s:o}", "type", "text", "text",
			 string_of(&text));
	buf_fini(&text);
	return part;
}

json_t *
transcript_preface(const struct conversation *conversation)
{
	json_t *all = json_array(), *system = NULL;
	json_t *history = transcript_history(conversation);

	if (!conversation->knows_system)
		system = transcript_system(conversation);
	if (system)
		json_array_append_new(all, system);
	if (history)
		json_array_extend(all, history);
	json_decref(history);
	return all;
}

json_t *
transcript_text(const json_t *all)
{
	struct buf text = BUF_INIT(MAX_TRANSCRIPT);
	const json_t *part;
	json_t *string;
	size_t i;

	json_array_foreach (all, i, part) {
		if (strcmp(text_in(part, "type"), "text") != 0) {
			buf_fini(&text);
			return NULL;
		}
		add_string(&text, json_object_get(part, "text"));
	}
	string = string_of(&text);
	buf_fini(&text);
	return string;
}
