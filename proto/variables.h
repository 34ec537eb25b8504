#pragma once
/*
 * variables - the environment of this process, in the one way it is read here
 *
 * Every value is looked at without the white space around it, and a variable
 * with nothing but white space counts as one that is not set: so no reader
 * can take a blank for a value.
 *
 * A process may be given another environment while it runs.  Threads of
 * libraries may be reading the one before at that moment, so it stays in
 * memory until the next change but one.
 */
#include "proto/buf.h"

/* Absent: not set, or only white space.  A view into the environment: copy
 * what must outlive a change of it. */
struct str variable_value(const char *name);

/* Is there such a variable, even one without a value? */
bool variable_is_there(const char *name);

/* Appends NAME=value entries, each with a NUL behind it. */
must_check bool variables_pack(struct buf *, char *const *entries,
			       struct error *);

/* Makes what was packed the whole environment of this process.  ERR_PROTOCOL,
 * and nothing has changed: it is not what variables_pack() makes. */
must_check bool variables_adopt(struct str packed, struct error *);
