#pragma once
/*
 * message_image - images in messages: OpenAI's by their URL, and Anthropic's by
 * their source
 *
 * Bytes are checked (image.h).  An image that the harness does not take is
 * refused, and so is one whose URL leads neither to a public web server
 * (web_url.h) nor to a file of the session's directory.
 */
#include "workers/cli/reading.h"

/* Append the image to `parts`. */
must_check bool images_read_url(struct reading *, json_t *parts,
				const json_t *part, struct error *);
must_check bool images_read_source(struct reading *, json_t *parts,
				   const json_t *part, struct error *);

/* Appends an image of this type, if one may stand here.  `detail` NULL: it is
 * looked at as usual. */
must_check bool images_add(struct reading *, json_t *parts,
			   const char *media_type, struct str base64,
			   const char *detail, struct error *);

/* "image/png;charset=utf-8;base64", as it stands in a data: URL, has a type,
 * and base64 behind it. */
bool data_url_takes_base64(struct str head, struct str *type);
