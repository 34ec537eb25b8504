#pragma once
/*
 * fields - finds the few fields of a body that the gateway needs
 *
 * The body is a JSON object of up to 64 MiB, of which the gateway needs seven
 * small members at its top level.  They are found while the body arrives, in
 * one pass, without a tree: nothing is parsed but what was found, and
 * everything else is passed on as it came, for whoever does the work to judge.
 *
 * What would cost others much is refused here: nesting deeper than
 * MAX_BODY_DEPTH and more than MAX_BODY_VALUES values (a tree of them, which a
 * worker may have to make, is many times larger than its text).  So is a field
 * that is there twice, as two readers may differ over which one counts.
 */
#include "proto/error.h"
#include "proto/str.h"

enum field {
	FIELD_MODEL,
	FIELD_MESSAGES,
	FIELD_STREAM,
	FIELD_STREAM_OPTIONS,
	FIELD_SESSION_ID,
	FIELD_RESUME_ID,
	FIELD_CWD,
	FIELDS
};

struct fields {
	enum {
		AT_OBJECT, /* its opening brace has not come */
		AT_FIRST_KEY,
		AT_KEY,
		IN_KEY,
		AT_COLON,
		AT_VALUE,
		IN_VALUE,
		IN_TEXT, /* of a value, at any depth */
		AT_COMMA,
		AT_END,
	} state;
	bool is_escaped; /* the next byte belongs to a backslash */
	bool is_scalar;	 /* the value ends where something else begins */
	size_t at;	 /* bytes that were looked at */
	size_t depth, values;
	size_t begun; /* where the key or the value begins */
	int wanted;   /* the field of the value; FIELDS: none */
	struct {
		size_t from, to; /* of its value; both 0: not there */
	} found[FIELDS];
};

/* Looks at what has come of the body since the last call.  ERR_INVALID, or
 * ERR_TOO_LARGE.  All zeros is where it begins. */
must_check bool fields_read(struct fields *, struct str body, struct error *);

/* The body is complete. */
must_check bool fields_end(const struct fields *, struct error *);

/* The JSON of a field's value; absent if it is not there. */
struct str fields_value(const struct fields *, struct str body, enum field);

const char *field_name(enum field);
