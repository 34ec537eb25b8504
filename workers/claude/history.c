#include "workers/claude/claude.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	const json_t *message;
	char *parent = NULL;
	size_t i;
	bool ok;

	if (!f) {
		fail_errno(e, "%s", path);
		if (fd >= 0)
			close(fd);
		free(path);
		return NULL;
	}
	json_array_foreach (c->history, i, message)
		parent = add_line(f, message, parent);
	free(parent);
	ok = !ferror(f);
	ok = fclose(f) == 0 && ok;
	if (ok)
		return path;
	fail_errno(e, "%s", path);
	unlink(path);
	free(path);
	return NULL;
}

void
history_remove(struct conversation *c)
{
	struct claude *own = c->own;

	if (own->history)
		(void)unlink(own->history);
	free(own->history);
	own->history = NULL;
}
