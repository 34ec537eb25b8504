/* Any body of a request: refused or understood, never worse. */
#include <assert.h>

#include "gateway/chat/chat.h"
#include "proto/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was understood can be said again. */
static void
answer(const struct chat *c)
{
	struct buf b = BUF_INIT(64 << 20);
	struct stamp s;
	json_t *back;

	assert(utf8_valid(c->model) && c->model.len);
	stamp_init(&s, 1, c->model, c->include_usage);
	chat_begin_delta(&b, &s, DELTA_TEXT);
	chat_escape(&b, c->model);
	chat_end_delta(&b, &s);
	back = json_loadb(b.ptr, b.len, JSON_ALLOW_NUL, NULL);
	assert(back && !memchr(b.ptr, '\n', b.len));
	json_decref(back);
	stamp_fini(&s);
	buf_fini(&b);
}

/* Wherever a body is cut while it arrives. */
static bool
read_in_two(struct fields *f, struct str body, unsigned cut, struct error *e)
{
	struct str first = { body.ptr, body.len * (cut >> 2) / 64 };

	return fields_read(f, first, e) && fields_read(f, body, e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct chat c = CHAT_INIT;
	struct fields fields = { 0 };
	struct error e = { 0 };
	struct str body = { (const char *)data + 1, len - 1 };

	if (len < 1)
		return 0;
	if (read_in_two(&fields, body, data[0], &e) &&
	    fields_end(&fields, &e) &&
	    chat_read(&c, 1 + data[0] % (DIALECTS - 1), body, &fields, &e))
		answer(&c);
	else
		assert(e.code != ERR_NONE && utf8_valid(str_of(e.text)));
	chat_fini(&c);
	return 0;
}
