#include "workers/passthrough/splice.h"

#include "workers/io/quote.h"
#include "workers/io/scan.h"

static bool
fail_invalid(struct error *e)
{
	return fail_with(e, ERR_INVALID, "the body is not a JSON object");
}

/* Adds what stands between two places, and the model. */
static bool
add_up_to(struct buf *out, const char *from, const char *to, struct str model,
	  struct error *e)
{
	return buf_add(out, (struct str){ from, (size_t)(to - from) }, e) &&
	       quote(out, model, e);
}

bool
splice_model(struct buf *out, struct str body, struct str model,
	     struct error *e)
{
	struct scan s = scan_of(body);
	const char *copied = body.ptr;
	struct str key, value;
	bool found = false;

	if (!scan_take(&s, '{'))
		return fail_invalid(e);
	do {
		if (!scan_key(&s, &key) || !scan_value(&s, &value))
			return fail_invalid(e);
		if (!scan_key_is(key, "model"))
			continue;
		found = true;
		if (!add_up_to(out, copied, value.ptr, model, e))
			return false;
		copied = s.at;
	} while (scan_take(&s, ','));
	if (!scan_take(&s, '}'))
		return fail_invalid(e);
	if (!found)
		return fail_about(e, ERR_INVALID, "model: is missing");
	return buf_add(out, (struct str){ copied, (size_t)(s.end - copied) },
		       e);
}
