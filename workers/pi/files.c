#include "workers/pi/pi.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/*
 * pi keeps a session in a file of lines, and continues any such file.  So a
 * conversation that began elsewhere is written into one, message by message.
 * The pool removes files that were left behind by their ending, ".jsonl".
 */

/* The file that is being written; each line names the one before. */
struct past {
	FILE *file;
	unsigned lines;
	char now[32];
	const json_t *messages;
};

static json_t *
text_block(json_t *text)
{
	return json_pack("{s:s, s:O?}", "type", "text", "text", text);
}

static json_t *
image_block(const json_t *part)
{
	const char *url = json_text(part, "url");

	if (!url)
		return json_pack("{s:s, s:O?, s:O?}", "type", "image", "data",
				 json_object_get(part, "data"), "mimeType",
				 json_object_get(part, "media_type"));
	return json_pack("{s:s, s:s+}", "type", "text", "text", "[image] ",
			 url);
}

/* Arguments that are no JSON are passed on as text. */
static json_t *
call_block(const json_t *part)
{
	const char *arguments = json_text(part, "arguments");
	json_t *input =
		json_loads(arguments ? arguments : "", JSON_ALLOW_NUL, NULL);

	if (!json_is_object(input)) {
		json_decref(input);
		input = json_pack("{s:s?}", "arguments", arguments);
	}
	return json_pack("{s:s, s:s?, s:s?, s:o}", "type", "toolCall", "id",
			 json_text(part, "id"), "name", json_text(part, "name"),
			 "arguments", input);
}

/* Takes `message`. */
static void
add_line(struct past *past, json_t *message)
{
	unsigned n = ++past->lines;
	char id[16], parent[16];
	json_t *line;

	snprintf(id, sizeof id, "%08x", n);
	snprintf(parent, sizeof parent, "%08x", n - 1);
	json_object_set_new(message, "timestamp",
			    json_integer((json_int_t)time(NULL) * 1000));
	line = json_pack("{s:s, s:s, s:s?, s:s, s:o}", "type", "message", "id",
			 id, "parentId", n > 1 ? parent : NULL, "timestamp",
			 past->now, "message", message);
	json_dumpf(line, past->file, JSON_COMPACT);
	fputc('\n', past->file);
	json_decref(line);
}

static const char *
name_of_call(const struct past *past, const char *id)
{
	const json_t *message, *part;
	size_t i, j;

	json_array_foreach (past->messages, i, message)
		json_array_foreach (json_object_get(message, "content"), j,
				    part) {
			const char *type = json_text(part, "type");
			const char *its = json_text(part, "id");

			if (!strcmp(type, "tool_call") && id && its &&
			    !strcmp(id, its))
				return json_text(part, "name");
		}
	return NULL;
}

/* A result is a message of its own. */
static void
add_result(struct past *past, const json_t *part)
{
	const char *id = json_text(part, "id");
	const char *name = name_of_call(past, id);

	add_line(past,
		 json_pack("{s:s, s:s?, s:s, s:[o], s:b}", "role", "toolResult",
			   "toolCallId", id, "toolName", name ? name : "tool",
			   "content", text_block(json_object_get(part, "text")),
			   "isError", 0));
}

static void
add_user(struct past *past, const json_t *parts)
{
	json_t *content = json_array();
	const json_t *part;
	size_t i;

	json_array_foreach (parts, i, part) {
		const char *type = json_text(part, "type");

		if (!strcmp(type, "tool_result"))
			add_result(past, part);
		else if (!strcmp(type, "image"))
			json_array_append_new(content, image_block(part));
		else
			json_array_append_new(
				content,
				text_block(json_object_get(part, "text")));
	}
	if (json_array_size(content))
		add_line(past, json_pack("{s:s, s:O}", "role", "user",
					 "content", content));
	json_decref(content);
}

/* Which model has answered, and what that cost, is not known. */
static void
add_assistant(struct past *past, const json_t *parts)
{
	json_t *content = json_array();
	const char *stop = "stop";
	const json_t *part;
	size_t i;

	json_array_foreach (parts, i, part) {
		if (!strcmp(json_text(part, "type"), "tool_call")) {
			json_array_append_new(content, call_block(part));
			stop = "toolUse";
		} else {
			json_array_append_new(
				content,
				text_block(json_object_get(part, "text")));
		}
	}
	add_line(past,
		 json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:{s:i, s:i, s:i, "
			   "s:i, s:i, s:{s:i, s:i, s:i, s:i, s:i}}}",
			   "role", "assistant", "content", content, "api",
			   "unknown", "provider", "unknown", "model", "unknown",
			   "stopReason", stop, "usage", "input", 0, "output", 0,
			   "cacheRead", 0, "cacheWrite", 0, "totalTokens", 0,
			   "cost", "input", 0, "output", 0, "cacheRead", 0,
			   "cacheWrite", 0, "total", 0));
}

static void
write_session(struct past *past, const struct conversation *c)
{
	json_t *head = json_pack("{s:s, s:i, s:s, s:s, s:s}", "type", "session",
				 "version", 3, "id", c->cli_id, "timestamp",
				 past->now, "cwd", c->cwd);
	const json_t *message;
	size_t i;

	json_dumpf(head, past->file, JSON_COMPACT);
	fputc('\n', past->file);
	json_decref(head);
	json_array_foreach (past->messages, i, message) {
		const json_t *parts = json_object_get(message, "content");

		if (!strcmp(json_text(message, "role"), "assistant"))
			add_assistant(past, parts);
		else
			add_user(past, parts);
	}
}

/* NULL on failure. */
static FILE *
create(const char *path, struct error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (f)
		return f;
	fail_errno(e, "%s", path);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static bool
finish(FILE *f, const char *path, struct error *e)
{
	bool ok = !ferror(f);

	ok = fclose(f) == 0 && ok;
	return ok || fail_errno(e, "%s", path);
}

bool
pi_write_past(struct conversation *c, struct error *e)
{
	struct pi *p = c->own;
	struct past past = { .messages = c->history };
	time_t now = time(NULL);
	struct tm tm;

	strftime(past.now, sizeof past.now, "%Y-%m-%dT%H:%M:%S.000Z",
		 gmtime_r(&now, &tm));
	free(p->past);
	p->past = copy_format("%s/%s.jsonl", c->scratch, c->cli_id);
	past.file = create(p->past, e);
	if (!past.file)
		return false;
	write_session(&past, c);
	return finish(past.file, p->past, e);
}

bool
pi_write_instructions(struct conversation *c, struct error *e)
{
	struct pi *p = c->own;
	FILE *f;

	if (!p->instructions)
		p->instructions = copy_format("%s/%s.system.jsonl", c->scratch,
					      c->cli_id);
	f = create(p->instructions, e);
	if (!f)
		return false;
	if (c->system)
		fwrite(c->system, 1, c->system_len, f);
	return finish(f, p->instructions, e);
}

void
pi_remove_files(struct conversation *c)
{
	struct pi *p = c->own;

	if (p->past)
		(void)unlink(p->past);
	if (p->instructions)
		(void)unlink(p->instructions);
	free(p->past);
	free(p->instructions);
	p->past = p->instructions = NULL;
}
