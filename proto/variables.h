#pragma once
/*
 * variables - the environment of this process, and the only way to read it
 *
 * White space around a value is ignored, and a variable with nothing but white
 * space counts as not set: so no reader can take a blank for a value.
 *
 * A process may get another environment while it runs.  Threads of libraries
 * may be reading the old one at that moment, so it is freed only at the change
 * after the next.
 */
#include "proto/buf.h"

/*
 * Absent: not set, or only white space.  The view points into the environment:
 * copy a value that must outlive a change.
 */
struct str variable_value(const char *name);

/* Does the variable exist, even without a value? */
bool variable_is_there(const char *name);

/* Appends NAME=value entries, each with a NUL behind it. */
must_check bool variables_pack(struct buf *, char *const *entries,
			       struct error *);

/*
 * Makes a packed environment the whole environment of this process.
 * ERR_PROTOCOL, and nothing has changed: `packed` was not made by
 * variables_pack().
 */
must_check bool variables_adopt(struct str packed, struct error *);
