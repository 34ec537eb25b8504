/*
 * Any bytes as a stream of the engine, in pieces of any sizes.  However they
 * are cut, the same payloads must come out, and the same error if any.
 *
 * The first byte says how the others are cut; 0: not at all.
 */
#include <assert.h>

#include "proto/buf.h"
#include "workers/executor/docker/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct heard {
	struct buf payloads[FRAME_ENGINE + 1];
	bool is_refused, is_cut;
	struct error why;
};

/* A pipe takes at most `most` bytes at once. */
static bool
hear(struct heard *h, struct frames *f, struct str bytes, size_t most)
{
	struct str payload;

	for (;;) {
		if (!frames_next(f, &bytes, &payload, &h->why))
			return false;
		if (!payload.len)
			break;
		assert(payload.ptr == bytes.ptr && payload.len <= bytes.len);
		if (payload.len > most)
			payload.len = most;
		buf_put(&h->payloads[frames_stream(f)], payload);
		frames_used(f, &bytes, payload.len);
	}
	assert(!bytes.len);
	return true;
}

static struct heard
hear_all(struct str bytes, size_t cut)
{
	struct heard h = { 0 };
	struct frames f = { 0 };
	struct str some;

	for (int i = 0; i <= FRAME_ENGINE; i++)
		h.payloads[i] = BUF_INIT(bytes.len + 1);
	while (bytes.len && !h.is_refused) {
		some = bytes;
		if (cut && some.len > cut)
			some.len = cut;
		h.is_refused = !hear(&h, &f, some, cut ? cut : SIZE_MAX);
		bytes = str_from(bytes, some.len);
	}
	if (!h.is_refused)
		h.is_cut = !frames_end(&f, &h.why);
	return h;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str all = { (const char *)bytes + 1, len - 1 };
	struct heard whole, cut;

	if (!len)
		return 0;
	whole = hear_all(all, 0);
	cut = hear_all(all, *bytes);
	assert(whole.is_refused == cut.is_refused);
	assert(whole.is_cut == cut.is_cut);
	assert(!strcmp(whole.why.text, cut.why.text));
	for (int i = 0; i <= FRAME_ENGINE; i++) {
		assert(str_eq(buf_str(&whole.payloads[i]),
			      buf_str(&cut.payloads[i])));
		buf_fini(&whole.payloads[i]);
		buf_fini(&cut.payloads[i]);
	}
	return 0;
}
