#pragma once
/*
 * splice - a request with another model in it, and nothing else changed
 *
 * The body of a request is relayed as its caller wrote it: fields that nobody
 * here knows, the order of the fields, numbers in any notation.  Only the
 * value of "model" in the outermost object is another.  Where that is there
 * more than once all of them are replaced, for who reads the body next may
 * believe the first or the last.
 *
 * Nothing else in the body is judged: a vendor may know numbers and strings
 * that a parser of ours would refuse.  What is no JSON stays none, or is
 * refused with ERR_INVALID.
 */
#include "proto/buf.h"

/* Adds to `out`, which is to have room for both. */
must_check bool splice_model(struct buf *out, struct str body, struct str model,
			     struct error *);
