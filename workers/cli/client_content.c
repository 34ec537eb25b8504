#include "workers/cli/client_content.h"

#include <assert.h>

#include "proto/buf.h"
#include "proto/utf8.h"
#include "workers/cli/parts.h"
#include "workers/io/json.h"

struct adding {
	json_t *content;
	size_t left; /* bytes of texts */
};

/* The first bytes, or the last, as far as they are whole characters. */
static struct str
beginning_of(struct str s, size_t len)
{
	return (struct str){ s.ptr, utf8_whole((struct str){ s.ptr, len }) };
}

static struct str
end_of(struct str s, size_t len)
{
	while (len && (s.ptr[s.len - len] & 0xc0) == 0x80)
		len--;
	return (struct str){ s.ptr + s.len - len, len };
}

static json_t *
cut(struct str text, size_t max)
{
	struct str head = beginning_of(text, max / 2);
	struct str tail = end_of(text, max / 2);
	struct buf both = BUF_INIT(max + 128);
	json_t *cut_text;

	buf_put(&both, head);
	buf_print(&both,
		  "\n[... %zu bytes are left out here, because the result is "
		  "too long ...]\n",
		  text.len - head.len - tail.len);
	buf_put(&both, tail);
	cut_text = json_stringn(both.ptr, both.len);
	buf_fini(&both);
	return cut_text;
}

static bool
add_text(void *to, const json_t *part, struct error *e)
{
	struct adding *a = to;
	struct str text = json_str(part, "text");
	bool is_whole = text.len <= a->left;

	json_array_append_new(
		a->content,
		json_pack("{s:s, s:o}", "type", "text", "text",
			  is_whole ? json_incref(json_object_get(part, "text"))
				   : cut(text, a->left)));
	a->left -= is_whole ? text.len : a->left;
	return true;
}

static bool
add_image(void *to, const json_t *part, struct error *e)
{
	struct adding *a = to;

	json_array_append_new(a->content,
			      json_pack("{s:s, s:O, s:O}", "type", "image",
					"data", json_object_get(part, "data"),
					"mimeType",
					json_object_get(part, "media_type")));
	return true;
}

static bool
add_link(void *to, const json_t *part, struct error *e)
{
	struct adding *a = to;

	json_array_append_new(a->content,
			      json_pack("{s:s, s:O}", "type", "text", "text",
					json_object_get(part, "url")));
	return true;
}

static bool
add_file(void *to, const json_t *part, struct error *e)
{
	struct adding *a = to;
	const char *name = json_text(part, "name");
	auto_free char *uri =
		copy_format("file:///%s", name ? name : "document.pdf");

	json_array_append_new(a->content,
			      json_pack("{s:s, s:{s:s, s:O, s:O}}", "type",
					"resource", "resource", "uri", uri,
					"mimeType",
					json_object_get(part, "media_type"),
					"blob", json_object_get(part, "data")));
	return true;
}

void
client_content_add(json_t *content, const json_t *parts, size_t max)
{
	static const struct part_handlers handlers = {
		.text = add_text,
		.image = add_image,
		.image_url = add_link,
		.file = add_file,
	};
	struct adding a = { content, max ? max : SIZE_MAX };
	struct error e = { 0 };
	bool ok = parts_say(parts, &handlers, &a, &e);

	assert(ok); /* no handler fails */
	(void)ok;
}
