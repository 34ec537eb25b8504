#include "workers/opencode/opencode.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/limits.h"

/* The last rule counts.  "allow" alone is short for {"*":"allow"}. */
static void
deny_servers(json_t *config)
{
	json_t *rules = json_object_get(config, "permission");

	if (json_is_object(rules))
		json_incref(rules);
	else
		rules = json_pack("{s:O*}", "*", rules);
	json_object_del(rules, "br_*");
	json_object_set_new(rules, "br_*", json_string("deny"));
	json_object_set_new(config, "permission", rules);
}

/*
 * A variable adds to the user's configuration, and overrides it.  Snapshots are
 * off because taking back a turn must not take back files, and because each
 * costs a git process.  A tool that was refused must not end the turn.  The
 * tools of a session's own MCP servers are nobody else's: see servers.c.
 */
static json_t *
config_of(const struct words *env)
{
	const char *text = words_value(env, "OPENCODE_CONFIG_CONTENT");
	json_t *theirs = text ? json_loads(text, 0, NULL) : NULL;
	json_t *config = json_pack("{s:b, s:s, s:b, s:{s:b}}", "snapshot", 0,
				   "share", "disabled", "autoupdate", 0,
				   "experimental", "continue_loop_on_deny", 1);

	if (theirs)
		json_object_update_recursive(config, theirs);
	json_decref(theirs);
	return config;
}

/*
 * opencode keeps what is long in a result from its model, and names a file in
 * which that can read the rest, with tools of opencode's.  A model that has
 * only the caller's tools could not; so such conversations have a process of
 * their own.
 */
static void
take_whole_results(json_t *config)
{
	json_object_set_new(config, "tool_output",
			    json_pack("{s:i, s:i}", "max_bytes", MAX_BODY,
				      "max_lines", MAX_BODY));
}

static bool
add_config(const struct instance *inst, struct words *env, struct error *e)
{
	json_t *config = config_of(env);
	bool ok = inst->options.mode != MODE_SAFE ||
		  safe_configure(inst, config, env, e);
	auto_free char *text = NULL, *variable = NULL;

	deny_servers(config);
	if (options_replace_tools(&inst->options))
		take_whole_results(config);
	text = json_dumps(config, JSON_COMPACT);
	variable = copy_format("OPENCODE_CONFIG_CONTENT=%s", text);
	words_set(env, variable);
	json_decref(config);
	return ok;
}

/*
 * opencode looks for its configuration, and for that of other CLIs, below these
 * directories.  Its login is elsewhere, and is found nevertheless.
 */
static void
load_nothing(const struct instance *inst, struct words *env)
{
	words_set(env, "OPENCODE_CONFIG=");
	words_set(env, "OPENCODE_CONFIG_DIR=");
	words_set(env, "OPENCODE_DISABLE_PROJECT_CONFIG=1");
	words_set(env, "OPENCODE_DISABLE_CLAUDE_CODE=1");
	words_set(env, "OPENCODE_DISABLE_EXTERNAL_SKILLS=1");
	words_set(env, "OPENCODE_PURE=1");
	words_print(env, "XDG_CONFIG_HOME=%s/opencode-config", inst->scratch);
	words_print(env, "OPENCODE_TEST_HOME=%s/opencode-home", inst->scratch);
}

/*
 * With --port 0 opencode takes port 4096.  So we find a free port, and keep it
 * until opencode listens with a socket that is bound but does not listen.  Such
 * a socket does not prevent a program that sets SO_REUSEADDR, as opencode does,
 * from listening there.
 */
static bool
find_port(struct server *s, unsigned *port, struct error *e)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int on = 1;

	s->holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->holder < 0)
		return fail_errno(e, "opencode: socket");
	s->holds = true;
	if (setsockopt(s->holder, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
	    bind(s->holder, (void *)&a, len) ||
	    getsockname(s->holder, (void *)&a, &len))
		return fail_errno(e, "opencode: a port");
	*port = ntohs(a.sin_port);
	return true;
}

static bool
instance_command(struct instance *inst, struct words *argv, struct words *env,
		 struct error *e)
{
	struct server *s = inst->own;
	auto_free char *password = NULL;
	unsigned port = 0;

	if (!find_port(s, &port, e))
		return false;
	s->http = http_new(inst->loop, e);
	if (!s->http)
		return false;
	list_init(&s->requests);
	s->children = json_object();
	s->leaving = json_object();
	s->burnt_keys = json_object();
	list_init(&s->waiting);
	s->prepared = json_object();
	s->origin = copy_format("http://127.0.0.1:%u", port);
	s->port = port;
	if (inst->executor->reach)
		s->socket = inst->executor->reach(inst->executor, port);
	s->password = new_uuid();
	words_add(argv, "serve");
	words_add(argv, "--hostname=127.0.0.1");
	words_print(argv, "--port=%u", port);
	password = copy_format("OPENCODE_SERVER_PASSWORD=%s", s->password);
	words_set(env, password);
	words_set(env, "OPENCODE_SERVER_USERNAME=opencode");
	if (inst->loads == LOADS_NOTHING)
		load_nothing(inst, env);
	return add_config(inst, env, e);
}

static const char *const may_see[] = { "OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR",
				       NULL };

/* Its own plugins stay on: the logins of some vendors need them. */
static const char *const environment[] = {
	"OPENCODE_DISABLE_AUTOUPDATE=1",
	"OPENCODE_DISABLE_MODELS_FETCH=1",
	"OPENCODE_DISABLE_LSP_DOWNLOAD=1",
	"OPENCODE_DISABLE_SHARE=1",
	NULL,
};

/*
 * The user's configuration says which tools opencode asks about.  "allow"
 * allows these, "ask" refuses them because nobody is there to answer, and
 * "deny" leaves the model no tools at all.
 */
static const char *const permission_modes[] = { "allow", "ask", "deny", NULL };

static const char *const version[] = { "--version", NULL };
static const char *const models[] = { "default", NULL };

/* A vendor takes longer between the calls of a message. */
enum {
	SETTLE_MS = 150,

	/* Of a longer result opencode tells the lines that are within the first
	 * 50 KiB: of one line, nothing. */
	MAX_RESULT = 48000,
};

/* A file of keys is no sign of a login: only the server's list of providers is.
 */
static const struct harness harness = {
	.tested = "1.18.33",
	.can = OPENCODE_CAN,
	.takes = &profile_takes[OPENCODE_TAKES],
	.own = sizeof(struct opencode),
	.may_see = may_see,
	.environment = environment,
	.permission_modes = permission_modes,
	.loads = LOADS_NOTHING | LOADS_EVERYTHING,
	.version = version,
	.log_in = "run: opencode auth login",
	.handshake = session_open,
	.efforts = ANY_EFFORT,
	.takes_format = opencode_takes_format,
	.say = turn_say,
	.park = tools_park,
	.answer = tools_answer,
	.binds = BINDS_TOOLS | BINDS_OWN_TOOLS,
	.tools_by_mcp = true,
	.settle_ms = SETTLE_MS,
	.max_result = MAX_RESULT,
	.cuts_beside_own = true,
	.interrupt = turn_interrupt,
	.clear = session_clear,
	.models = models,
	.shares = 256,
	.process_binds = BINDS_MODE | BINDS_OWN_TOOLS,
	.instance_own = sizeof(struct server),
	.instance_command = instance_command,
	.instance_line = server_line,
	.instance_clear = server_clear,
	.close = session_close,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &harness;
}
