#include "workers/cli/message_file.h"

#include <ctype.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "proto/log.h"
#include "workers/cli/message.h"
#include "workers/cli/message_image.h"
#include "workers/io/base64.h"
#include "workers/io/json.h"

bool
attachment_fail(const struct reading *r, const struct attachment *a,
		enum error_code code, const char *what, struct error *e)
{
	auto_free char *text = copy_format("%s%s", a->field, what);

	reading_fail(r, text, e);
	e->code = code;
	return false;
}

/* No vendor takes them there. */
bool
attachment_count(struct reading *r, struct error *e)
{
	if (r->is_assistants || r->is_system) {
		reading_fail(r,
			     r->is_system
				     ? ": a system message can have no image "
				       "and no file"
				     : ": a message of the assistant's can "
				       "have no image and no file",
			     e);
		e->code = ERR_UNSUPPORTED;
		return false;
	}
	if (++r->attachments <= MAX_ATTACHMENTS)
		return true;
	return reading_fail(r,
			    ": a request can have 500 images and files, and "
			    "this is one more",
			    e);
}

/* Bytes */

static bool
add_pdf(struct reading *r, json_t *parts, const struct attachment *a,
	const char *media_type, struct str bytes, struct error *e)
{
	size_t len;
	char *data;
	json_t *part;

	if (!(r->recipient.can & CAN_PDFS))
		return reading_refuse(r, CAN_PDFS, e);
	data = base64_encode(bytes, &len);
	part = json_pack("{s:s, s:s, s:o}", "type", "file", "media_type",
			 media_type, "data", json_stringn_nocheck(data, len));
	if (a->name.len)
		json_object_set_new(part, "name",
				    json_stringn(a->name.ptr, a->name.len));
	json_array_append_new(parts, part);
	free(data);
	return true;
}

static bool
add_image(struct reading *r, json_t *parts, const struct attachment *a,
	  const char *media_type, struct str bytes, struct error *e)
{
	size_t len;
	auto_free char *data = base64_encode(bytes, &len);

	return images_add(r, parts, media_type, (struct str){ data, len },
			  a->detail, e);
}

/* What it is called, and what it is. */
static bool
agrees(const struct reading *r, const struct attachment *a, enum file_kind is,
       struct error *e)
{
	enum file_kind called = file_kind_called(a->type);
	auto_free char *what = NULL;

	if (is == FILE_UNKNOWN) {
		what = copy_format(" is %s: nothing else can be told to a "
				   "model",
				   file_kind_name(is));
		return attachment_fail(r, a, ERR_UNSUPPORTED, what, e);
	}
	if (a->is_image && is != FILE_IMAGE) {
		what = copy_format(" is %s and no image: send it in a part of "
				   "the type file",
				   file_kind_name(is));
		return attachment_fail(r, a, ERR_INVALID, what, e);
	}
	if (called == FILE_UNKNOWN || called == is)
		return true;
	what = copy_format(" is called %s, and is %s: call it by its own type, "
			   "or by none",
			   log_quote(a->type), file_kind_name(is));
	return attachment_fail(r, a, ERR_INVALID, what, e);
}

static bool
check_length(const struct reading *r, const struct attachment *a, size_t len,
	     struct error *e)
{
	auto_free char *what = NULL;

	if (!len)
		return attachment_fail(r, a, ERR_INVALID, " is empty", e);
	if (len <= MAX_FILE)
		return true;
	what = copy_format(" has %zu bytes: a file can have %u", len, MAX_FILE);
	return attachment_fail(r, a, ERR_INVALID, what, e);
}

bool
attachment_add(struct reading *r, json_t *parts, const struct attachment *a,
	       struct str bytes, struct error *e)
{
	const char *media_type;
	enum file_kind kind = file_kind(bytes, &media_type);

	if (!check_length(r, a, bytes.len, e) || !agrees(r, a, kind, e))
		return false;
	if (kind == FILE_IMAGE)
		return add_image(r, parts, a, media_type, bytes, e);
	if (!attachment_count(r, e))
		return false;
	if (kind == FILE_PDF)
		return add_pdf(r, parts, a, media_type, bytes, e);
	json_array_append_new(parts, file_text(a->name, bytes));
	return true;
}

static bool
add_base64(struct reading *r, json_t *parts, const struct attachment *a,
	   struct str base64, struct error *e)
{
	auto_free char *bytes = NULL;
	size_t len;

	if (!base64_count(base64, &len))
		return attachment_fail(r, a, ERR_INVALID,
				       " is not valid base64", e);
	if (!check_length(r, a, len, e))
		return false;
	bytes = base64_decode(base64, &len);
	return attachment_add(r, parts, a, (struct str){ bytes, len }, e);
}

static bool
add_data_url(struct reading *r, json_t *parts, const struct attachment *a,
	     struct str url, struct error *e)
{
	struct str bytes, type,
		head = str_cut(str_from(url, strlen("data:")), ',', &bytes);
	struct attachment known = *a;

	if (!bytes.ptr || !data_url_takes_base64(head, &type))
		return attachment_fail(r, a, ERR_INVALID,
				       " is a data URL, but not of base64: "
				       "data:text/plain;base64,... is",
				       e);
	if (type.len)
		known.type = type;
	return add_base64(r, parts, &known, bytes, e);
}

/* Paths */

bool
url_begins(struct str url, struct str scheme)
{
	struct str begin = { url.ptr, scheme.len };

	return url.len >= scheme.len && str_same(begin, scheme);
}

bool
url_has_scheme(struct str url)
{
	for (size_t i = 0; i < url.len; i++)
		if (url.ptr[i] == ':')
			return i > 0 && isalpha((unsigned char)url.ptr[0]);
		else if (!isalnum((unsigned char)url.ptr[i]) &&
			 !(url.ptr[i] && strchr("+-.", url.ptr[i])))
			return false;
	return false;
}

static int
hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower(c) - 'a' + 10;
}

/* With what stands for other characters in it: "%20".  NULL: there is a zero
 * byte among them.  The caller frees it. */
static char *
unescape(struct str text)
{
	char *plain = xcalloc(text.len + 1, 1), *to = plain;

	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '%' && i + 2 < text.len &&
		    isxdigit((unsigned char)text.ptr[i + 1]) &&
		    isxdigit((unsigned char)text.ptr[i + 2])) {
			*to++ = (char)(hex_digit(text.ptr[i + 1]) << 4 |
				       hex_digit(text.ptr[i + 2]));
			i += 2;
		} else {
			*to++ = text.ptr[i];
		}
	if (strlen(plain) == (size_t)(to - plain))
		return plain;
	free(plain);
	return NULL;
}

/* "file:///a", "file://localhost/a", "file:/a" and "file:a"; NULL: the host is
 * another one. */
static char *
path_of(struct str url)
{
	struct str rest = str_from(url, strlen("file:"));

	if (!str_starts(rest, STR("//")))
		return unescape(rest);
	rest = str_from(rest, 2);
	if (url_begins(rest, STR("localhost/")))
		rest = str_from(rest, strlen("localhost"));
	return rest.len && *rest.ptr == '/' ? unescape(rest) : NULL;
}

static bool
add_plain_path(struct reading *r, json_t *parts, const struct attachment *a,
	       struct str path, struct error *e)
{
	json_t *part;

	if (!path.len)
		return attachment_fail(r, a, ERR_INVALID, " is empty", e);
	if (path.len >= MAX_PATH || memchr(path.ptr, '\0', path.len) ||
	    !(part = json_stringn(path.ptr, path.len)))
		return attachment_fail(r, a, ERR_INVALID,
				       " is no URL, and no path either: bytes "
				       "are sent as data:image/png;base64,... "
				       "or the like",
				       e);
	if (!attachment_count(r, e)) {
		json_decref(part);
		return false;
	}
	part = json_pack("{s:s, s:o, s:s, s:s%, s:s%, s:s*, s:b, s:I, s:I}",
			 "type", "path", "path", part, "field", a->field,
			 "name", a->name.len ? a->name.ptr : "", a->name.len,
			 "media_type", a->type.len ? a->type.ptr : "",
			 a->type.len, "detail", a->detail, "is_image",
			 a->is_image, "message", (json_int_t)r->message, "part",
			 r->in_part ? (json_int_t)r->part : (json_int_t)-1);
	json_array_append_new(parts, part);
	return true;
}

bool
attachment_add_path(struct reading *r, json_t *parts,
		    const struct attachment *a, struct str path,
		    struct error *e)
{
	auto_free char *plain = NULL;

	if (!url_begins(path, STR("file:")))
		return add_plain_path(r, parts, a, path, e);
	plain = path_of(path);
	if (!plain)
		return attachment_fail(
			r, a, ERR_INVALID,
			" is a file: URL with a host or a zero "
			"byte: it must be file:/// and a path in "
			"the session's directory",
			e);
	return add_plain_path(r, parts, a, str_of(plain), e);
}

static bool
add_url(struct reading *r, json_t *parts, const struct attachment *a,
	struct str url, struct error *e)
{
	if (url_begins(url, STR("data:")))
		return add_data_url(r, parts, a, url, e);
	if (url_begins(url, STR("file:")) || !url_has_scheme(url))
		return attachment_add_path(r, parts, a, url, e);
	return attachment_fail(
		r, a, ERR_UNSUPPORTED,
		" is the URL of a file: none is fetched, so send "
		"its bytes as data:application/pdf;base64,... or "
		"the like",
		e);
}

/* A text that is sent as such. */
static bool
add_plain_text(struct reading *r, json_t *parts, const struct attachment *a,
	       struct str text, struct error *e)
{
	if (!check_length(r, a, text.len, e))
		return false;
	if (memchr(text.ptr, '\0', text.len))
		return attachment_fail(r, a, ERR_INVALID,
				       " is text with a zero byte in it", e);
	if (!attachment_count(r, e))
		return false;
	json_array_append_new(parts, file_text(a->name, text));
	return true;
}

/* OpenAI's base64 comes alone or in a data: URL. */
static bool
add_data(struct reading *r, json_t *parts, const struct attachment *a,
	 struct str data, struct error *e)
{
	if (url_begins(data, STR("data:")) || url_begins(data, STR("file:")))
		return add_url(r, parts, a, data, e);
	return add_base64(r, parts, a, data, e);
}

/* Where each shape has the file, of which one must be there. */
static const struct {
	const char *name;
	bool (*add)(struct reading *, json_t *parts, const struct attachment *,
		    struct str, struct error *);
} sources[] = {
	{ "file_data", add_data },  { "data", add_data },
	{ "base64", add_data },	    { "path", attachment_add_path },
	{ "file_url", add_url },    { "url", add_url },
	{ "text", add_plain_text }, { "content", add_plain_text },
};

#define NAMES "filename file_name name title"
#define TYPES "mediaType media_type mimeType mime_type"
#define SOURCES "file_data data base64 path file_url url text content"

/* The first of the fields that has a text. */
static struct str
first_of(const json_t *object, struct str fields)
{
	struct str word, text = { NULL, 0 };

	while (!text.len && str_word(&fields, &word)) {
		auto_free char *field = copy(word);

		text = json_str(object, field);
	}
	return text;
}

static bool
fail_uploaded(const struct reading *r, const char *where, struct error *e)
{
	const struct attachment a = { .field = where };

	return attachment_fail(r, &a, ERR_UNSUPPORTED,
			       ".file_id: no files are kept here that were "
			       "uploaded before: send the bytes as file_data",
			       e);
}

/* `said` has the file, and `where` it stands in its part.  Anthropic's text is
 * in "data". */
static bool
read_file(struct reading *r, json_t *parts, const json_t *said,
	  const char *where, struct attachment a, struct error *e)
{
	bool is_text = json_text(said, "type") &&
		       !strcmp(json_text(said, "type"), "text");
	auto_free char *field = NULL;
	struct str bytes;

	if (json_text(said, "file_id"))
		return fail_uploaded(r, where, e);
	if (a.name.len > MAX_FILE_NAME) {
		a.field = where;
		return attachment_fail(r, &a, ERR_INVALID,
				       " has a name of more than 1024 bytes",
				       e);
	}
	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		bytes = json_str(said, sources[i].name);
		if (!bytes.ptr)
			continue;
		a.field = field = copy_format("%s.%s", where, sources[i].name);
		return (is_text ? add_plain_text : sources[i].add)(r, parts, &a,
								   bytes, e);
	}
	a.field = where;
	return attachment_fail(r, &a, ERR_INVALID,
			       " is a file without bytes: it must have "
			       "file_data, url or path",
			       e);
}

bool
files_read(struct reading *r, json_t *parts, const json_t *part,
	   struct error *e)
{
	static const char of_part[] =
		"type id cache_control file source "
		"source_type " NAMES " " TYPES " " SOURCES;
	static const char of_file[] = "type " NAMES " " TYPES " " SOURCES;
	static const char *const members[] = { "file", "source" };
	const json_t *said = part;
	auto_free char *path = NULL;
	const char *where = "";
	struct attachment a = { .name = first_of(part, STR(NAMES)),
				.type = first_of(part, STR(TYPES)) };

	reading_note_unread(r, "messages.content", part, of_part);
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		const json_t *member = json_object_get(part, members[i]);

		if (!json_is_object(member))
			continue;
		path = copy_format("messages.content.%s", members[i]);
		where = i ? ".source" : ".file";
		said = member;
		reading_note_unread(r, path, said, of_file);
		break;
	}
	if (said != part && !a.name.len)
		a.name = first_of(said, STR(NAMES));
	if (said != part && !a.type.len)
		a.type = first_of(said, STR(TYPES));
	return read_file(r, parts, said, where, a, e);
}
