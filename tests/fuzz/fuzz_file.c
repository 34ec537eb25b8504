/*
 * Any bytes: as a file they stay what they are between marks that only we can
 * end; as base64 they are the same when written again; as an address they are
 * public or not, with a reason.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/utf8.h"
#include "workers/cli/file.h"
#include "workers/cli/web_url.h"
#include "workers/io/base64.h"
#include "workers/io/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define must_be(what)            \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static void
check_text(struct str bytes)
{
	json_t *part = file_text(STR("a\"b"), bytes);
	struct str text = json_str(part, "text");
	size_t tag = strcspn(text.ptr + 1, " ");
	auto_free char *end = copy_format("</%.*s>", (int)tag, text.ptr + 1);
	const char *at = memmem(text.ptr, text.len, end, strlen(end));

	must_be(at == text.ptr + text.len - strlen(end));
	must_be(!bytes.len || memmem(text.ptr, text.len, bytes.ptr, bytes.len));
	json_decref(part);
}

static void
check_base64(struct str text)
{
	size_t count, len = 0, written;
	auto_free char *bytes = base64_decode(text, &len);
	auto_free char *again = NULL, *twice = NULL;

	must_be(base64_count(text, &count) == (bytes != NULL));
	if (!bytes)
		return;
	must_be(count == len);
	again = base64_encode((struct str){ bytes, len }, &written);
	twice = base64_decode((struct str){ again, written }, &count);
	must_be(count == len && !memcmp(bytes, twice, len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str bytes = { (const char *)data, len };
	const char *media_type, *problem;
	enum file_kind kind = file_kind(bytes, &media_type);
	auto_free char *url = copy_format("http://");
	struct buf b = BUF_INIT(1 << 20);

	must_be((kind == FILE_PDF || kind == FILE_IMAGE) ==
			(media_type != NULL) ||
		kind == FILE_TEXT);
	(void)file_kind_called(bytes);
	if (kind == FILE_TEXT)
		check_text(bytes);
	check_base64(bytes);
	must_be(web_url_is_public(bytes, &problem) == !problem);
	if (len < 4096) {
		buf_put(&b, str_of(url));
		buf_put(&b, bytes);
		must_be(web_url_is_public(buf_str(&b), &problem) == !problem);
	}
	buf_fini(&b);
	return 0;
}
