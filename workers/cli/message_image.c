#include "workers/cli/message_image.h"

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/cli/image.h"
#include "workers/cli/message_file.h"
#include "workers/cli/parts.h"
#include "workers/cli/web_url.h"
#include "workers/io/base64.h"
#include "workers/io/json.h"

/* As every vendor takes it: callers may break it into lines, and leave out what
 * stands at its end. */
static json_t *
plain_base64(struct str base64)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789+/=";
	size_t len, plain_len;
	auto_free char *bytes = NULL, *plain = NULL;

	if (base64.len % 4 == 0 && strspn(base64.ptr, digits) >= base64.len)
		return json_stringn(base64.ptr, base64.len);
	bytes = base64_decode(base64, &len);
	plain = base64_encode((struct str){ bytes, len }, &plain_len);
	return json_stringn(plain, plain_len);
}

bool
images_add(struct reading *r, json_t *parts, const char *media_type,
	   struct str base64, const char *detail, struct error *e)
{
	if (!attachment_count(r, e))
		return false;
	if (!(r->recipient.can & CAN_IMAGES))
		return reading_refuse(r, CAN_IMAGES, e);
	json_array_append_new(
		parts, json_pack("{s:s, s:s, s:o, s:s*}", "type", "image",
				 "media_type", media_type, "data",
				 plain_base64(base64), "detail", detail));
	return true;
}

static bool
add_bytes(struct reading *r, json_t *parts, struct str type, struct str base64,
	  const char *detail, struct error *e)
{
	const char *media_type, *problem;
	size_t len;

	if (!type.len)
		return reading_fail(
			r,
			" is an image without a media type: it must be "
			"data:image/png;base64,... or the like",
			e);
	if (!base64.len || !base64_count(base64, &len))
		return reading_fail(r, " is an image that is not valid base64",
				    e);
	if (len > MAX_FILE)
		return reading_fail(
			r,
			" is an image of more than 32 MiB, which is the most",
			e);
	media_type = image_type(type, base64, &problem);
	if (!media_type)
		return reading_fail(r, problem, e);
	return images_add(r, parts, media_type, base64, detail, e);
}

bool
data_url_takes_base64(struct str head, struct str *type)
{
	const struct str base64 = STR(";base64");
	struct str rest;

	*type = str_cut(head, ';', &rest);
	return head.len >= base64.len &&
	       str_same(str_from(head, head.len - base64.len), base64);
}

/* The vendor gets it as it is. */
static bool
add_web_url(struct reading *r, json_t *parts, struct str url,
	    const char *detail, struct error *e)
{
	auto_free char *what = NULL;
	const char *problem;

	if (!attachment_count(r, e))
		return false;
	if (!(r->recipient.can & CAN_IMAGES))
		return reading_refuse(r, CAN_IMAGES, e);
	if (!(r->recipient.can & CAN_IMAGE_URLS))
		return reading_refuse(r, CAN_IMAGE_URLS, e);
	if (!web_url_is_public(url, &problem)) {
		what = copy_format(" has an image URL with %s: only public web "
				   "servers are asked for images, so send its "
				   "bytes as data:image/png;base64,... or the "
				   "like",
				   problem);
		return reading_fail(r, what, e);
	}
	json_array_append_new(parts, json_pack("{s:s, s:s%, s:s*}", "type",
					       "image", "url", url.ptr, url.len,
					       "detail", detail));
	return true;
}

/* data:image/png;base64,AAAA, an URL that is handed on, or a path. */
static bool
read_image_url(struct reading *r, json_t *parts, struct str url,
	       const char *detail, struct error *e)
{
	const struct attachment path = { .field = "",
					 .is_image = true,
					 .detail = detail };
	struct str bytes, type;

	if (!url.len)
		return reading_fail(r, " has no image URL", e);
	if (url_begins(url, STR("http:")) || url_begins(url, STR("https:")))
		return add_web_url(r, parts, url, detail, e);
	if (url_begins(url, STR("file:")) || !url_has_scheme(url))
		return attachment_add_path(r, parts, &path, url, e);
	if (!url_begins(url, STR("data:")))
		return reading_fail(r,
				    " has an image URL that is neither http:, "
				    "https:, data: nor file:",
				    e);
	if (!data_url_takes_base64(
		    str_cut(str_from(url, strlen("data:")), ',', &bytes),
		    &type))
		return reading_fail(r, " is a data URL, but not of base64", e);
	return add_bytes(r, parts, type, bytes, detail, e);
}

/* How closely the model is to look at it.  What cannot be told is listed. */
static bool
read_detail(struct reading *r, const char *where, const json_t *object,
	    const char **detail, struct error *e)
{
	static const char *const known[] = { "low", "high", "original" };
	const char *said = json_text(object, "detail");

	*detail = NULL;
	if (!said || !strcmp(said, "auto"))
		return true;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(said, known[i]))
			*detail = known[i];
	if (!*detail)
		return reading_fail(r,
				    " has a detail that is none of auto, low, "
				    "high and original",
				    e);
	if (!(r->recipient.can & CAN_DETAIL)) {
		reading_ignore(r, where, "detail");
		*detail = NULL;
	}
	return true;
}

static bool
fail_uploaded(const struct reading *r, struct error *e)
{
	reading_fail(r,
		     ".file_id: no files are kept here that were uploaded "
		     "before: send the image as data:image/png;base64,... or "
		     "the like",
		     e);
	e->code = ERR_UNSUPPORTED;
	return false;
}

bool
images_read_url(struct reading *r, json_t *parts, const json_t *part,
		struct error *e)
{
	const json_t *image = json_object_get(part, "image_url");
	const char *detail;

	if (json_text(part, "file_id"))
		return fail_uploaded(r, e);
	if (json_is_object(image)) {
		reading_note_unread(r, "messages.content.image_url", image,
				    "url detail");
		return read_detail(r, "messages.content.image_url", image,
				   &detail, e) &&
		       read_image_url(r, parts, json_str(image, "url"), detail,
				      e);
	}
	return read_detail(r, "messages.content", part, &detail, e) &&
	       read_image_url(r, parts, json_str(part, "image_url"), detail, e);
}

/* Anthropic's: its bytes or its URL are in "source". */
bool
images_read_source(struct reading *r, json_t *parts, const json_t *part,
		   struct error *e)
{
	const json_t *source = json_object_get(part, "source");
	struct str bytes = json_str(source, "data"),
		   path = json_str(part, "path");
	const struct attachment a = { .field = ".path", .is_image = true };

	if (path.ptr && !source)
		return attachment_add_path(r, parts, &a, path, e);
	if (json_text(source, "file_id"))
		return fail_uploaded(r, e);
	if (json_is_object(source))
		reading_note_unread(r, "messages.content.source", source,
				    "type media_type data url");
	if (!bytes.ptr)
		return read_image_url(r, parts,
				      source ? json_str(source, "url")
					     : json_str(part, "url"),
				      NULL, e);
	return add_bytes(r, parts, json_str(source, "media_type"), bytes, NULL,
			 e);
}
