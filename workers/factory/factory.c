#include "workers/factory/factory.h"

#include "workers/cli/transcript.h"

/* Our name as a client, and the title of our sessions: without a title droid
 * asks the model for one. */
#define OUR_NAME "cli-bridge"

struct factory *
factory_of(struct instance *inst)
{
	struct conversation *c = *(struct conversation **)inst->own;

	return c->own;
}

/* Only the presence of these files is checked. */
static bool
has_login(const struct factory *f, const struct words *env)
{
	static const char *const files[] = { "auth.v2.file", "auth.v2.keyring",
					     "auth.encrypted", "auth.json" };

	struct executor *x = f->conversation->executor;

	if (words_value(env, "FACTORY_API_KEY"))
		return true;
	for (size_t i = 0; f->home && i < sizeof files / sizeof *files; i++) {
		auto_free char *path =
			copy_format("%s/.factory/%s", f->home, files[i]);

		if (x->look(x, path, NULL))
			return true;
	}
	return false;
}

static void
dress(json_t *message, const char *type)
{
	json_t *id = json_object_get(message, "id");

	json_object_set_new(message, "factoryApiVersion",
			    json_string(FACTORY_API));
	json_object_set_new(message, "type", json_string(type));
	if (json_is_integer(id)) {
		char text[24];

		snprintf(text, sizeof text, "%jd",
			 (intmax_t)json_integer_value(id));
		json_object_set_new(message, "id", json_string(text));
	}
}

static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
{
	static const char *const always[] = { "exec", "--input-format",
					      "stream-jsonrpc",
					      "--output-format",
					      "stream-jsonrpc" };
	struct factory *f = c->own;

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		words_add(argv, always[i]);
	*(struct conversation **)c->instance->own = c;
	f->conversation = c;
	f->home = copy(str_of(words_value(env, "HOME")));
	f->has_login = has_login(f, env);
	f->rpc = (struct rpc){ .dress = dress,
			       .told = factory_told,
			       .asked = factory_asked };
	rpc_init(&f->rpc, c->instance);
	return factory_add_settings(c, env, e);
}

/* A conversation is opened */

static void
fail_to_open(struct conversation *c, const char *why)
{
	struct error e = { 0 };

	fail_with(&e, ERR_HARNESS, "factory: %s", why ? why : "no session");
	conversation_fail(c, &e);
}

/* Without a login the models that the vendor hosts are listed, too, and left
 * out here. */
static void
note_models(struct factory *f, const json_t *result)
{
	const json_t *all = json_object_get(result, "availableModels"), *model;
	size_t i;

	json_decref(f->models);
	f->models = json_object();
	json_array_foreach (all, i, model) {
		const char *id = json_text(model, "id");
		bool custom = json_is_true(json_object_get(model, "isCustom"));
		bool blind =
			json_is_true(json_object_get(model, "noImageSupport"));

		if (id && (custom || f->has_login))
			json_object_set_new(f->models, id,
					    json_boolean(!blind));
		if (id)
			factory_note_efforts(f, id, model);
	}
}

/* False: there is no model that droid could ask. */
static bool
tell_models(struct factory *f)
{
	json_t *ids;
	const char *id;
	json_t *sees;

	if (json_object_size(f->models) == 0)
		return f->has_login;
	ids = json_pack("[s]", "default");
	json_object_foreach (f->models, id, sees)
		json_array_append_new(ids, json_string(id));
	conversation_models(f->conversation, ids);
	return true;
}

static void
become_ready(struct factory *f)
{
	struct error e = { 0 };

	if (tell_models(f)) {
		conversation_ready(f->conversation);
		return;
	}
	fail_with(&e, ERR_LOGIN, "factory: not logged in: %s", factory.log_in);
	conversation_fail(f->conversation, &e);
}

static void
on_history_taken(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;

	if (error)
		fail_to_open(c, json_text(error, "message"));
	else
		factory_await_servers(c, become_ready);
}

/* All that it is told, in the place of what it says itself.  The caller
 * json_decref()s it. */
static json_t *
whole_system(const struct conversation *c)
{
	struct buf all = BUF_INIT(strlen(c->instead) + 2 + c->system_len);
	json_t *text;

	buf_put(&all, str_of(c->instead));
	if (c->system_len)
		buf_put(&all, STR("\n\n"));
	buf_put(&all, (struct str){ c->system, c->system_len });
	text = json_stringn(all.ptr, all.len);
	buf_fini(&all);
	return text;
}

/* Without a system prompt in the place of droid's, it is told as any other. */
static json_t *
system_as_text(const struct conversation *c)
{
	json_t *whole, *part;

	if (!c->instead)
		return transcript_system(c);
	whole = whole_system(c);
	part = json_pack("{s:s, s:s++}", "type", "text", "text", "<system>\n",
			 json_string_value(whole), "\n</system>\n\n");
	json_decref(whole);
	return part;
}

/* A session keeps the system prompt that it was begun with; a different one is
 * said as text. */
static void
check_system(struct factory *f, const json_t *settings)
{
	const struct conversation *c = f->conversation;
	const json_t *its = json_object_get(
		json_object_get(settings, "systemPrompt"), "append");
	struct str has = { json_string_value(its), json_string_length(its) };
	json_t *part;

	if (c->knows_system || (c->instead && !c->resumed))
		return;
	if (!c->instead &&
	    str_eq(has, (struct str){ c->system, c->system_len }))
		return;
	part = system_as_text(c);
	if (!part)
		return;
	if (!f->preface)
		f->preface = json_array();
	json_array_append_new(f->preface, part);
}

static void
on_opened(struct conversation *c, const json_t *result)
{
	struct factory *f = c->own;
	const json_t *settings = json_object_get(result, "settings");

	free(f->default_model);
	free(f->said_model);
	f->default_model = copy(str_of(json_text(settings, "modelId")));
	f->said_model = copy(str_of(f->default_model));
	note_models(f, result);
	factory_note_effort(f, settings);
	check_system(f, settings);
}

/* droid answers in the order of our messages: it has the whole history when it
 * has answered the last one. */
static void
on_begun(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct factory *f = c->own;
	json_t *messages = f->waiting;
	size_t i, n = json_array_size(messages);
	json_t *message;

	f->waiting = NULL;
	if (error) {
		fail_to_open(c, json_text(error, "message"));
	} else {
		on_opened(c, result);
		json_array_foreach (messages, i, message)
			rpc_ask(&f->rpc, "droid.add_user_message",
				json_incref(message),
				i + 1 == n ? on_history_taken : NULL, c);
		if (!n)
			factory_await_servers(c, become_ready);
	}
	json_decref(messages);
}

static void
on_loaded(void *whom, const json_t *result, const json_t *error)
{
	enum { NOT_FOUND = -32004 };
	struct conversation *c = whom;
	struct factory *f = c->own;

	if (error &&
	    json_integer_value(json_object_get(error, "code")) == NOT_FOUND) {
		conversation_lost(c);
	} else if (error) {
		fail_to_open(c, json_text(error, "message"));
	} else {
		on_opened(c, result);
		rpc_ask(&f->rpc, "droid.update_session_settings",
			json_pack("{s:s, s:o}", "autonomyLevel",
				  factory_autonomy(c), "restrictToolIds",
				  factory_tools(c)),
			NULL, c);
		factory_await_servers(c, become_ready);
	}
}

/* droid has no format for calls and results in a history. */
static bool
has_tools(const json_t *messages)
{
	const json_t *message, *part;
	size_t i, k;

	json_array_foreach (messages, i, message)
		json_array_foreach (json_object_get(message, "content"), k,
				    part)
			if (!strncmp(json_text(part, "type"), "tool", 4))
				return true;
	return false;
}

static json_t *
old_message(const json_t *message, json_t *blocks)
{
	json_t *old = json_pack("{s:s}", "text", "");

	factory_set_content(old, blocks);
	json_object_set_new(old, "role",
			    json_string(json_text(message, "role")));
	json_object_set_new(old, "skipAgentLoop", json_true());
	return old;
}

/* The history is passed on message by message if droid knows all parts in it,
 * and otherwise as text. */
static bool
prepare_history(struct factory *f, struct error *e)
{
	const json_t *messages = f->conversation->history, *message;
	size_t i;

	f->waiting = json_array();
	if (has_tools(messages)) {
		f->preface = transcript_history(f->conversation);
		return true;
	}
	json_array_foreach (messages, i, message) {
		const json_t *content = json_object_get(message, "content");
		json_t *blocks = json_array();
		bool ok = factory_blocks(blocks, content, e);

		if (ok && json_array_size(blocks))
			json_array_append_new(f->waiting,
					      old_message(message, blocks));
		json_decref(blocks);
		if (!ok)
			return false;
	}
	return true;
}

static void
begin(struct conversation *c)
{
	struct factory *f = c->own;
	json_t *params = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o}", "machineId",
		OUR_NAME, "cwd", c->cwd, "sessionId", c->cli_id, "title",
		OUR_NAME, "interactionMode", "auto", "autonomyLevel",
		factory_autonomy(c), "autoRejectPermissionRequests",
		!factory_allows(c), "restrictToolIds", factory_tools(c));
	struct error e = { 0 };

	if (c->instead)
		json_object_set_new(params, "systemPrompt", whole_system(c));
	else if (c->system)
		json_object_set_new(
			params, "systemPrompt",
			json_pack("{s:s, s:s, s:o}", "type", "preset", "preset",
				  "droid", "append",
				  json_stringn(c->system, c->system_len)));
	if (!prepare_history(f, &e)) {
		json_decref(params);
		conversation_fail(c, &e);
		return;
	}
	factory_add_servers(c, params);
	rpc_ask(&f->rpc, "droid.initialize_session", params, on_begun, c);
}

static void
handshake(struct conversation *c)
{
	struct factory *f = c->own;
	json_t *params;

	if (!c->resumed) {
		begin(c);
		return;
	}
	params = json_pack("{s:s, s:i, s:b}", "sessionId", c->cli_id,
			   "messageLimit", 1, "autoRejectPermissionRequests",
			   !factory_allows(c));
	factory_add_servers(c, params);
	rpc_ask(&f->rpc, "droid.load_session", params, on_loaded, c);
}

/* A line with half a surrogate pair is no valid JSON, and rpc.c would pass it
 * over: its text would be missing from the answer. */
static bool
is_damaged(struct str line)
{
	json_t *message;

	if (!line.len || !memmem(line.ptr, line.len, "\\ud", 3))
		return false;
	message = json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, NULL);
	json_decref(message);
	return !message;
}

static bool
line(struct conversation *c, struct str said, struct error *e)
{
	struct factory *f = c->own;

	if (is_damaged(said))
		return fail_with(
			e, ERR_HARNESS,
			"factory: it wrote a line that is not valid JSON");
	rpc_line(&f->rpc, said);
	return true;
}

/* droid keeps every session in <id>.jsonl and a file of settings, in a
 * directory that is named after the working directory. */
static void
forget_session(const struct factory *f)
{
	struct executor *x = f->conversation->executor;
	struct words found = { 0 };

	x->match(x, f->home, ".factory/sessions/*/%s.*",
		 f->conversation->cli_id, &found);
	for (size_t i = 0; i < found.len; i++)
		x->remove(x, found.ptr[i]);
	words_fini(&found);
}

static void
clear(struct conversation *c)
{
	struct factory *f = c->own;

	rpc_fini(&f->rpc);
	if (!c->kept && f->home)
		forget_session(f);
	free(f->home);
	free(f->default_model);
	free(f->said_model);
	json_decref(f->models);
	json_decref(f->efforts);
	free(f->effort);
	free(f->usual_effort);
	json_decref(f->preface);
	json_decref(f->waiting);
	json_decref(f->client_calls);
	json_decref(f->kept);
	factory_drop_settings(c);
	memset(f, 0, sizeof *f);
}

/* No updates and no telemetry. */
static const char *const environment[] = {
	"FACTORY_DROID_AUTO_UPDATE_ENABLED=false",
	"FACTORY_OTEL_ENABLED=false",
	NULL,
};

/* The highest risk, as droid judges it, of what it does without asking.  What
 * it asks for nevertheless is allowed at the highest level only; a refusal ends
 * the turn. */
static const char *const permission_modes[] = { "high", "medium", "low", "off",
						NULL };

static const char *const version[] = { "--version", NULL };
static const char *const models[] = { "default", NULL };

enum { MAX_SHOWN = 39000 /* of 40000, with words of droid's own */ };

/*
 * The list of models shows whether droid can work: for the user's own models
 * (customModels in ~/.factory/settings.json) it needs no login.  droid has no
 * option to leave out AGENTS.md, skills, hooks and MCP servers.
 */
const struct harness factory = {
	.tested = "0.225.2",
	.can = FACTORY_CAN,
	.takes = &profile_takes[FACTORY_TAKES],
	.efforts = ANY_EFFORT,
	.own = sizeof(struct factory),
	.instance_own = sizeof(struct conversation *),
	.environment = environment,
	.permission_modes = permission_modes,
	.loads = LOADS_EVERYTHING,
	.version = version,
	.log_in = "run droid and type /login, set "
		  "FACTORY_ENV_FACTORY_API_KEY, or name customModels in "
		  "~/.factory/settings.json",
	.command = command,
	.handshake = handshake,
	.say = factory_say,
	.park = factory_park,
	.max_result = MAX_SHOWN,
	.answer = factory_answer,
	.binds = BINDS_TOOLS | BINDS_OWN_TOOLS,
	.tools_by_mcp = true,
	.interrupt = factory_interrupt,
	.line = line,
	.clear = clear,
	.models = models,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &factory;
}
