#pragma once
/*
 * bounds - refuses hostile JSON before anybody makes a tree of it
 *
 * A tree is many times larger than the text it was made from, and making it
 * is recursive: so how deep the text is nested, and how many values it has,
 * is looked at first.  That it is JSON at all is for the parser to see.
 */
#include "proto/error.h"
#include "proto/str.h"

/* ERR_INVALID: too deep.  ERR_TOO_LARGE: too many values. */
must_check bool bounds_check(struct str json, struct error *);
