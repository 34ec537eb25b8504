#pragma once
/*
 * message_image - images in messages: OpenAI's by their URL, and Anthropic's by
 * their source
 *
 * Bytes are checked (image.h).  An image that the harness does not take is
 * refused, and so is one whose URL does not lead to a web server: a CLI might
 * open a file of the machine's.
 */
#include "workers/cli/reading.h"

/* Append the image to `parts`. */
must_check bool images_read_url(struct reading *, json_t *parts,
				const json_t *part, struct error *);
must_check bool images_read_source(struct reading *, json_t *parts,
				   const json_t *part, struct error *);
