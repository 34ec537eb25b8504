#pragma once
/*
 * message_file - files in messages: OpenAI's, Anthropic's documents, and those
 * that are named by their path
 *
 * A text becomes a text that is marked as a file (file.h), which every CLI can
 * be told.  An image becomes an image, and a PDF document a file, if the
 * harness takes them; what is neither is refused.  A path stays one until the
 * session's directory is known (attach.h).  Nothing is fetched.
 */
#include "workers/cli/file.h"
#include "workers/cli/reading.h"

/* What is said of an image or a file beside its bytes. */
struct attachment {
	const char *field;  /* where it stands in its part: ".file.path" */
	struct str name;    /* as the caller calls it; empty: not at all */
	struct str type;    /* a media type; empty: not said */
	const char *detail; /* of an image; NULL: as usual */
	bool is_image;	    /* nothing else will do */
};

/* Appends what these bytes are to `parts`. */
must_check bool attachment_add(struct reading *, json_t *parts,
			       const struct attachment *, struct str bytes,
			       struct error *);

/* Appends the path, or that of a "file:" URL. */
must_check bool attachment_add_path(struct reading *, json_t *parts,
				    const struct attachment *, struct str path,
				    struct error *);

/* The beginning of an URL, "file:", without regard to case. */
bool url_begins(struct str url, struct str scheme);

/* Whether it begins with a scheme at all. */
bool url_has_scheme(struct str url);

/* Counts one more image or file, and fails with its place if there are too many
 * or if none may stand there. */
must_check bool attachment_count(struct reading *, struct error *);

/* As reading_fail(), with the field behind the place, and a code. */
bool attachment_fail(const struct reading *, const struct attachment *,
		     enum error_code, const char *what, struct error *);

/* "file", "input_file", "document" and "container_upload" */
must_check bool files_read(struct reading *, json_t *parts, const json_t *part,
			   struct error *);
