#include "workers/cli/message.h"

#include <ctype.h>
#include <stdio.h>

#include "proto/buf.h"
#include "workers/cli/image.h"
#include "workers/cli/parts.h"
#include "workers/cli/transcript.h"
#include "workers/io/hash.h"
#include "workers/io/json.h"

void
reading_init(struct reading *r, const struct recipient *recipient)
{
	*r = (struct reading){ .recipient = *recipient,
			       .ignored = json_object(),
			       .open_calls = json_object(),
			       .ids = json_object() };
}

void
reading_fini(struct reading *r)
{
	json_decref(r->ignored);
	json_decref(r->open_calls);
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

/* The harness does not take what stands here. */
static bool
fail_recipient(const struct reading *r, const char *takes_no, struct error *e)
{
	auto_free char *what =
		copy_format(": %s takes no %s", r->recipient.name, takes_no);

	reading_fail(r, what, e);
	e->code = ERR_UNSUPPORTED;
	return false;
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

/* What is the default asks for nothing. */
static bool
is_default(const json_t *value)
{
	const char *text = json_string_value(value);

	return says_nothing(value) || (text && !strcmp(text, "auto"));
}

/* Notes the fields of a part or of a call that are not among those read. */
static void
note_unread(struct reading *r, const char *where, const json_t *object,
	    const char *read)
{
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)object, field, value)
		if (!is_default(value) &&
		    !str_list_has(str_of(read), str_of(field)))
			ignore(r, where, field);
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

/* No vendor takes it. */
static bool
fail_assistants(const struct reading *r, struct error *e)
{
	reading_fail(r, ": a message of the assistant's can have no image", e);
	e->code = ERR_UNSUPPORTED;
	return false;
}

static bool
add_image(struct reading *r, json_t *parts, struct str type, struct str bytes,
	  struct error *e)
{
	const char *media_type, *problem;

	if (r->is_assistants)
		return fail_assistants(r, e);
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
	if (!(r->recipient.takes & TAKES_IMAGES))
		return fail_recipient(r, "images", e);
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
		if (r->is_assistants)
			return fail_assistants(r, e);
		if (!(r->recipient.takes & TAKES_IMAGE_URLS))
			return fail_recipient(
				r, "images by their URL, only as data: URLs",
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

	if (json_is_object(image))
		note_unread(r, "messages.content.image_url", image, "url");
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

	if (json_is_object(source))
		note_unread(r, "messages.content.source", source,
			    "type media_type data url");
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

/* Writes `from`, with "_" for whatever vendors do not take.  False: there was
 * something of that kind. */
static bool
make_plain(char *plain, size_t size, struct str from)
{
	bool is_plain = from.len < size;
	size_t n = 0;

	for (; n < from.len && n + 1 < size; n++) {
		bool ok = isalnum((unsigned char)from.ptr[n]) ||
			  from.ptr[n] == '_' || from.ptr[n] == '-';

		plain[n] = from.ptr[n];
		if (!ok)
			plain[n] = '_';
		is_plain = is_plain && ok;
	}
	plain[n] = '\0';
	return is_plain;
}

enum {
	MAX_CALL_ID = 64,    /* characters that every vendor takes */
	MAX_CALL_NAME = 128, /* likewise */
};

/*
 * The id by which a call is known from here on.  One that some vendor would
 * refuse, and one that an earlier call has, becomes another: the same whenever
 * the same messages are read.
 */
static void
make_id(char own[MAX_CALL_ID + 1], struct str id, json_int_t times)
{
	struct hash h = HASH_INIT;
	size_t n;

	if (make_plain(own, MAX_CALL_ID + 1, id) && !times)
		return;
	hash_add_field(&h, id);
	hash_add(&h, (struct str){ (const char *)&times, sizeof times });
	own[23] = '\0';
	n = strlen(own);
	snprintf(own + n, MAX_CALL_ID + 1 - n, "_%016jx",
		 (uintmax_t)hash_value(&h));
}

/* Takes `arguments`.  Who gives a call no id gets one that is unique. */
static void
add_call(struct reading *r, json_t *parts, struct str id, struct str name,
	 json_t *arguments)
{
	auto_free char *none =
		copy_format("call_%zu_%zu", r->message, json_array_size(parts));
	char key[MAX_CALL_ID + 1], own[MAX_CALL_ID + 1];
	char plain[MAX_CALL_NAME + 1];
	json_int_t times;
	json_t *call;

	if (!id.len)
		id = str_of(none);
	make_id(key, id, 0);
	times = json_integer_value(json_object_get(r->ids, key));
	make_id(own, id, times);
	(void)make_plain(plain, sizeof plain, name);
	if (!json_string_length(arguments)) {
		json_decref(arguments);
		arguments = json_string("{}");
	}
	call = json_pack("{s:s, s:s, s:s, s:o}", "type", "tool_call", "id", own,
			 "name", plain, "arguments", arguments);
	json_object_set_new(r->ids, key, json_integer(times + 1));
	json_object_set(r->open_calls, key, call);
	json_array_append_new(parts, call);
}

/* One whose shape nobody knows is told as it is. */
static void
add_unknown_call(struct reading *r, json_t *parts, json_t *call)
{
	struct str type = json_str(call, "type");

	add_call(r, parts, json_str(call, "id"), type.len ? type : STR("tool"),
		 text_of(call));
}

/*
 * What a call says is in "function" or, if it is of a custom tool, in
 * "custom"; some clients have it in the call itself.  Arguments are JSON in a
 * string or JSON; a custom tool's input is any text.
 */
static void
read_call(struct reading *r, json_t *parts, json_t *call, const char *where)
{
	static const char fields[] = "id type index name arguments input "
				     "function custom cache_control caller";
	json_t *said = json_object_get(call, "function"), *arguments;
	struct str name;

	said = said ? said : json_object_get(call, "custom");
	said = said ? said : call;
	name = json_str(said, "name");
	arguments = json_object_get(said, "arguments");
	arguments = arguments ? arguments : json_object_get(said, "input");
	if (!name.len) {
		add_unknown_call(r, parts, call);
		return;
	}
	note_unread(r, where, call, fields);
	if (said != call)
		note_unread(r, where, said, "name arguments input");
	add_call(r, parts, json_str(call, "id"), name,
		 says_nothing(arguments) || !arguments ? json_string("{}")
						       : text_of(arguments));
}

void
message_calls(struct reading *r, json_t *parts, const json_t *message)
{
	json_t *calls = json_object_get(message, "tool_calls"), *call;
	size_t i;

	json_array_foreach (calls, i, call)
		read_call(r, parts, call, "messages.tool_calls");
	call = json_object_get(message, "function_call"); /* before 2023-11 */
	if (json_is_object(call))
		read_call(r, parts, call, "messages.function_call");
}

/* The call that a result belongs to: if nobody says, the first that has no
 * result.  NULL: there is none. */
static json_t *
take_call(struct reading *r, struct str id)
{
	char key[MAX_CALL_ID + 1];
	const char *first =
		json_object_iter_key(json_object_iter(r->open_calls));
	json_t *call;

	if (id.len)
		make_id(key, id, 0);
	else
		snprintf(key, sizeof key, "%s", first ? first : "");
	call = json_incref(json_object_get(r->open_calls, key));
	json_object_del(r->open_calls, key);
	return call;
}

/* A result of a call that is not there is told as text: no vendor takes it as
 * a result.  Takes `call`, or NULL. */
static json_t *
result_of(json_t *call, json_t *content, struct str id, bool is_error)
{
	char own[MAX_CALL_ID + 1];
	json_t *result, *told;

	make_id(own, id, 0);
	result = json_pack("{s:s, s:s, s:O*, s:O*, s:O}", "type", "tool_result",
			   "id", own, "name", json_object_get(call, "name"),
			   "arguments", json_object_get(call, "arguments"),
			   "content", content);
	if (call)
		json_object_set(result, "id", json_object_get(call, "id"));
	if (is_error)
		json_object_set_new(result, "is_error", json_true());
	told = call ? json_pack("[O]", result) : transcript_of(result);
	json_decref(result);
	json_decref(call);
	return told;
}

json_t *
message_result(struct reading *r, json_t *parts, const json_t *message)
{
	struct str id = json_str(message, "tool_call_id");

	return result_of(take_call(r, id), parts, id, false);
}

/* Adds what is no call or result in the place where it stands. */
static void
add_told(json_t *parts, json_t *from)
{
	const json_t *part;
	json_t *told;
	size_t i;

	json_array_foreach (from, i, part) {
		told = transcript_of(part);
		json_array_extend(parts, told);
		json_decref(told);
	}
}

/* Anthropic's calls and results are parts of a message's content.  Calls are
 * the assistant's and results the user's; otherwise they are told as text. */
static bool
read_tool_use(struct reading *r, json_t *parts, const json_t *part,
	      struct error *e)
{
	json_t *calls = json_array();

	if (r->is_assistants) {
		read_call(r, parts, (json_t *)part, "messages.content");
	} else {
		read_call(r, calls, (json_t *)part, "messages.content");
		add_told(parts, calls);
	}
	json_decref(calls);
	return true;
}

static bool read_parts(struct reading *, json_t *, const json_t *,
		       struct error *);

static bool
read_tool_result(struct reading *r, json_t *parts, const json_t *part,
		 struct error *e)
{
	const json_t *is_error = json_object_get(part, "is_error");
	struct str id = json_str(part, "tool_use_id");
	json_t *said = json_array(), *result, *call;
	bool ok = read_parts(r, said, json_object_get(part, "content"), e);

	if (ok) {
		call = r->is_assistants ? NULL : take_call(r, id);
		result = result_of(call, said, id, json_is_true(is_error));
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

/* What each type of part becomes, and which of its fields are read for that.
 * NULL: its reader takes note of the rest. */
static const struct {
	const char *type;
	bool (*read)(struct reading *, json_t *parts, const json_t *part,
		     struct error *);
	const char *fields;
} part_types[] = {
	{ "text", read_text, "text refusal" },
	{ "input_text", read_text, "text refusal" },
	{ "output_text", read_text, "text refusal" },
	{ "refusal", read_text, "text refusal" },
	{ "image_url", read_image, "image_url" },
	{ "input_image", read_image, "image_url" },
	{ "image", read_source, "source" },
	{ "tool_use", read_tool_use, NULL },
	{ "tool_result", read_tool_result, "tool_use_id content is_error" },
	{ "thinking", pass_over, NULL },
	{ "redacted_thinking", pass_over, NULL },
	{ "reasoning", pass_over, NULL },
};

static void
note_unread_of_part(struct reading *r, const json_t *part, const char *fields)
{
	auto_free char *read = copy_format("type id cache_control %s", fields);

	note_unread(r, "messages.content", part, read);
}

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
		if (!strcmp(type, part_types[i].type)) {
			if (part_types[i].fields)
				note_unread_of_part(r, part,
						    part_types[i].fields);
			return part_types[i].read(r, parts, part, e);
		}
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
