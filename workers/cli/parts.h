#pragma once
/*
 * parts - what a message consists of, and how a harness says it
 *
 *      text       {"type":"text","text":T}
 *      image      {"type":"image","media_type":M,"data":BASE64}
 *      image_url  {"type":"image","url":U}
 *      file       {"type":"file","media_type":M,"data":BASE64,"name":N}
 *      path       {"type":"path",...}
 *      call       {"type":"tool_call","id":I,"name":N,"arguments":TEXT}
 *      result     {"type":"tool_result","id":I,"name":N,"arguments":TEXT,
 *                  "content":[text, images and files],"is_error":true}
 *
 * An image may also have a "detail", how closely it is to be looked at.  A file
 * is a PDF document, and has a name only if the caller has named it: text files
 * are texts.  A path leads to an image or a file in the session's directory,
 * and becomes one before any harness sees it (attach.h).
 *
 * A call has an id that no other call of the request has, of up to 64
 * characters of A-Z, a-z, 0-9, "_" and "-", and a name of up to 128 of these:
 * every vendor takes them.  A result belongs to a call that stands before it,
 * whose name and arguments it repeats, for a CLI that has not heard the call.
 * "is_error" is there only if it is true.
 *
 * Whoever says parts names a handler for each kind of them, so that none can
 * be passed over.  The reader of a request refuses what the harness has no
 * capability for (capabilities.def); if a kind without a handler comes
 * nevertheless, the turn fails.
 */
#include <jansson.h>

#include "proto/error.h"

typedef bool part_fn(void *to, const json_t *part, struct error *);

struct part_handlers {
	part_fn *text, *image, *image_url, *file, *path, *call, *result;
};

/* Hands each part to the handler of its kind, until one fails. */
must_check bool parts_say(const json_t *parts, const struct part_handlers *,
			  void *to, struct error *);

/* What several CLIs want to have in the same form. */

/* A handler: appends the part as it is to `array`, a json_t. */
bool part_append(void *array, const json_t *part, struct error *);

/* The arguments of a call as an object.  Those that are none are its only
 * member, "arguments", as text. */
json_t *part_input(const json_t *call);

/* Takes `content`, the blocks of a result: a single text becomes that text, and
 * nothing the empty text, which every vendor takes. */
json_t *parts_plain(json_t *content);
