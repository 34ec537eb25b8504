#include "workers/acp/acp.h"

#include "proto/settings.h"
#include "proto/variables.h"

enum {
	PROTOCOL = 1,	     /* its version */
	MAX_SESSIONS = 1000, /* of one process; <NAME>_SHARES is less */
};

json_t *
acp_params(const struct conversation *c, const char *key, json_t *value)
{
	json_t *params = json_pack("{s:s}", "sessionId", c->cli_id);

	if (value)
		json_object_set_new(params, key, value);
	return params;
}

/* The process */

static void
add_words(struct words *to, const char *list)
{
	struct str word, rest = str_trim(str_of(list ? list : ""));

	while (rest.len) {
		size_t n = 0;

		while (n < rest.len && !strchr(" \t\r\n", rest.ptr[n]))
			n++;
		word = (struct str){ rest.ptr, n };
		rest = str_trim(str_from(rest, n));
		words_print(to, STR_FMT, STR_ARG(word));
	}
}

/* The user's settings and the operator's override these. */
static bool
add_defaults(const struct instance *inst, const struct acp_kind *kind,
	     struct words *env, struct error *e)
{
	const struct options *o = &inst->options;
	const char *what = "defaults", *text = kind->defaults;
	auto_free char *path = NULL;

	if (kind->alone_defaults && options_replace_tools(o)) {
		what = "alone";
		text = kind->alone_defaults;
	} else if (kind->server_defaults && (o->servers || o->tools)) {
		what = "with-servers";
		text = kind->server_defaults;
	}
	if (!text || words_value(env, kind->defaults_variable))
		return true;
	path = copy_format("%s/%s-%s.json", inst->scratch, kind->name, what);
	if (!inst->executor->write(inst->executor, path, str_of(text), e))
		return false;
	words_print(env, "%s=%s", kind->defaults_variable, path);
	return true;
}

static char *
records_of(const struct acp_kind *kind, const struct words *env)
{
	const char *own, *home;

	if (!kind->records)
		return NULL;
	own = words_value(env, kind->records_variable);
	if (own && *own)
		return copy(str_of(own));
	home = words_value(env, "HOME");
	return home ? copy_format("%s/%s", home, kind->records) : NULL;
}

static bool
instance_command(struct instance *inst, struct words *argv, struct words *env,
		 struct error *e)
{
	struct acp_agent *agent = inst->own;

	agent->kind = acp_kind_of(inst->name, e);
	if (!agent->kind)
		return false;
	add_words(argv, agent->kind->arguments);
	if (inst->options.mode == MODE_SAFE) {
		if (!acp_safe_add(inst, agent->kind, argv, env, e))
			return false;
	} else if (inst->loads == LOADS_NOTHING) {
		add_words(argv, agent->kind->bare);
	}
	if (options_replace_tools(&inst->options) &&
	    !acp_alone_add(inst, agent->kind, argv, env, e))
		return false;
	agent->records = records_of(agent->kind, env);
	return add_defaults(inst, agent->kind, env, e) &&
	       acp_add_options(inst, env, e) &&
	       acp_add_effort(inst, agent->kind, argv, env, e);
}

static bool
has(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_true(value) || json_is_object(value);
}

static void
on_initialized(void *whom, const json_t *result, const json_t *error)
{
	struct instance *inst = whom;
	struct acp_agent *agent = inst->own;
	const json_t *can = json_object_get(result, "agentCapabilities");
	const json_t *sessions = json_object_get(can, "sessionCapabilities");
	const json_t *mcp = json_object_get(can, "mcpCapabilities");
	const json_t *version = json_object_get(result, "protocolVersion");
	struct error e = { 0 };

	if (!result) {
		fail_with(&e, ERR_HARNESS, "%s refused the handshake: %s",
			  inst->name, json_text(error, "message"));
		instance_fail(inst, &e);
		return;
	}
	if (json_integer_value(version) != PROTOCOL)
		instance_unknown(inst, "version of the protocol",
				 "other than 1");
	agent->loads = has(can, "loadSession");
	agent->resumes = has(sessions, "resume");
	agent->closes = agent->kind->closes_by || has(sessions, "close");
	agent->deletes = has(sessions, "delete");
	agent->takes_http = has(mcp, "http");
	agent->takes_sse = has(mcp, "sse");
	agent->sees_images =
		has(json_object_get(can, "promptCapabilities"), "image");
	agent->takes_files = has(json_object_get(can, "promptCapabilities"),
				 "embeddedContext");
	instance_ready(inst);
}

/*
 * Notifications and requests of the agent's.
 *
 * Qwen asks whether it may begin a turn of its own, or tells that it has, and
 * tells when it is over.  If it may not it asks again, after some seconds or
 * after our next turn.
 */
#define START_TURN "_qwencode/start_turn"
#define END_TURN "_qwencode/end_turn"

static void
told(struct instance *inst, const char *method, const json_t *params)
{
	struct conversation *c =
		instance_conversation(inst, json_text(params, "sessionId"));

	if (!strcmp(method, "session/update")) {
		if (c)
			acp_on_update(c, json_object_get(params, "update"));
		return;
	}
	if (c && !strcmp(method, START_TURN))
		acp_begin_alone(c);
	else if (c && !strcmp(method, END_TURN))
		acp_end_alone(c);
	/* methods that an agent may add without declaring them */
	if (*method != '_' && !strstr(method, "/notify/"))
		instance_unknown(inst, "notification", method);
}

static void
asked(struct instance *inst, const json_t *id, const char *method,
      const json_t *params)
{
	struct acp_agent *agent = inst->own;
	struct conversation *c =
		instance_conversation(inst, json_text(params, "sessionId"));
	bool may;

	if (!strcmp(method, "session/request_permission")) {
		if (c)
			acp_on_permission(c, params);
		rpc_answer(&agent->rpc, id, acp_decide(c, params));
		return;
	}
	if (!strcmp(method, START_TURN)) {
		may = acp_may_begin_alone(c);
		rpc_answer(&agent->rpc, id,
			   json_pack("{s:b}", "accepted", may));
		if (may)
			acp_begin_alone(c);
		return;
	}
	if (strcmp(method, "craft/drainMidTurnQueue"))
		instance_unknown(inst, "request", method);
	rpc_refuse(&agent->rpc, id, ACP_NO_METHOD,
		   "not supported by this client");
}

static void
instance_handshake(struct instance *inst)
{
	struct acp_agent *agent = inst->own;

	agent->rpc.told = told;
	agent->rpc.asked = asked;
	rpc_init(&agent->rpc, inst);
	list_init(&agent->waiting);
	agent->leaving = json_array();
	rpc_ask(&agent->rpc, "initialize",
		json_pack("{s:i, s:{s:{s:b, s:b}, s:b}, s:{s:s, s:s}}",
			  "protocolVersion", PROTOCOL, "clientCapabilities",
			  "fs", "readTextFile", 0, "writeTextFile", 0,
			  "terminal", 0, "clientInfo", "name", "cli-bridge",
			  "version", VERSION),
		on_initialized, inst);
}

/*
 * A line with half a surrogate pair, as JavaScript writes it, is no valid JSON.
 * Its text is missing from an answer, unless it only has a title that was cut.
 */
static bool
is_damaged(struct str line)
{
	json_t *read;

	if (!memmem(line.ptr, line.len, "_chunk", 6))
		return false;
	if (!line.len || line.ptr[0] != '{' ||
	    !memmem(line.ptr, line.len, "\\ud", 3))
		return false;
	read = json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, NULL);
	json_decref(read);
	return !read;
}

/* The session's id is looked for in the bytes: the line cannot be parsed. */
static struct conversation *
conversation_in(struct instance *inst, struct str line)
{
	static const char key[] = "\"sessionId\":\"";
	const char *at = memmem(line.ptr, line.len, key, sizeof key - 1);
	struct str rest, id;
	auto_free char *name = NULL;

	if (!at)
		return NULL;
	rest = str_from(line, (size_t)(at - line.ptr) + sizeof key - 1);
	id = str_cut(rest, '"', &rest);
	name = copy(id);
	return instance_conversation(inst, name);
}

/* An agent that opens a session again repeats what was said in it, which is
 * passed over. */
static bool
is_asked(const struct conversation *c)
{
	return c && ((const struct acp *)c->own)->is_asked;
}

static bool
instance_line(struct instance *inst, struct str line, struct error *e)
{
	struct acp_agent *agent = inst->own;
	struct conversation *c =
		is_damaged(line) ? conversation_in(inst, line) : NULL;
	struct error why = { 0 };

	if (is_asked(c)) {
		fail_with(&why, ERR_HARNESS,
			  "%s: it wrote a line that is not valid JSON",
			  inst->name);
		conversation_abort(c, &why);
		return true;
	}
	rpc_line(&agent->rpc, line);
	return true;
}

static void
instance_clear(struct instance *inst)
{
	struct acp_agent *agent = inst->own;

	rpc_fini(&agent->rpc);
	acp_drop_sessions(agent);
	acp_remove_options(inst);
	free(agent->records);
	agent->records = NULL;
}

/* The harness is made from the row of the agent. */

/* The harness of this worker, which harness_of() makes. */
static struct {
	struct words may_see, environment, modes, models;
	bool names_models; /* the operator has named them */
	struct harness harness;
} made;

static const char *const *
list_of(struct words *list, const char *text)
{
	words_fini(list);
	add_words(list, text);
	return (const char *const *)list->ptr;
}

/* The names in <prefix>_MODELS=a,b, with white space between. */
static char *
own_models(const char *name)
{
	auto_free char *suffix = copy_format("%s_MODELS", name);
	auto_free char *variable = settings_variable("BRIDGE_", "ACP", suffix);
	char *list = copy(variable_value(variable));

	for (char *p = list; p && *p; p++)
		if (*p == ',')
			*p = ' ';
	return list;
}

static void
add_lists(const struct acp_kind *kind)
{
	auto_free char *modes = acp_mode_words(kind);
	auto_free char *models = kind->tested ? NULL : own_models(kind->name);
	auto_free char *all = copy_format("default %s", models ? models : "");
	struct harness *h = &made.harness;

	h->may_see = list_of(&made.may_see, kind->may_see);
	h->environment = list_of(&made.environment, kind->environment);
	h->permission_modes = list_of(&made.modes, modes);
	made.names_models = models && *models;
	h->models = list_of(&made.models, all);
}

bool
acp_names_models(void)
{
	return made.names_models;
}

static unsigned
effort_binds(const struct acp_kind *kind)
{
	return kind->effort_argument || kind->effort_setting ? BINDS_EFFORT : 0;
}

const struct harness *
harness_of(const char *name, struct error *e)
{
	static const char *const version[] = { "--version", NULL };
	const struct acp_kind *kind = acp_kind_of(name, e);

	if (!kind)
		return NULL;
	if (made.harness.log_in == kind->log_in)
		return &made.harness;
	made.harness = (struct harness){
		.tested = kind->tested,
		.can = kind->can,
		.takes = &profile_takes[kind->takes],
		.efforts = kind->efforts,
		.keeps_effort = kind->keeps_effort,
		.own = sizeof(struct acp),
		.loads = LOADS_EVERYTHING | (kind->bare ? LOADS_NOTHING : 0),
		.version = kind->tested ? version : NULL,
		.log_in = kind->log_in,
		.handshake = acp_greet,
		.check = acp_check_options,
		.say = acp_say,
		.answer = acp_answer,
		.park = acp_park,
		.tools_by_mcp = true,
		.max_tool_wait_ms = kind->max_tool_wait_ms,
		.max_result = kind->max_result,
		.interrupt = acp_interrupt,
		.clear = acp_clear,
		.shares = MAX_SESSIONS,
		.binds = BINDS_TOOLS | effort_binds(kind) |
			 (kind->alone_arguments ? BINDS_OWN_TOOLS : 0),
		.process_binds =
			BINDS_MODE | effort_binds(kind) |
			(kind->instead_variable ? BINDS_PROFILE : 0) |
			(kind->server_defaults ? BINDS_MCP | BINDS_TOOLS : 0) |
			(kind->alone_arguments ? BINDS_OWN_TOOLS : 0),
		.instance_own = sizeof(struct acp_agent),
		.instance_command = instance_command,
		.instance_handshake = instance_handshake,
		.instance_line = instance_line,
		.instance_clear = instance_clear,
		.close = acp_close,
	};
	add_lists(kind);
	return &made.harness;
}
