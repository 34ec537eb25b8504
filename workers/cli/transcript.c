#include "workers/cli/transcript.h"

#include <assert.h>

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

static void
add_image(struct transcript *t, json_t *part)
{
	end_text(t);
	json_array_append(t->parts, part);
	buf_put(&t->text, STR("\n"));
}

static void
add_text(struct transcript *t, json_t *part)
{
	add_string(&t->text, json_object_get(part, "text"));
	buf_put(&t->text, STR("\n"));
}

static void
add_call(struct transcript *t, json_t *part)
{
	buf_print(&t->text, "<tool_call id=\"%s\" name=\"%s\">\n",
		  text_in(part, "id"), text_in(part, "name"));
	add_string(&t->text, json_object_get(part, "arguments"));
	buf_put(&t->text, STR("\n</tool_call>\n"));
}

static void
add_result(struct transcript *t, json_t *part)
{
	buf_print(&t->text, "<tool_result id=\"%s\">\n", text_in(part, "id"));
	add_string(&t->text, json_object_get(part, "text"));
	buf_put(&t->text, STR("\n</tool_result>\n"));
}

static const struct {
	const char *type;
	void (*add)(struct transcript *, json_t *part);
} parts[] = {
	{ "text", add_text },
	{ "image", add_image },
	{ "tool_call", add_call },
	{ "tool_result", add_result },
};

static void
add_part(struct transcript *t, json_t *part)
{
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (!strcmp(text_in(part, "type"), parts[i].type))
			parts[i].add(t, part);
}

static void
add_message(struct transcript *t, const json_t *message)
{
	const char *role = text_in(message, "role");
	json_t *part;
	size_t i;

	buf_print(&t->text, "\n<%s>\n", role);
	json_array_foreach (json_object_get(message, "content"), i, part)
		add_part(t, part);
	buf_print(&t->text, "</%s>\n", role);
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
	json_t *all = json_array(), *system = transcript_system(conversation);
	json_t *history = transcript_history(conversation);

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
		if (!strcmp(text_in(part, "type"), "image")) {
			buf_fini(&text);
			return NULL;
		}
		add_string(&text, json_object_get(part, "text"));
	}
	string = string_of(&text);
	buf_fini(&text);
	return string;
}
