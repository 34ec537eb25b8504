#include "workers/claude/claude.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/*
 * Claude Code resumes any file in the format of its own transcripts, as if the
 * conversation in it had taken place.  So a conversation that began elsewhere
 * reaches the model message by message.
 */

static json_t *
image_block(const json_t *part)
{
	const char *url = json_text(part, "url");

	if (url)
		return json_pack("{s:s, s:{s:s, s:s}}", "type", "image",
				 "source", "type", "url", "url", url);
	return json_pack("{s:s, s:{s:s, s:s, s:s}}", "type", "image", "source",
			 "type", "base64", "media_type",
			 json_text(part, "media_type"), "data",
			 json_text(part, "data"));
}

/* Arguments that are no JSON are passed on as text. */
static json_t *
call_block(const json_t *part)
{
	const char *arguments = json_text(part, "arguments");
	json_t *input = json_loads(arguments, JSON_ALLOW_NUL, NULL);

	if (!json_is_object(input)) {
		json_decref(input);
		input = json_pack("{s:s}", "arguments", arguments);
	}
	return json_pack("{s:s, s:s, s:s, s:o}", "type", "tool_use", "id",
			 json_text(part, "id"), "name", json_text(part, "name"),
			 "input", input);
}

static json_t *
result_block(const json_t *part)
{
	return json_pack("{s:s, s:s, s:O}", "type", "tool_result",
			 "tool_use_id", json_text(part, "id"), "content",
			 json_object_get(part, "text"));
}

json_t *
history_blocks(const json_t *parts)
{
	json_t *blocks = json_array(), *part;
	size_t i;

	json_array_foreach (parts, i, part) {
		const char *type = json_text(part, "type");

		if (!strcmp(type, "image"))
			json_array_append_new(blocks, image_block(part));
		else if (!strcmp(type, "tool_call"))
			json_array_append_new(blocks, call_block(part));
		else if (!strcmp(type, "tool_result"))
			json_array_append_new(blocks, result_block(part));
		else
			json_array_append(blocks, part);
	}
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

	json_dumpf(line, f, JSON_COMPACT);
	fputc('\n', f);
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
