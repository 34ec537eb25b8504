/*
 * Any bytes as a body.  If they are JSON, then what comes out is the same JSON
 * with another model; if not, it is refused or garbage, but never worse.
 *
 * jansson judges what is JSON, but overlooks a NUL behind a number.
 */
#include <assert.h>
#include <jansson.h>

#include "workers/passthrough/splice.h"

#define MODEL "m\"\\\n"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* NULL if it is none. */
static json_t *
json_of(struct str s)
{
	bool has_nul = s.len && memchr(s.ptr, '\0', s.len);

	return has_nul ? NULL : json_loadb(s.ptr, s.len, 0, NULL);
}

static void
compare(const json_t *before, struct str after)
{
	json_t *want = json_copy((json_t *)before), *is = json_of(after);

	assert(is);
	json_object_set_new(want, "model", json_string(MODEL));
	assert(json_equal(want, is));
	json_decref(want);
	json_decref(is);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str body = { (const char *)bytes, len };
	struct buf out = BUF_INIT(16 << 20);
	struct error e = { 0 };
	json_t *was = json_of(body);

	if (!splice_model(&out, body, STR(MODEL), &e))
		assert(!json_object_get(was, "model"));
	else if (was)
		compare(was, buf_str(&out));
	json_decref(was);
	buf_fini(&out);
	return 0;
}
