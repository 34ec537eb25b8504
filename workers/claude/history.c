#include "workers/claude/claude.h"

#include <assert.h>
#include <stdio.h>

#include "workers/io/json_line.h"

/*
 * Claude Code resumes any file in the format of its own transcripts, as if the
 * conversation in it had taken place.  So a conversation that began elsewhere
 * reaches the model message by message.
 */

static bool
say_image(void *blocks, const json_t *part, struct error *e)
{
	json_array_append_new(
		blocks, json_pack("{s:s, s:{s:s, s:O, s:O}}", "type", "image",
				  "source", "type", "base64", "media_type",
				  json_object_get(part, "media_type"), "data",
				  json_object_get(part, "data")));
	return true;
}

static bool
say_image_url(void *blocks, const json_t *part, struct error *e)
{
	json_array_append_new(blocks,
			      json_pack("{s:s, s:{s:s, s:O}}", "type", "image",
					"source", "type", "url", "url",
					json_object_get(part, "url")));
	return true;
}

/* Without a title if it has no name. */
static bool
say_file(void *blocks, const json_t *part, struct error *e)
{
	json_array_append_new(blocks,
			      json_pack("{s:s, s:O*, s:{s:s, s:O, s:O}}",
					"type", "document", "title",
					json_object_get(part, "name"), "source",
					"type", "base64", "media_type",
					json_object_get(part, "media_type"),
					"data", json_object_get(part, "data")));
	return true;
}

static bool
say_call(void *blocks, const json_t *part, struct error *e)
{
	json_array_append_new(
		blocks, json_pack("{s:s, s:O, s:O, s:o}", "type", "tool_use",
				  "id", json_object_get(part, "id"), "name",
				  json_object_get(part, "name"), "input",
				  part_input(part)));
	return true;
}

static bool
say_result(void *blocks, const json_t *part, struct error *e)
{
	json_t *content = history_blocks(json_object_get(part, "content"));

	json_array_append_new(blocks,
			      json_pack("{s:s, s:O, s:o, s:O*}", "type",
					"tool_result", "tool_use_id",
					json_object_get(part, "id"), "content",
					parts_plain(content), "is_error",
					json_object_get(part, "is_error")));
	return true;
}

/* Every kind of part has its handler, and none of these fails. */
json_t *
history_blocks(const json_t *parts)
{
	static const struct part_handlers handlers = {
		.text = part_append,
		.image = say_image,
		.image_url = say_image_url,
		.file = say_file,
		.call = say_call,
		.result = say_result,
	};
	json_t *blocks = json_array();
	struct error e = { 0 };
	bool ok = parts_say(parts, &handlers, blocks, &e);

	assert(ok);
	return blocks;
}

/* Takes `parent`; returns the line's own uuid. */
static char *
add_line(FILE *f, const json_t *message, char *parent)
{
	const char *role = json_text(message, "role");
	const json_t *parts = json_object_get(message, "content");
	char *uuid = new_uuid();
	json_t *line =
		json_pack("{s:s?, s:s, s:s, s:{s:s, s:o}}", "parentUuid",
			  parent, "uuid", uuid, "type", role, "message", "role",
			  role, "content", history_blocks(parts));

	json_line_write(f, line);
	json_decref(line);
	free(parent);
	return uuid;
}

char *
history_write(const struct conversation *c, struct error *e)
{
	char *path = copy_format("%s/%s.jsonl", c->scratch, c->cli_id);
	auto_free char *text = NULL, *parent = NULL;
	size_t len = 0, i;
	FILE *f = open_memstream(&text, &len);
	const json_t *message;

	assert(f);
	json_array_foreach (c->history, i, message)
		parent = add_line(f, message, parent);
	(void)fclose(f);
	if (c->executor->write(c->executor, path, (struct str){ text, len }, e))
		return path;
	free(path);
	return NULL;
}

void
history_remove(struct conversation *c)
{
	struct claude *own = c->own;

	if (own->history)
		c->executor->remove(c->executor, own->history);
	free(own->history);
	own->history = NULL;
}
