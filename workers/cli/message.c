#include "workers/cli/message.h"

#include "proto/buf.h"
#include "proto/log.h"
#include "workers/cli/message_call.h"
#include "workers/cli/message_file.h"
#include "workers/cli/message_image.h"
#include "workers/cli/parts.h"
#include "workers/io/json.h"

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
	static const char *const fields[] = { "text", "refusal" };

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		json_t *text = json_object_get(part, fields[i]);

		if (text && !json_is_string(text) && !json_is_null(text))
			return reading_fail(r, ".text must be a string", e);
		add_text(parts, text);
	}
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

/* What a model has thought is not for another to hear. */
static bool
pass_over(struct reading *r, json_t *parts, const json_t *part, struct error *e)
{
	reading_ignore(r, "messages.content", json_text(part, "type"));
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
	{ "image_url", images_read_url, "image_url detail" },
	{ "input_image", images_read_url, "image_url detail" },
	{ "image", images_read_source, "source path url" },
	{ "file", files_read, NULL },
	{ "input_file", files_read, NULL },
	{ "document", files_read, NULL },
	{ "container_upload", files_read, NULL },
	{ "tool_use", calls_read_use, NULL },
	{ "tool_result", calls_read_result, "tool_use_id content is_error" },
	{ "thinking", pass_over, NULL },
	{ "redacted_thinking", pass_over, NULL },
	{ "reasoning", pass_over, NULL },
};

/* What no harness can be told yet. */
static const struct {
	const char *type;
	enum capability needs;
} refused_types[] = {
	{ "input_audio", CAN_AUDIO },
	{ "audio", CAN_AUDIO },
};

static void
note_unread_of_part(struct reading *r, const json_t *part, const char *fields)
{
	auto_free char *read = copy_format("type id cache_control %s", fields);

	reading_note_unread(r, "messages.content", part, read);
}

static bool
fail_type(const struct reading *r, const json_t *part, struct error *e)
{
	const char *type = json_text(part, "type");
	auto_free char *what = copy_format(
		".type %s is not supported: text, image_url, file, input_text, "
		"input_image and input_file are",
		type ? log_quote(str_of(type)) : "(none)");

	for (size_t i = 0;
	     type && i < sizeof refused_types / sizeof *refused_types; i++)
		if (!strcmp(type, refused_types[i].type))
			return reading_refuse(r, refused_types[i].needs, e);
	reading_fail(r, what, e);
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
	return fail_type(r, part, e);
}

bool
message_parts(struct reading *r, json_t *parts, const json_t *content,
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
	} else if (!message_parts(r, parts, content, e)) {
		return false;
	}
	add_text(parts, json_object_get(message, "refusal"));
	return true;
}
