#include "workers/factory/factory.h"

#include <stdio.h>

#include "workers/cli/file.h"
#include "workers/cli/transcript.h"

/*
 * Messages go into "content", and "text" stays empty: droid looks for @files
 * and for names of skills in "text" only.
 */

static bool
shows(const char *media_type)
{
	static const char *const known[] = { "image/jpeg", "image/png",
					     "image/gif", "image/webp" };

	for (size_t i = 0; media_type && i < sizeof known / sizeof *known; i++)
		if (!strcmp(media_type, known[i]))
			return true;
	return false;
}

static bool
say_image(void *blocks, const json_t *part, struct error *e)
{
	const char *type = json_text(part, "media_type");

	if (!shows(type))
		return fail_with(e, ERR_UNSUPPORTED,
				 "factory: an image must be of the type JPEG, "
				 "PNG, GIF or WebP");
	json_array_append_new(
		blocks, json_pack("{s:s, s:{s:s, s:s, s:O}}", "type", "image",
				  "source", "type", "base64", "mediaType", type,
				  "data", json_object_get(part, "data")));
	return true;
}

/* As a block for now: see factory_set_content(). */
static bool
say_file(void *blocks, const json_t *part, struct error *e)
{
	json_array_append_new(blocks,
			      json_pack("{s:s, s:{s:s, s:O, s:O, s:O*}}",
					"type", "document", "source", "type",
					"base64", "mediaType",
					json_object_get(part, "media_type"),
					"data", json_object_get(part, "data"),
					"name", json_object_get(part, "name")));
	return true;
}

bool
factory_blocks(json_t *blocks, const json_t *parts, struct error *e)
{
	static const struct part_handlers handlers = { .text = part_append,
						       .image = say_image,
						       .file = say_file };

	return parts_say(parts, &handlers, blocks, e);
}

/*
 * Documents are not among the blocks of a message but have a list of their own.
 * Each leaves its name where it stood.
 */
void
factory_set_content(json_t *message, const json_t *blocks)
{
	json_t *content = json_array(), *files = json_array(), *block;
	size_t i;

	json_array_foreach ((json_t *)blocks, i, block) {
		json_t *source = json_object_get(block, "source");
		const char *name = json_text(source, "name");
		json_t *mark;

		if (strcmp(json_text(block, "type"), "document") != 0) {
			json_array_append(content, block);
			continue;
		}
		json_array_append(files, source);
		mark = file_text(str_of(name ? name : "document.pdf"),
				 STR("It is attached to this message."));
		json_array_append_new(content, mark);
	}
	json_object_set_new(message, "content", content);
	if (json_array_size(files))
		json_object_set(message, "files", files);
	json_decref(files);
}

static bool
has_images(const json_t *blocks)
{
	const json_t *block;
	size_t i;

	json_array_foreach (blocks, i, block)
		if (!strcmp(json_text(block, "type"), "image"))
			return true;
	return false;
}

/* NULL on failure. */
static json_t *
blocks_of(const struct conversation *c, struct error *e)
{
	const struct factory *f = c->own;
	json_t *blocks = json_array(), *question = transcript_question(c);
	bool ok = factory_blocks(blocks, f->preface, e) &&
		  factory_blocks(blocks, question, e);

	json_decref(question);
	if (ok)
		return blocks;
	json_decref(blocks);
	return NULL;
}

/* "droid" stands for the default, for callers who do not know its models. */
static const char *
wanted_model(const struct conversation *c)
{
	const struct factory *f = c->own;

	if (c->model && strcmp(c->model, "droid") != 0)
		return c->model;
	return f->default_model;
}

/*
 * droid takes any name for a model and fails later, and it drops images that
 * the model cannot see without a word.
 */
static bool
check_model(const struct factory *f, const char *model, const json_t *blocks,
	    struct error *e)
{
	const json_t *sees = model ? json_object_get(f->models, model) : NULL;

	if (model && !sees && json_object_size(f->models))
		return fail_with(e, ERR_NO_MODEL,
				 "factory: there is no model %s", model);
	if (json_is_false(sees) && has_images(blocks))
		return fail_with(e, ERR_UNSUPPORTED,
				 "factory: %s can't see images", model);
	return true;
}

static void
on_taken(void *whom, const json_t *result, const json_t *error)
{
	struct error why = { 0 };

	if (!error)
		return;
	fail_with(&why, ERR_HARNESS, "factory: %s",
		  json_text(error, "message"));
	conversation_fail(whom, &why);
}

/* Takes `blocks`.  The message gets an id of ours, by which its turn is known.
 */
static void
send(struct conversation *c, json_t *blocks)
{
	struct factory *f = c->own;
	auto_free char *id = new_uuid();
	json_t *message;

	snprintf(f->turn, sizeof f->turn, "%s", id);
	message = json_pack("{s:s, s:s}", "messageId", f->turn, "text", "");
	factory_set_content(message, blocks);
	json_decref(blocks);
	rpc_ask(&f->rpc, "droid.add_user_message", message, on_taken, c);
}

static void
on_model_set(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct factory *f = c->own;
	json_t *blocks = f->waiting;
	struct error why = { 0 };

	f->waiting = NULL;
	if (!blocks)
		return;
	if (!error) {
		send(c, blocks);
		return;
	}
	json_decref(blocks);
	free(f->said_model);
	free(f->effort);
	f->said_model = f->effort = NULL;
	fail_with(&why, ERR_NO_MODEL, "factory: %s",
		  json_text(error, "message"));
	conversation_fail(c, &why);
}

static void
begin_turn(struct factory *f)
{
	f->paragraphs = (struct paragraphs){ 0 };
	f->has_said = false;
	f->why = (struct error){ 0 };
	f->words[0] = f->turn[0] = f->model[0] = '\0';
	f->is_parked = false;
	json_decref(f->client_calls);
	json_decref(f->kept);
	f->client_calls = f->kept = NULL;
}

/* Takes `blocks`. */
static void
say_with_model(struct conversation *c, const char *model, json_t *blocks)
{
	struct factory *f = c->own;

	bool is_same =
		!model || (f->said_model && !strcmp(model, f->said_model));
	const char *effort;

	begin_turn(f);
	if (!is_same && f->asked_effort) { /* another model has another */
		free(f->effort);
		f->effort = NULL;
	}
	effort = factory_take_effort(f);
	if (is_same && !effort) {
		send(c, blocks);
		return;
	}
	if (!is_same) {
		free(f->said_model);
		f->said_model = copy(str_of(model));
	}
	json_decref(f->waiting);
	f->waiting = blocks;
	rpc_ask(&f->rpc, "droid.update_session_settings",
		json_pack("{s:s*, s:s*}", "modelId", is_same ? NULL : model,
			  "reasoningEffort", effort),
		on_model_set, c);
}

void
factory_say(struct conversation *c)
{
	struct error e = { 0 };
	json_t *blocks = blocks_of(c, &e);
	const char *model = wanted_model(c);

	if (blocks && check_model(c->own, model, blocks, &e) &&
	    factory_choose_effort(c, model, &e)) {
		say_with_model(c, model, blocks);
		return;
	}
	json_decref(blocks);
	conversation_fail(c, &e);
}

/* A message that was not sent yet is dropped.  Which model the session has then
 * is not known. */
void
factory_interrupt(struct conversation *c)
{
	struct factory *f = c->own;
	struct error e = { 0 };

	if (!f->waiting) {
		rpc_ask(&f->rpc, "droid.interrupt_session", json_object(), NULL,
			c);
		return;
	}
	rpc_forget(&f->rpc, c);
	json_decref(f->waiting);
	f->waiting = NULL;
	free(f->said_model);
	free(f->effort);
	f->said_model = f->effort = NULL;
	fail_with(&e, ERR_CANCELLED, "cancelled");
	conversation_fail(c, &e);
}
