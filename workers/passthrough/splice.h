#pragma once
/*
 * splice - a request with another model in it, and nothing else changed
 *
 * The body of a request is relayed as its caller wrote it: unknown fields, the
 * order of the fields and the notation of numbers stay.  Only the value of
 * "model" in the outermost object is replaced.  If the field is there more than
 * once, every one is replaced: one vendor takes the first, another the last.
 *
 * Nothing else in the body is judged: a vendor may know numbers and strings
 * that a parser of ours would refuse.  What is no JSON stays none, or is
 * refused with ERR_INVALID.
 */
#include "proto/buf.h"

/* Adds to `out`, which is to have room for both. */
must_check bool splice_model(struct buf *out, struct str body, struct str model,
			     struct error *);
