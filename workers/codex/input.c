#include "workers/codex/codex.h"

#include <ctype.h>

/*
 * The input of a turn consists of text and images.  In its text "$name" loads
 * the skill of that name, and "[$any](path)" the skill at that path.  An item
 * that is put into the thread, in the format of the vendor's API, is taken as
 * it is.  So a message that may name a skill becomes an item, and the turn
 * begins without input.
 *
 * But an item is history, which the CLI may sum up before the turn begins: it
 * keeps about 80 KB of it word for word.  So in a long message the "$" and the
 * name become separate parts instead.  That is done only if necessary, because
 * vendors differ in how they join parts.
 */

enum { MAX_ITEM = 64 << 10 };

static json_t *
input_text(const json_t *text)
{
	return json_pack("{s:s, s:O, s:[]}", "type", "text", "text", text,
			 "text_elements");
}

/* The caller frees it. */
static char *
url_of(const json_t *part)
{
	const char *url = json_text(part, "url");

	if (url)
		return copy(str_of(url));
	return copy_format("data:%s;base64,%s", json_text(part, "media_type"),
			   json_text(part, "data"));
}

/* A result of a tool of the caller's counts as the user's text: the CLI has not
 * called that tool. */
static json_t *
input_part(const json_t *part)
{
	const char *type = json_text(part, "type");
	auto_free char *url = NULL;

	if (!strcmp(type, "image")) {
		url = url_of(part);
		return json_pack("{s:s, s:s}", "type", "image", "url", url);
	}
	if (!strcmp(type, "text") || !strcmp(type, "tool_result"))
		return input_text(json_object_get(part, "text"));
	return NULL;
}

json_t *
codex_input(const struct conversation *c)
{
	json_t *input = json_array(), *part, *content;
	size_t k;

	for (size_t i = c->from; i < json_array_size(c->messages); i++) {
		content = json_object_get(json_array_get(c->messages, i),
					  "content");
		json_array_foreach (content, k, part) {
			json_t *made = input_part(part);

			if (made)
				json_array_append_new(input, made);
		}
	}
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

/* Finds the first name of a skill, behind its "$"; NULL: there is none. Without
 * a list of skills every name counts. */
static const char *
find_name(struct str text, const json_t *skills)
{
	const char *start = text.ptr;
	struct str rest, name;

	for (; text.len; text = rest) {
		(void)str_cut(text, '$', &rest);
		name = name_at(rest);
		if (!name.len)
			continue;
		if (!skills || is_skill(skills, name) ||
		    (rest.ptr - start >= 2 && rest.ptr[-2] == '['))
			return rest.ptr;
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

static void
add_content(json_t *content, const json_t *part, bool is_users)
{
	const char *type = json_text(part, "type");
	json_t *text = json_object_get(part, "text");
	auto_free char *url = NULL;

	if (!strcmp(type, "image")) {
		url = url_of(part);
		json_array_append_new(content, json_pack("{s:s, s:s}", "type",
							 "input_image",
							 "image_url", url));
	} else if (text) {
		json_array_append_new(
			content,
			json_pack("{s:s, s:O}", "type",
				  is_users ? "input_text" : "output_text",
				  "text", text));
	}
}

/* What a message says so far; NULL: nothing. */
static void
end_message(json_t *items, const char *role, json_t *content)
{
	if (json_array_size(content))
		json_array_append_new(
			items, json_pack("{s:s, s:s, s:O}", "type", "message",
					 "role", role, "content", content));
	json_decref(content);
}

static json_t *
call_item(const json_t *part)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "type", "function_call",
			 "call_id", json_text(part, "id"), "name",
			 json_text(part, "name"), "arguments",
			 json_text(part, "arguments"));
}

static json_t *
result_item(const json_t *part)
{
	return json_pack("{s:s, s:s, s:O}", "type", "function_call_output",
			 "call_id", json_text(part, "id"), "output",
			 json_object_get(part, "text"));
}

static void
add_items(json_t *items, const json_t *message)
{
	const char *role = json_text(message, "role");
	bool is_users = !strcmp(role, "user");
	json_t *content = json_array(), *part;
	size_t i;

	json_array_foreach (json_object_get(message, "content"), i, part) {
		const char *type = json_text(part, "type");
		bool is_call = !strcmp(type, "tool_call");

		if (!is_call && strcmp(type, "tool_result")) {
			add_content(content, part, is_users);
			continue;
		}
		end_message(items, role, content);
		content = json_array();
		json_array_append_new(items, is_call ? call_item(part)
						     : result_item(part));
	}
	end_message(items, role, content);
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
		add_content(content, part, true);
	return json_pack("{s:s, s:s, s:o}", "type", "message", "role", "user",
			 "content", content);
}
