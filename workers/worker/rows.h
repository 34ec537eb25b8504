#pragma once
/*
 * rows - a list in JSON, as long as there is room for it
 *
 * What is in a row is somebody else's: a path, a vendor's name for a model.  So
 * a list may be longer than a message can be.  It then ends with the last row
 * that fits, and says that there are more.
 */
#include "proto/buf.h"

struct rows {
	struct buf json;
	bool has_more;
};

#define ROWS_INIT ((struct rows){ .json = BUF_INIT(MAX_LIST) })

static inline void
rows_fini(struct rows *r)
{
	buf_fini(&r->json);
}

/* `row` is one object, or several with commas.  False if it does not fit. */
static inline bool
rows_add(struct rows *r, struct str row)
{
	if (r->json.len + row.len + sizeof ",]" > r->json.max) {
		r->has_more = true;
		return false;
	}
	buf_put(&r->json, r->json.len ? STR(",") : STR("["));
	buf_put(&r->json, row);
	return true;
}

/* The array; nothing can be added afterwards. */
static inline struct str
rows_end(struct rows *r)
{
	buf_put(&r->json, r->json.len ? STR("]") : STR("[]"));
	return buf_str(&r->json);
}
