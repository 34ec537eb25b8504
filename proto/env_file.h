#pragma once
/*
 * env_file - reads the text of an environment file
 *
 *     # a comment
 *     NAME=value            # a comment needs white space before it
 *     export NAME="a # b"   # quotes keep the text between them unchanged
 *     NAME='say "yes"'
 *
 * There is one variable a line.  Values are taken literally: nothing is
 * expanded, and a backslash is a backslash.  Only white space and a comment may
 * follow a closing quote.  A byte order mark at the beginning of the file is
 * skipped.  If a name occurs more than once the last line counts, as in a
 * shell.
 *
 * Any other line is an error (ERR_INVALID), which gives the line's number and
 * what is wrong with it.
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

/* The caller needs env_file_fini() even if reading failed. */
must_check bool env_file_read(struct env_file *, struct str text,
			      struct error *);
void env_file_fini(struct env_file *);

/* The last value of this name; absent: the file has no such name. */
struct str env_file_value(const struct env_file *, struct str name);
