#include "workers/cli/message_image.h"

#include "workers/cli/image.h"
#include "workers/cli/parts.h"
#include "workers/io/json.h"

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
	if (!(r->recipient.can & CAN_IMAGES))
		return reading_refuse(r, CAN_IMAGES, e);
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
		if (!(r->recipient.can & CAN_IMAGES))
			return reading_refuse(r, CAN_IMAGES, e);
		if (!(r->recipient.can & CAN_IMAGE_URLS))
			return reading_refuse(r, CAN_IMAGE_URLS, e);
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

bool
images_read_url(struct reading *r, json_t *parts, const json_t *part,
		struct error *e)
{
	const json_t *image = json_object_get(part, "image_url");

	if (json_is_object(image))
		reading_note_unread(r, "messages.content.image_url", image,
				    "url");
	return read_image_url(r, parts,
			      json_is_string(image)
				      ? json_str(part, "image_url")
				      : json_str(image, "url"),
			      e);
}

/* Anthropic's: its bytes or its URL are in "source". */
bool
images_read_source(struct reading *r, json_t *parts, const json_t *part,
		   struct error *e)
{
	const json_t *source = json_object_get(part, "source");
	struct str bytes = json_str(source, "data");

	if (json_is_object(source))
		reading_note_unread(r, "messages.content.source", source,
				    "type media_type data url");
	if (!bytes.ptr)
		return read_image_url(r, parts, json_str(source, "url"), e);
	return add_image(r, parts, json_str(source, "media_type"), bytes, e);
}
