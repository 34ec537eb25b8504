#include "workers/cli/parts.h"

#include <assert.h>
#include <string.h>

#include "workers/io/json.h"

static part_fn *
handler_of(const struct part_handlers *h, const json_t *part)
{
	const char *type = json_text(part, "type");

	assert(type);
	if (!strcmp(type, "text"))
		return h->text;
	if (!strcmp(type, "image"))
		return json_object_get(part, "url") ? h->image_url : h->image;
	if (!strcmp(type, "file"))
		return h->file;
	if (!strcmp(type, "path"))
		return h->path;
	if (!strcmp(type, "tool_call"))
		return h->call;
	assert(!strcmp(type, "tool_result"));
	return h->result;
}

bool
parts_say(const json_t *parts, const struct part_handlers *h, void *to,
	  struct error *e)
{
	const json_t *part;
	size_t i;

	json_array_foreach (parts, i, part) {
		part_fn *say = handler_of(h, part);

		if (!say)
			return fail_with(e, ERR_UNSUPPORTED,
					 "the harness has no way to say a part "
					 "of the type %s",
					 json_text(part, "type"));
		if (!say(to, part, e))
			return false;
	}
	return true;
}

bool
part_append(void *array, const json_t *part, struct error *e)
{
	json_array_append(array, (json_t *)part);
	return true;
}

json_t *
part_input(const json_t *call)
{
	struct str arguments = json_str(call, "arguments");
	json_t *input =
		json_loadb(arguments.ptr, arguments.len, JSON_ALLOW_NUL, NULL);

	if (json_is_object(input))
		return input;
	json_decref(input);
	return json_pack("{s:O}", "arguments",
			 json_object_get(call, "arguments"));
}

json_t *
parts_plain(json_t *content)
{
	json_t *text = json_object_get(json_array_get(content, 0), "text");

	if (json_array_size(content) > 1 || (json_array_size(content) && !text))
		return content;
	text = text ? json_incref(text) : json_string("");
	json_decref(content);
	return text;
}
