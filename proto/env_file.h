#pragma once
/*
 * env_file - reads the text of an environment file
 *
 *      # a comment
 *      NAME=value            # a comment needs white space before it
 *      export NAME="a # b"   # quotes keep what is between them as it stands
 *      NAME='say "yes"'
 *
 * One variable a line.  Values are taken as they stand: nothing is expanded,
 * and a backslash is a backslash.  Behind a closing quote there may only be
 * white space and a comment.  A mark that says UTF-8 (BOM) at the beginning of
 * the file is passed over.  Where a name is there more than once the last one
 * counts, as in a shell.
 *
 * The first line that is none of this is an error (ERR_INVALID) which says the
 * number of the line and what is wrong with it.
 */
#include "proto/error.h"
#include "proto/str.h"

struct env_entry {
	struct str name, value; /* views of the text */
};

struct env_file {
	struct env_entry *entries; /* in the order of the lines */
	size_t count;
};

/* fini is needed even if it failed. */
must_check bool env_file_read(struct env_file *, struct str text,
			      struct error *);
void env_file_fini(struct env_file *);

/* Of equal names the last; absent: there is none. */
struct str env_file_value(const struct env_file *, struct str name);
