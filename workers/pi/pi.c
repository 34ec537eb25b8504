#include "workers/pi/pi.h"

#include <stdio.h>
#include <unistd.h>

#include "workers/cli/transcript.h"

static bool
is_safe(const struct conversation *c)
{
	return c->options.mode == MODE_SAFE;
}

/* Empty arguments keep pi from its SYSTEM.md and APPEND_SYSTEM.md as well.  In
 * the mode hosted-safe no extension's program may run. */
static void
add_isolation(const struct conversation *c, struct words *argv)
{
	static const char *const nothing[] = {
		"--no-context-files",	 "--no-extensions", "--no-skills",
		"--no-prompt-templates", "--no-themes",	    "--no-approve",
	};

	if (c->instance->loads != LOADS_NOTHING && !is_safe(c))
		return;
	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
		words_add(argv, nothing[i]);
	if (c->instead)
		return; /* it is named by our profile */
	words_add(argv, "--system-prompt");
	words_add(argv, "");
}

/* Our file replaces the one that pi would look for. */
static void
add_own_instructions(const struct conversation *c, struct words *argv,
		     const struct words *env)
{
	const char *home = words_value(env, "HOME");
	const char *directory = words_value(env, "PI_CODING_AGENT_DIR");
	auto_free char *path =
		directory ? copy_format("%s/APPEND_SYSTEM.md", directory)
		: home	  ? copy_format("%s/.pi/agent/APPEND_SYSTEM.md", home)
			  : NULL;

	if (c->instance->loads == LOADS_NOTHING || is_safe(c) || !path ||
	    !c->executor->look(c->executor, path, NULL))
		return;
	words_add(argv, "--append-system-prompt");
	words_add(argv, path);
}

/*
 * A history is a session file, which pi forks.  A conversation that is not kept
 * goes on in that file, and we remove it.
 */
static void
add_session(const struct conversation *c, struct words *argv)
{
	const struct pi *p = c->own;

	if (p->past) {
		words_add(argv, c->kept ? "--fork" : "--session");
		words_add(argv, p->past);
	}
	if (c->kept) {
		words_add(argv, "--session-id");
		words_add(argv, c->cli_id);
	} else if (!p->past) {
		words_add(argv, "--no-session");
	}
}

/* The file is made even if there is no system prompt yet: a spare gets one
 * later, and then reads the file again. */
static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
{
	struct pi *p = c->own;

	if ((c->history && !pi_write_past(c, e)) ||
	    !pi_write_instructions(c, e))
		return false;
	p->knows_system = c->system != NULL;
	words_add(argv, "--mode");
	words_add(argv, "rpc");
	add_session(c, argv);
	add_isolation(c, argv);
	if (!pi_add_tools(c, argv, e) || !pi_add_profile(c, argv, e))
		return false;
	add_own_instructions(c, argv, env);
	words_add(argv, "--append-system-prompt");
	words_add(argv, p->instructions);
	return true;
}

/* Sends a command.  Takes `command`, or NULL.  The response has the same id,
 * which says what it answers. */
void
pi_ask(struct conversation *c, const char *type, json_t *command)
{
	if (!command)
		command = json_object();
	json_object_set_new(command, "id", json_string(type));
	json_object_set_new(command, "type", json_string(type));
	conversation_write_json(c, command);
}

static void
handshake(struct conversation *c)
{
	struct pi *p = c->own;
	struct error e = { 0 };

	if (!c->system || p->knows_system)
		pi_ask(c, "get_state", NULL);
	else if (pi_write_instructions(c, &e))
		pi_ask(c, "new_session", NULL);
	else
		conversation_fail(c, &e);
}

json_t *
pi_image(const json_t *part)
{
	return json_pack("{s:s, s:O, s:O}", "type", "image", "data",
			 json_object_get(part, "data"), "mimeType",
			 json_object_get(part, "media_type"));
}

/* Text and images go into different fields. */
struct said {
	struct buf text;
	json_t *images;
};

static bool
say_text(void *to, const json_t *part, struct error *e)
{
	struct said *s = to;

	return (!s->text.len || buf_add(&s->text, STR("\n\n"), e)) &&
	       buf_add(&s->text, json_str(part, "text"), e);
}

static bool
say_image(void *to, const json_t *part, struct error *e)
{
	struct said *s = to;

	json_array_append_new(s->images, pi_image(part));
	return true;
}

/* A "/" at the beginning would be a command, a template or a skill; a space
 * before it prevents that. */
static json_t *
message_of(const struct buf *text)
{
	struct str s = buf_str(text);
	struct buf spaced = BUF_INIT(MAX_LINE);
	struct error e = { 0 };
	json_t *message;

	if (!str_starts(s, STR("/")))
		return json_stringn(s.ptr, s.len);
	buf_print(&spaced, " ");
	message = buf_add(&spaced, s, &e) ? json_stringn(spaced.ptr, spaced.len)
					  : NULL;
	buf_fini(&spaced);
	return message;
}

/* NULL on failure. */
static json_t *
prompt_of(const struct conversation *c, struct error *e)
{
	static const struct part_handlers handlers = { .text = say_text,
						       .image = say_image };
	struct said s = { .text = BUF_INIT(MAX_LINE), .images = json_array() };
	json_t *question = transcript_question(c), *prompt = NULL;

	if (parts_say(question, &handlers, &s, e))
		prompt = json_pack("{s:o, s:O}", "message", message_of(&s.text),
				   "images", s.images);
	buf_fini(&s.text);
	json_decref(s.images);
	json_decref(question);
	return prompt;
}

void
pi_drop_prompt(struct conversation *c)
{
	struct pi *p = c->own;

	json_decref(p->prompt);
	p->prompt = NULL;
}

void
pi_send_prompt(struct conversation *c)
{
	struct pi *p = c->own;

	p->is_busy = true;
	pi_set_effort(c);
	pi_ask(c, "prompt", p->prompt);
	p->prompt = NULL;
}

static const char *
wanted_model(const struct conversation *c)
{
	const struct pi *p = c->own;

	return c->model ? c->model : p->default_model;
}

/* `model` is "provider/model", and may have further slashes.  Without a
 * provider it is one of the default provider's. */
static void
ask_for_model(struct conversation *c, const char *model)
{
	struct pi *p = c->own;
	struct str rest, provider = str_cut(str_of(model), '/', &rest);

	if (!rest.ptr) {
		rest = provider;
		provider = str_cut(
			str_of(p->default_model ? p->default_model : ""), '/',
			&(struct str){ 0 });
	}
	p->asking++;
	pi_ask(c, "set_model",
	       json_pack("{s:s%, s:s%}", "provider", provider.ptr, provider.len,
			 "modelId", rest.ptr, rest.len));
}

static void
choose_model(struct conversation *c, const char *model)
{
	struct pi *p = c->own;

	free(p->asked_model);
	p->asked_model = copy(str_of(model));
	ask_for_model(c, model);
}

/* False while another model is being set, for a turn that was cancelled. */
static bool
has_model(const struct pi *p, const char *model)
{
	return !p->asking && p->said_model && !strcmp(model, p->said_model);
}

/* pi drops images that the model cannot see without a word. */
static bool
check_images(const struct pi *p, const char *model, struct error *e)
{
	const json_t *images = json_object_get(p->prompt, "images");

	if (!model || json_array_size(images) == 0 ||
	    !json_is_false(json_object_get(p->models, model)))
		return true;
	return fail_with(e, ERR_UNSUPPORTED, "pi: %s can't see images", model);
}

static void
begin_turn(struct pi *p)
{
	json_decref(p->results);
	p->results = NULL;
	p->paragraphs = (struct paragraphs){ 0 };
	p->has_said = p->is_busy = false;
	p->usage = (struct usage){ 0 };
	p->stop[0] = p->words[0] = p->model[0] = '\0';
	p->why = (struct error){ 0 };
	p->is_continued = p->is_stopped = false;
}

static void
say(struct conversation *c)
{
	struct pi *p = c->own;
	struct error e = { 0 };
	const char *model = wanted_model(c);

	pi_drop_prompt(c);
	begin_turn(p);
	p->prompt = prompt_of(c, &e);
	if (p->prompt &&
	    (!check_images(p, model, &e) || !pi_choose_effort(c, model, &e)))
		pi_drop_prompt(c);
	if (!p->prompt) {
		conversation_fail(c, &e);
	} else if (!model || has_model(p, model)) {
		pi_send_prompt(c);
	} else {
		choose_model(c, model);
	}
}

/* What the user says beside the results has to be in pi's queue before the last
 * of them: the model hears it with them. */
void
pi_go_on(struct conversation *c)
{
	struct pi *p = c->own;

	if (p->is_stopped || p->asked_model)
		return;
	if (p->prompt) {
		pi_ask(c, "steer", p->prompt);
		p->prompt = NULL;
	} else {
		pi_give_results(c);
	}
}

static bool
choose_terms(struct conversation *c, struct error *e)
{
	struct pi *p = c->own;
	const char *model = wanted_model(c);
	enum effort before = p->asked_effort;

	if (!check_images(p, model, e) || !pi_choose_effort(c, model, e))
		return false;
	if (p->asked_effort != before) {
		pi_reset_effort(c);
		pi_set_effort(c);
	}
	if (model && !has_model(p, model))
		choose_model(c, model);
	return true;
}

/* The model waits: what is wrong with the request ends the conversation. */
static void
answer(struct conversation *c)
{
	struct pi *p = c->own;
	struct error e = { 0 };
	bool ok = true;

	pi_drop_prompt(c);
	begin_turn(p);
	p->is_busy = p->is_continued = true;
	if (json_array_size(c->messages)) {
		p->prompt = prompt_of(c, &e);
		ok = p->prompt != NULL;
	}
	if (!ok || !choose_terms(c, &e)) {
		conversation_abort(c, &e);
		return;
	}
	p->results = json_incref((json_t *)c->results);
	pi_go_on(c);
}

/* A prompt that was not sent yet is dropped. */
static void
interrupt(struct conversation *c)
{
	struct pi *p = c->own;
	struct error e = { 0 };

	p->is_stopped = true;
	if (!p->prompt || p->is_busy) {
		pi_ask(c, "abort", NULL);
		return;
	}
	pi_drop_prompt(c);
	fail_with(&e, ERR_CANCELLED, "cancelled");
	conversation_fail(c, &e);
}

static void
clear(struct conversation *c)
{
	struct pi *p = c->own;

	pi_drop_prompt(c);
	pi_remove_files(c);
	json_decref(p->models);
	json_decref(p->efforts);
	json_decref(p->calls);
	json_decref(p->results);
	free(p->tools_state);
	free(p->usual_level);
	free(p->default_model);
	free(p->said_model);
	free(p->asked_model);
	memset(p, 0, sizeof *p);
}

static const char *const may_see[] = { "PI_CODING_AGENT_DIR",
				       "PI_CODING_AGENT_SESSION_DIR", NULL };

/* The number of retries is in the user's settings only, and pi's command for it
 * would change those for good: see on_retry(). */
static const char *const environment[] = { "PI_OFFLINE=1", "PI_TELEMETRY=0",
					   NULL };

/* pi never asks for permission: it is given the tools that it may use. */
static const char *const permission_modes[] = { "all-tools", "read-only",
						"no-tools", NULL };

static const char *const version[] = { "--version", NULL };
static const char *const models[] = { "default", NULL };

/* The list of models shows whether pi is logged in: it makes an empty auth.json
 * at its first start. */
const struct harness pi = {
	.tested = "0.87.1",
	.can = PI_CAN,
	.takes = &profile_takes[PI_TAKES],
	.efforts = ANY_EFFORT,
	.binds = BINDS_TOOLS | BINDS_OWN_TOOLS,
	.own = sizeof(struct pi),
	.may_see = may_see,
	.environment = environment,
	.permission_modes = permission_modes,
	.loads = LOADS_NOTHING | LOADS_EVERYTHING,
	.version = version,
	.log_in = "run pi and type /login, or set a provider's key, such as "
		  "PI_ENV_ANTHROPIC_API_KEY",
	.command = command,
	.handshake = handshake,
	.say = say,
	.answer = answer,
	.interrupt = interrupt,
	.line = pi_line,
	.clear = clear,
	.ended = pi_ended,
	.models = models,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &pi;
}
