#include "workers/codex/codex.h"

#include <assert.h>
#include <ctype.h>

#include "workers/cli/transcript.h"

/*
 * The input of a turn consists of text and images.  In its text "$name" loads
 * the skill of that name, "[$any](path)" the skill at that path, and
 * "[@any](plugin://path)" tells of a plugin.  An item
 * that is put into the thread, in the format of the vendor's API, is taken as
 * it is.  So a message that may name a skill becomes an item, and the turn
 * begins without input.  The same is done for plugins.
 *
 * But an item is history, which the CLI may sum up before the turn begins: it
 * keeps about 80 KB of it word for word.  So in a long message the "$" or "@"
 * and the name become separate parts instead.  That is done only if necessary,
 * because vendors differ in how they join parts.
 */

enum { MAX_ITEM = 64 << 10 };

static json_t *
input_text(const json_t *text)
{
	return json_pack("{s:s, s:O, s:[]}", "type", "text", "text", text,
			 "text_elements");
}

/* Of a part, or of an input of Codex's: Codex takes data: URLs only.  The
 * caller frees it. */
char *
codex_image_url(const json_t *part)
{
	const char *url = json_text(part, "url");

	if (url)
		return copy(str_of(url));
	return copy_format("data:%s;base64,%s", json_text(part, "media_type"),
			   json_text(part, "data"));
}

static bool
input_image(void *input, const json_t *part, struct error *e)
{
	auto_free char *url = codex_image_url(part);

	json_array_append_new(input,
			      json_pack("{s:s, s:s, s:O*}", "type", "image",
					"url", url, "detail",
					json_object_get(part, "detail")));
	return true;
}

static bool
input_words(void *input, const json_t *part, struct error *e)
{
	json_array_append_new(input, input_text(json_object_get(part, "text")));
	return true;
}

/* A question is text and images, for which there are handlers. */
json_t *
codex_input(const struct conversation *c)
{
	static const struct part_handlers handlers = {
		.text = input_words,
		.image = input_image,
	};
	json_t *input = json_array(), *question = transcript_question(c);
	struct error e = { 0 };
	bool ok = parts_say(question, &handlers, input, &e);

	assert(ok);
	json_decref(question);
	return input;
}

static bool
is_of_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == ':';
}

/* The longest possible name behind a "$". */
static struct str
name_at(struct str text)
{
	size_t len = 0;

	while (len < text.len && is_of_name(text.ptr[len]))
		len++;
	return (struct str){ text.ptr, len };
}

/* Whether `name` is, or begins with, the name of a skill in the answer to
 * skills/list. */
static bool
is_skill(const json_t *skills, struct str name)
{
	const json_t *places = json_object_get(skills, "data"), *place, *skill;
	size_t i, k;

	json_array_foreach (places, i, place)
		json_array_foreach (json_object_get(place, "skills"), k,
				    skill) {
			struct str its = json_str(skill, "name");

			if (its.len && str_starts(name, its))
				return true;
		}
	return false;
}

/* Finds the first name of a skill or a plugin, behind its "$" or "@"; NULL:
 * there is none.  Without a list of skills the name of any skill counts.  In
 * brackets it is only a label, of whatever the path behind it names. */
static const char *
find_name(struct str text, const json_t *skills)
{
	for (size_t i = 0; i < text.len; i++) {
		bool is_label = i > 0 && text.ptr[i - 1] == '[';
		struct str name;

		if (text.ptr[i] != '$' && !(text.ptr[i] == '@' && is_label))
			continue;
		name = name_at(str_from(text, i + 1));
		if (name.len && (is_label || !skills || is_skill(skills, name)))
			return name.ptr;
	}
	return NULL;
}

static void
split_text(json_t *input, struct str text, const json_t *skills)
{
	const char *name;

	while (text.len) {
		name = find_name(text, skills);
		struct str part = { text.ptr, name ? (size_t)(name - text.ptr)
						   : text.len };
		json_t *string = json_stringn(part.ptr, part.len);

		json_array_append_new(input, input_text(string));
		json_decref(string);
		text = str_from(text, part.len);
	}
}

/* Takes `input`. */
static json_t *
split(json_t *input, const json_t *skills)
{
	json_t *made = json_array(), *part;
	size_t i;

	json_array_foreach (input, i, part) {
		struct str text = json_str(part, "text");

		if (find_name(text, skills))
			split_text(made, text, skills);
		else
			json_array_append(made, part);
	}
	json_decref(input);
	return made;
}

static bool
has_names(const json_t *input, const json_t *skills, size_t *len)
{
	const json_t *part;
	bool found = false;
	size_t i;

	*len = 0;
	json_array_foreach (input, i, part) {
		struct str text = json_str(part, "text");

		*len += text.len;
		found |= find_name(text, skills) != NULL;
	}
	return found;
}

bool
codex_may_name_skills(const json_t *input)
{
	size_t len;

	return has_names(input, NULL, &len);
}

json_t *
codex_make_inert(json_t *input, const json_t *skills, bool *as_item)
{
	size_t len;
	bool found = has_names(input, skills, &len);

	*as_item = found && len <= MAX_ITEM;
	return found && !*as_item ? split(input, skills) : input;
}

/* As items */

/* What a message has said since its last call or result. */
struct message {
	json_t *items;
	const char *role;
	json_t *content;
};

static json_t *
image_content(const json_t *part)
{
	auto_free char *url = codex_image_url(part);

	return json_pack("{s:s, s:s, s:O*}", "type", "input_image", "image_url",
			 url, "detail", json_object_get(part, "detail"));
}

static bool
item_image(void *to, const json_t *part, struct error *e)
{
	struct message *m = to;

	json_array_append_new(m->content, image_content(part));
	return true;
}

static bool
item_text(void *to, const json_t *part, struct error *e)
{
	struct message *m = to;
	bool is_users = !strcmp(m->role, "user");

	json_array_append_new(m->content,
			      json_pack("{s:s, s:O}", "type",
					is_users ? "input_text" : "output_text",
					"text", json_object_get(part, "text")));
	return true;
}

static void
end_message(struct message *m)
{
	if (json_array_size(m->content))
		json_array_append_new(m->items,
				      json_pack("{s:s, s:s, s:O}", "type",
						"message", "role", m->role,
						"content", m->content));
	json_decref(m->content);
	m->content = json_array();
}

static bool
item_call(void *to, const json_t *part, struct error *e)
{
	struct message *m = to;

	end_message(m);
	json_array_append_new(
		m->items,
		json_pack("{s:s, s:O, s:O, s:O}", "type", "function_call",
			  "call_id", json_object_get(part, "id"), "name",
			  json_object_get(part, "name"), "arguments",
			  json_object_get(part, "arguments")));
	return true;
}

/* The format has no field for a failure, so words tell it. */
static bool
item_result(void *to, const json_t *part, struct error *e)
{
	static const struct part_handlers handlers = {
		.text = item_text,
		.image = item_image,
	};
	struct message *m = to;
	struct message output = { .role = "user", .content = json_array() };
	bool ok;

	end_message(m);
	if (json_object_get(part, "is_error"))
		json_array_append_new(output.content,
				      json_pack("{s:s, s:s}", "type",
						"input_text", "text",
						"The tool has failed:"));
	ok = parts_say(json_object_get(part, "content"), &handlers, &output, e);
	json_array_append_new(m->items,
			      json_pack("{s:s, s:O, s:o}", "type",
					"function_call_output", "call_id",
					json_object_get(part, "id"), "output",
					parts_plain(output.content)));
	return ok;
}

static const struct part_handlers items_of = {
	.text = item_text,
	.image = item_image,
	.call = item_call,
	.result = item_result,
};

/* Every kind of part has its handler, and none of these fails. */
static void
add_items(json_t *items, const json_t *message)
{
	struct message m = { .items = items,
			     .role = json_text(message, "role"),
			     .content = json_array() };
	struct error e = { 0 };
	bool ok = parts_say(json_object_get(message, "content"), &items_of, &m,
			    &e);

	assert(ok);
	end_message(&m);
	json_decref(m.content);
}

json_t *
codex_items(const json_t *messages)
{
	json_t *items = json_array();
	const json_t *message;
	size_t i;

	json_array_foreach (messages, i, message)
		add_items(items, message);
	return items;
}

/* The item that Codex itself would make of such an input. */
json_t *
codex_item_of_input(const json_t *input)
{
	json_t *content = json_array();
	const json_t *part;
	size_t i;

	json_array_foreach (input, i, part)
		json_array_append_new(
			content,
			json_object_get(part, "text")
				? json_pack("{s:s, s:O}", "type", "input_text",
					    "text",
					    json_object_get(part, "text"))
				: image_content(part));
	return json_pack("{s:s, s:s, s:o}", "type", "message", "role", "user",
			 "content", content);
}
