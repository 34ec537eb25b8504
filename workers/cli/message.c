#include "workers/cli/message.h"

#include <stdio.h>

#include "proto/buf.h"
#include "workers/cli/image.h"
#include "workers/io/json.h"

void
reading_init(struct reading *r)
{
	*r = (struct reading){ .ignored = json_object(),
			       .open_calls = json_object() };
}

void
reading_fini(struct reading *r)
{
	json_decref(r->ignored);
	json_decref(r->open_calls);
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

static void
ignore(struct reading *r, const char *where, const char *name)
{
	auto_free char *path = copy_format("%s.%s", where, name);

	json_object_set_new_nocheck(r->ignored, path, json_true());
}

/* Null, false and everything that is empty say nothing. */
static bool
says_nothing(const json_t *value)
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
		if (!says_nothing(value) && !is_understood(role, field))
			ignore(r, "messages", field);
}

/* Text */

/* An empty text says nothing, and some vendors refuse it. */
static void
add_text(json_t *parts, json_t *text)
{
	if (json_string_length(text))
		json_array_append_new(parts, json_pack("{s:s, s:O}", "type",
						       "text", "text", text));
}

static bool
read_text(struct reading *r, json_t *parts, const json_t *part, struct error *e)
{
	json_t *text = json_object_get(part, "text");

	if (!json_is_string(text))
		text = json_object_get(part, "refusal");
	if (text && !json_is_string(text) && !json_is_null(text))
		return reading_fail(r, ".text must be a string", e);
	add_text(parts, text);
	return true;
}

char *
parts_text(const json_t *parts, const char *between, size_t *len)
{
	struct buf all = BUF_INIT(2 * (size_t)MAX_BODY);
	const json_t *part;
	size_t i;

	json_array_foreach (parts, i, part) {
		struct str s = json_str(part, "text");

		if (!s.ptr)
			continue;
		if (all.len)
			buf_put(&all, str_of(between));
		buf_put(&all, s);
	}
	*len = all.len;
	buf_put(&all, (struct str){ "", 1 });
	return all.ptr;
}

/* Images */

static bool
is_base64(struct str s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789+/-_= \t\r\n";

	return s.len && strspn(s.ptr, digits) == s.len;
}

static bool
add_image(struct reading *r, json_t *parts, struct str type, struct str bytes,
	  struct error *e)
{
	const char *media_type, *problem;

	if (!type.len)
		return reading_fail(
			r,
			" is an image without a media type: it must be "
			"data:image/png;base64,... or the like",
			e);
	if (!is_base64(bytes))
		return reading_fail(r, " is an image that is not valid base64",
				    e);
	media_type = image_type(type, bytes, &problem);
	if (!media_type)
		return reading_fail(r, problem, e);
	json_array_append_new(parts,
			      json_pack("{s:s, s:s, s:s%}", "type", "image",
					"media_type", media_type, "data",
					bytes.ptr, bytes.len));
	return true;
}

/* "image/png;charset=utf-8;base64" has a type, and base64 behind it. */
static bool
takes_base64(struct str head, struct str *type)
{
	const struct str base64 = STR(";base64");
	struct str rest;

	*type = str_cut(head, ';', &rest);
	return head.len >= base64.len &&
	       str_same(str_from(head, head.len - base64.len), base64);
}

/* It must lead to a web server: a CLI might open a file of the machine's. */
static bool
is_web_url(struct str url)
{
	const struct str http = STR("http://"), https = STR("https://");
	struct str begin = { url.ptr, http.len };

	if (url.len >= http.len && str_same(begin, http))
		return true;
	begin.len = https.len;
	return url.len >= https.len && str_same(begin, https);
}

/* data:image/png;base64,AAAA or a URL that the harness may fetch itself. */
static bool
read_image_url(struct reading *r, json_t *parts, struct str url,
	       struct error *e)
{
	struct str bytes, type, scheme = STR("data:");
	struct str begin = { url.ptr, scheme.len };

	if (!url.len)
		return reading_fail(r, " has no image URL", e);
	if (url.len < scheme.len || !str_same(begin, scheme)) {
		if (!is_web_url(url))
			return reading_fail(
				r,
				" has an image URL that is neither http:, "
				"https: nor data:",
				e);
		json_array_append_new(parts,
				      json_pack("{s:s, s:s%}", "type", "image",
						"url", url.ptr, url.len));
		return true;
	}
	if (!takes_base64(str_cut(str_from(url, scheme.len), ',', &bytes),
			  &type))
		return reading_fail(r, " is a data URL, but not of base64", e);
	return add_image(r, parts, type, bytes, e);
}

static bool
read_image(struct reading *r, json_t *parts, const json_t *part,
	   struct error *e)
{
	const json_t *image = json_object_get(part, "image_url");

	return read_image_url(r, parts,
			      json_is_string(image)
				      ? json_str(part, "image_url")
				      : json_str(image, "url"),
			      e);
}

/* Anthropic's: its bytes or its URL are in "source". */
static bool
read_source(struct reading *r, json_t *parts, const json_t *part,
	    struct error *e)
{
	const json_t *source = json_object_get(part, "source");
	struct str bytes = json_str(source, "data");

	if (!bytes.ptr)
		return read_image_url(r, parts, json_str(source, "url"), e);
	return add_image(r, parts, json_str(source, "media_type"), bytes, e);
}

/* Calls of tools, and their results */

/* Text as it is, anything else as JSON. */
static json_t *
text_of(json_t *value)
{
	auto_free char *dumped = NULL;

	if (json_is_string(value))
		return json_incref(value);
	dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	return json_string(dumped ? dumped : "");
}

/* Takes `arguments`.  Who gives a call no id gets one that is unique. */
static void
add_call(struct reading *r, json_t *parts, const char *id, const char *name,
	 json_t *arguments)
{
	json_t *own = id && *id ? json_string(id)
				: json_sprintf("call_%zu_%zu", r->message,
					       json_array_size(parts));

	if (!json_string_length(arguments)) {
		json_decref(arguments);
		arguments = json_string("{}");
	}
	json_object_set_new_nocheck(r->open_calls, json_string_value(own),
				    json_true());
	json_array_append_new(parts, json_pack("{s:s, s:o, s:s, s:o}", "type",
					       "tool_call", "id", own, "name",
					       name, "arguments", arguments));
}

/* One whose shape nobody knows is told as it is. */
static void
add_unknown_call(struct reading *r, json_t *parts, json_t *call)
{
	const char *type = json_text(call, "type");

	add_call(r, parts, json_text(call, "id"), type && *type ? type : "tool",
		 text_of(call));
}

/*
 * What a call says is in "function" or, if it is of a custom tool, in
 * "custom"; some clients have it in the call itself.  Arguments are JSON in a
 * string or JSON; a custom tool's input is any text.
 */
static void
read_call(struct reading *r, json_t *parts, json_t *call)
{
	const json_t *said = json_object_get(call, "function");
	const char *id = json_text(call, "id"), *name;
	json_t *arguments;

	said = said ? said : json_object_get(call, "custom");
	said = said ? said : call;
	name = json_text(said, "name");
	arguments = json_object_get(said, "arguments");
	arguments = arguments ? arguments : json_object_get(said, "input");
	if (!name || !*name)
		add_unknown_call(r, parts, call);
	else
		add_call(r, parts, id, name,
			 says_nothing(arguments) || !arguments
				 ? json_string("{}")
				 : text_of(arguments));
}

void
message_calls(struct reading *r, json_t *parts, const json_t *message)
{
	json_t *calls = json_object_get(message, "tool_calls"), *call;
	size_t i;

	json_array_foreach (calls, i, call)
		read_call(r, parts, call);
	call = json_object_get(message, "function_call"); /* before 2023-11 */
	if (json_is_object(call))
		read_call(r, parts, call);
}

/* The id of the call that a result belongs to: if nobody says, of the first
 * that has none. */
static json_t *
take_call(struct reading *r, const char *id)
{
	json_t *own;

	if (!id || !*id)
		id = json_object_iter_key(json_object_iter(r->open_calls));
	own = id ? json_string(id) : json_sprintf("call_%zu", r->message);
	if (id)
		json_object_del(r->open_calls, json_string_value(own));
	return own;
}

static json_t *
result_of(struct reading *r, const json_t *parts, const char *id)
{
	json_t *result = json_array(), *part;
	auto_free char *text = NULL;
	size_t len, i;

	text = parts_text(parts, "\n", &len);
	json_array_append_new(
		result, json_pack("{s:s, s:o, s:s%}", "type", "tool_result",
				  "id", take_call(r, id), "text", text, len));
	json_array_foreach (parts, i, part)
		if (!json_object_get(part, "text"))
			json_array_append(result, part);
	return result;
}

json_t *
message_result(struct reading *r, const json_t *parts, const json_t *message)
{
	return result_of(r, parts, json_text(message, "tool_call_id"));
}

/* Anthropic's calls and results are parts of a message's content. */
static bool
read_tool_use(struct reading *r, json_t *parts, const json_t *part,
	      struct error *e)
{
	read_call(r, parts, (json_t *)part);
	return true;
}

static bool read_parts(struct reading *, json_t *, const json_t *,
		       struct error *);

static bool
read_tool_result(struct reading *r, json_t *parts, const json_t *part,
		 struct error *e)
{
	json_t *said = json_array(), *result;
	bool ok = read_parts(r, said, json_object_get(part, "content"), e);

	if (ok) {
		result = result_of(r, said, json_text(part, "tool_use_id"));
		json_array_extend(parts, result);
		json_decref(result);
	}
	json_decref(said);
	return ok;
}

/* Content */

/* What a model has thought is not for another to hear. */
static bool
pass_over(struct reading *r, json_t *parts, const json_t *part, struct error *e)
{
	ignore(r, "messages.content", json_text(part, "type"));
	return true;
}

static const struct {
	const char *type;
	bool (*read)(struct reading *, json_t *parts, const json_t *part,
		     struct error *);
} part_types[] = {
	{ "text", read_text },
	{ "input_text", read_text },
	{ "output_text", read_text },
	{ "refusal", read_text },
	{ "image_url", read_image },
	{ "input_image", read_image },
	{ "image", read_source },
	{ "tool_use", read_tool_use },
	{ "tool_result", read_tool_result },
	{ "thinking", pass_over },
	{ "redacted_thinking", pass_over },
	{ "reasoning", pass_over },
};

static bool
fail_type(const struct reading *r, struct error *e)
{
	reading_fail(r,
		     ".type is not supported: text, image_url, input_text and "
		     "input_image are",
		     e);
	e->code = ERR_UNSUPPORTED;
	return false;
}

/* A part may be a bare string; one that has text needs no type. */
static bool
read_part(struct reading *r, json_t *parts, json_t *part, struct error *e)
{
	const char *type = json_text(part, "type");

	if (json_is_string(part)) {
		add_text(parts, part);
		return true;
	}
	if (!type && json_text(part, "text"))
		type = "text";
	for (size_t i = 0; type && i < sizeof part_types / sizeof *part_types;
	     i++)
		if (!strcmp(type, part_types[i].type))
			return part_types[i].read(r, parts, part, e);
	return fail_type(r, e);
}

static bool
read_parts(struct reading *r, json_t *parts, const json_t *content,
	   struct error *e)
{
	json_t *part;
	size_t i;

	if (!content || json_is_null(content))
		return true;
	if (!json_is_array(content))
		return read_part(r, parts, (json_t *)content, e);
	json_array_foreach (content, i, part)
		if (!read_part(r, parts, part, e))
			return false;
	return true;
}

static bool
read_array(struct reading *r, json_t *parts, const json_t *content,
	   struct error *e)
{
	json_t *part;
	bool ok = true;

	r->in_part = true;
	json_array_foreach (content, r->part, part) {
		ok = read_part(r, parts, part, e);
		if (!ok)
			break;
	}
	r->in_part = false;
	return ok;
}

bool
message_content(struct reading *r, json_t *parts, const json_t *message,
		struct error *e)
{
	json_t *content = json_object_get(message, "content");

	if (json_is_array(content)) {
		if (!read_array(r, parts, content, e))
			return false;
	} else if (json_is_number(content) || json_is_boolean(content)) {
		return reading_fail(
			r, ".content must be a string, an array or null", e);
	} else if (!read_parts(r, parts, content, e)) {
		return false;
	}
	add_text(parts, json_object_get(message, "refusal"));
	return true;
}
