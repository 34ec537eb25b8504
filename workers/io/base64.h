#pragma once
/*
 * base64 - bytes as text, of RFC 4648
 *
 * What is read is from callers: white space in it is passed over, the variant
 * for URLs is taken as well, and padding may be missing.  Anything else makes
 * it none.
 */
#include <stdlib.h>

#include "proto/buf.h"

/* Whether it is base64, and how many bytes it stands for. */
must_check bool base64_count(struct str base64, size_t *bytes);

/* The bytes, with a NUL behind them that *len does not count; NULL: it is not
 * base64.  The caller frees them. */
char *base64_decode(struct str base64, size_t *len);

/* As above, the other way round. */
char *base64_encode(struct str bytes, size_t *len);
