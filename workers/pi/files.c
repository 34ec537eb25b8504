#include "workers/pi/pi.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "workers/io/json_line.h"

/*
 * pi keeps a session in a file of lines, and continues any such file.  So a
 * conversation that began elsewhere is written into one, message by message.
 * The executor removes files that were left behind by their ending, ".jsonl".
 */

/* The file that is being written; each line names the one before. */
struct past {
	FILE *file;
	unsigned lines;
	char now[32];
};

static bool
say_image(void *content, const json_t *part, struct error *e)
{
	json_array_append_new(content, pi_image(part));
	return true;
}

static bool
say_call(void *content, const json_t *part, struct error *e)
{
	json_array_append_new(
		content, json_pack("{s:s, s:O, s:O, s:o}", "type", "toolCall",
				   "id", json_object_get(part, "id"), "name",
				   json_object_get(part, "name"), "arguments",
				   part_input(part)));
	return true;
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
	json_line_write(past->file, line);
	json_decref(line);
}

/* A user's message, and what it has said since its last result. */
struct users {
	struct past *past;
	json_t *content;
};

static void
end_message(struct users *u)
{
	if (json_array_size(u->content))
		add_line(u->past, json_pack("{s:s, s:O}", "role", "user",
					    "content", u->content));
	json_decref(u->content);
	u->content = json_array();
}

static bool
say_users_text(void *to, const json_t *part, struct error *e)
{
	struct users *u = to;

	return part_append(u->content, part, e);
}

static bool
say_users_image(void *to, const json_t *part, struct error *e)
{
	struct users *u = to;

	return say_image(u->content, part, e);
}

/* A result is a message of its own. */
static bool
say_result(void *to, const json_t *part, struct error *e)
{
	static const struct part_handlers handlers = {
		.text = part_append,
		.image = say_image,
	};
	struct users *u = to;
	json_t *content = json_array();

	end_message(u);
	if (!parts_say(json_object_get(part, "content"), &handlers, content,
		       e)) {
		json_decref(content);
		return false;
	}
	add_line(u->past,
		 json_pack("{s:s, s:O, s:O, s:o, s:b}", "role", "toolResult",
			   "toolCallId", json_object_get(part, "id"),
			   "toolName", json_object_get(part, "name"), "content",
			   content, "isError",
			   json_object_get(part, "is_error") != NULL));
	return true;
}

static bool
add_user(struct past *past, const json_t *parts, struct error *e)
{
	static const struct part_handlers handlers = {
		.text = say_users_text,
		.image = say_users_image,
		.result = say_result,
	};
	struct users u = { .past = past, .content = json_array() };
	bool ok = parts_say(parts, &handlers, &u, e);

	end_message(&u);
	json_decref(u.content);
	return ok;
}

static bool
has_calls(const json_t *content)
{
	const json_t *block;
	size_t i;

	json_array_foreach (content, i, block)
		if (!strcmp(json_text(block, "type"), "toolCall"))
			return true;
	return false;
}

/* Which model has answered, and what that cost, is not known. */
static bool
add_assistant(struct past *past, const json_t *parts, struct error *e)
{
	static const struct part_handlers handlers = { .text = part_append,
						       .call = say_call };
	json_t *content = json_array();

	if (!parts_say(parts, &handlers, content, e)) {
		json_decref(content);
		return false;
	}
	add_line(past,
		 json_pack("{s:s, s:O, s:s, s:s, s:s, s:s, s:{s:i, s:i, s:i, "
			   "s:i, s:i, s:{s:i, s:i, s:i, s:i, s:i}}}",
			   "role", "assistant", "content", content, "api",
			   "unknown", "provider", "unknown", "model", "unknown",
			   "stopReason",
			   has_calls(content) ? "toolUse" : "stop", "usage",
			   "input", 0, "output", 0, "cacheRead", 0,
			   "cacheWrite", 0, "totalTokens", 0, "cost", "input",
			   0, "output", 0, "cacheRead", 0, "cacheWrite", 0,
			   "total", 0));
	json_decref(content);
	return true;
}

static bool
write_session(struct past *past, const struct conversation *c, struct error *e)
{
	json_t *head = json_pack("{s:s, s:i, s:s, s:s, s:s}", "type", "session",
				 "version", 3, "id", c->cli_id, "timestamp",
				 past->now, "cwd", c->cwd);
	const json_t *message;
	bool ok = true;
	size_t i;

	json_line_write(past->file, head);
	json_decref(head);
	json_array_foreach (c->history, i, message) {
		const json_t *parts = json_object_get(message, "content");

		if (!strcmp(json_text(message, "role"), "assistant"))
			ok = ok && add_assistant(past, parts, e);
		else
			ok = ok && add_user(past, parts, e);
	}
	return ok;
}

bool
pi_write_past(struct conversation *c, struct error *e)
{
	struct pi *p = c->own;
	struct past past = { 0 };
	auto_free char *text = NULL;
	size_t len = 0;
	time_t now = time(NULL);
	struct tm tm;
	bool ok;

	strftime(past.now, sizeof past.now, "%Y-%m-%dT%H:%M:%S.000Z",
		 gmtime_r(&now, &tm));
	free(p->past);
	p->past = copy_format("%s/%s.jsonl", c->scratch, c->cli_id);
	past.file = open_memstream(&text, &len);
	assert(past.file);
	ok = write_session(&past, c, e);
	(void)fclose(past.file);
	return ok && c->executor->write(c->executor, p->past,
					(struct str){ text, len }, e);
}

bool
pi_write_instructions(struct conversation *c, struct error *e)
{
	struct pi *p = c->own;

	if (!p->instructions)
		p->instructions = copy_format("%s/%s.system.jsonl", c->scratch,
					      c->cli_id);
	return c->executor->write(c->executor, p->instructions,
				  (struct str){ c->system, c->system_len }, e);
}

void
pi_remove_files(struct conversation *c)
{
	struct pi *p = c->own;

	if (p->past)
		c->executor->remove(c->executor, p->past);
	if (p->instructions)
		c->executor->remove(c->executor, p->instructions);
	if (p->instead)
		c->executor->remove(c->executor, p->instead);
	if (p->extension)
		c->executor->remove(c->executor, p->extension);
	free(p->past);
	free(p->instructions);
	free(p->instead);
	free(p->extension);
	p->past = p->instructions = p->instead = p->extension = NULL;
}
