#pragma once
/* quote - text as a string of JSON */
#include "proto/buf.h"

/* Adds `text`, which is UTF-8, with its quotes; ERR_TOO_LARGE. */
must_check bool quote(struct buf *, struct str text, struct error *);
