#include "workers/cli/file.h"

#include <ctype.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "proto/utf8.h"
#include "workers/cli/image.h"

#define PDF_TYPE "application/pdf"
#define END_MARK "</file"

static bool
is_text(struct str bytes)
{
	return !(bytes.len && memchr(bytes.ptr, '\0', bytes.len)) &&
	       utf8_valid(bytes);
}

enum file_kind
file_kind(struct str bytes, const char **media_type)
{
	*media_type = image_of(bytes);
	if (str_starts(bytes, STR("%PDF-"))) {
		*media_type = PDF_TYPE;
		return FILE_PDF;
	}
	/* "BM" begins words, too. */
	if (*media_type && !(str_starts(bytes, STR("BM")) && is_text(bytes)))
		return FILE_IMAGE;
	return is_text(bytes) ? FILE_TEXT : FILE_UNKNOWN;
}

enum file_kind
file_kind_called(struct str media_type)
{
	struct str rest, type = str_trim(str_cut(media_type, ';', &rest));
	struct str family = str_cut(type, '/', &rest);

	if (str_same(type, STR(PDF_TYPE)))
		return FILE_PDF;
	if (str_same(type, STR("image/svg+xml")))
		return FILE_UNKNOWN; /* it is text */
	if (str_same(family, STR("image")))
		return FILE_IMAGE;
	return str_same(family, STR("text")) ? FILE_TEXT : FILE_UNKNOWN;
}

const char *
file_kind_name(enum file_kind kind)
{
	static const char *const names[] = {
		[FILE_UNKNOWN] = "neither text in UTF-8 nor a PDF document nor "
				 "an image of the types " IMAGE_NAMES,
		[FILE_TEXT] = "text",
		[FILE_PDF] = "a PDF document",
		[FILE_IMAGE] = "an image",
	};

	return names[kind];
}

/* The number of the mark whose end begins at `s`: 1 for "</file", 2 for
 * "</file-2"; 0: none that is up to `max`. */
static size_t
mark_at(struct str s, size_t max)
{
	struct str begin = { s.ptr, strlen(END_MARK) };
	size_t n = 0, at = begin.len;

	if (s.len < at || !str_same(begin, STR(END_MARK)))
		return 0;
	if (s.len < at + 2 || s.ptr[at] != '-' ||
	    !isdigit((unsigned char)s.ptr[at + 1]))
		return 1;
	while (++at < s.len && isdigit((unsigned char)s.ptr[at]) && n <= max)
		n = n * 10 + (size_t)(s.ptr[at] - '0');
	return n <= max ? n : 0;
}

/* How many ends of marks there may be in a text, up to the mark `max`; notes
 * the number of each in `seen`, unless that is NULL. */
static size_t
count_marks(struct str text, bool *seen, size_t max)
{
	size_t count = 0;

	while (text.len) {
		const char *at = memchr(text.ptr, '<', text.len);
		size_t n;

		if (!at)
			break;
		text = str_from(text, (size_t)(at - text.ptr));
		n = mark_at(text, max);
		count += n > 0;
		if (seen && n)
			seen[n] = true;
		text = str_from(text, 1);
	}
	return count;
}

/* The first number whose mark the text does not end.  Each end rules out one
 * number, so there is one among the first that are more than the ends. */
static size_t
free_mark(struct str text)
{
	size_t max = count_marks(text, NULL, SIZE_MAX / 16) + 1;
	auto_free bool *seen = xcalloc(max + 1, sizeof *seen);
	size_t n = 1;

	(void)count_marks(text, seen, max);
	while (seen[n])
		n++;
	return n;
}

static void
put_name(struct buf *b, struct str name)
{
	static const char plain[] = "_-./ ()[]{}@+,:;=~!#$%^'`";

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (isalnum(c) || c >= 0x80 || (c && strchr(plain, c)))
			buf_put(b,
				str_from((struct str){ name.ptr, i + 1 }, i));
		else
			buf_print(b, "&#%u;", c);
	}
}

json_t *
file_text(struct str name, struct str text)
{
	struct buf b = BUF_INIT(8 * (size_t)MAX_FILE);
	size_t mark = free_mark(text);
	auto_free char *tag =
		mark > 1 ? copy_format("file-%zu", mark) : copy(STR("file"));
	json_t *part;

	buf_print(&b, "<%s", tag);
	if (name.len) {
		buf_put(&b, STR(" name=\""));
		put_name(&b, name);
		buf_put(&b, STR("\""));
	}
	buf_put(&b, STR(">\n"));
	buf_put(&b, text);
	if (text.len && text.ptr[text.len - 1] != '\n')
		buf_put(&b, STR("\n"));
	buf_print(&b, "</%s>", tag);
	part = json_pack("{s:s, s:o}", "type", "text", "text",
			 json_stringn_nocheck(buf_str(&b).ptr, b.len));
	buf_fini(&b);
	return part;
}
