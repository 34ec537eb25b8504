#include "workers/opencode/opencode.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * What its user has configured may be added to with a variable, which comes
 * last and so counts most.  Snapshots are off because taking a turn back must
 * not take back files, and because each would cost a git process; a tool that
 * was refused is no reason to stop.
 */
static char *
config_of(const struct words *env)
{
	static const char name[] = "OPENCODE_CONFIG_CONTENT=";
	json_t *config = json_pack("{s:b, s:s, s:b, s:{s:b}}", "snapshot", 0,
				   "share", "disabled", "autoupdate", 0,
				   "experimental", "continue_loop_on_deny", 1);
	char *text, *variable;

	for (size_t i = 0; i < env->len; i++)
		if (!strncmp(env->ptr[i], name, sizeof name - 1)) {
			json_t *theirs = json_loads(
				env->ptr[i] + sizeof name - 1, 0, NULL);

			if (theirs)
				json_object_update_recursive(config, theirs);
			json_decref(theirs);
		}
	text = json_dumps(config, JSON_COMPACT);
	variable = copy_format("%s%s", name, text);
	free(text);
	json_decref(config);
	return variable;
}

/*
 * Its configuration and that of others, which it reads too, are looked for
 * below these; its login is elsewhere, and is found all the same.
 */
static void
load_nothing(const struct agent *a, struct words *env)
{
	words_set(env, "OPENCODE_CONFIG=");
	words_set(env, "OPENCODE_CONFIG_DIR=");
	words_set(env, "OPENCODE_DISABLE_PROJECT_CONFIG=1");
	words_set(env, "OPENCODE_DISABLE_CLAUDE_CODE=1");
	words_set(env, "OPENCODE_DISABLE_EXTERNAL_SKILLS=1");
	words_set(env, "OPENCODE_PURE=1");
	words_print(env, "XDG_CONFIG_HOME=%s/opencode-config", a->scratch);
	words_print(env, "OPENCODE_TEST_HOME=%s/opencode-home", a->scratch);
}

/*
 * With --port 0 it would take 4096.  So we find a port, and keep others from
 * it until opencode listens: a socket that is bound but does not listen is in
 * nobody's way who sets SO_REUSEADDR, as opencode does.
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
agent_command(struct agent *a, struct words *argv, struct words *env,
	      struct error *e)
{
	struct server *s = a->state;
	auto_free char *config = config_of(env);
	auto_free char *password = NULL;
	unsigned port = 0;

	if (!find_port(s, &port, e))
		return false;
	s->http = http_new(a->loop, e);
	if (!s->http)
		return false;
	list_init(&s->errands);
	s->children = json_object();
	s->origin = copy_format("http://127.0.0.1:%u", port);
	s->password = new_uuid();
	words_add(argv, "serve");
	words_add(argv, "--hostname=127.0.0.1");
	words_print(argv, "--port=%u", port);
	password = copy_format("OPENCODE_SERVER_PASSWORD=%s", s->password);
	words_set(env, password);
	words_set(env, "OPENCODE_SERVER_USERNAME=opencode");
	words_set(env, config);
	if (a->loads == LOADS_NOTHING)
		load_nothing(a, env);
	return true;
}

static const char *const may_see[] = { "OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR",
				       NULL };

/* Not its own plugins: they are how it is logged in with some vendors. */
static const char *const environment[] = {
	"OPENCODE_DISABLE_AUTOUPDATE=1",
	"OPENCODE_DISABLE_MODELS_FETCH=1",
	"OPENCODE_DISABLE_LSP_DOWNLOAD=1",
	"OPENCODE_DISABLE_SHARE=1",
	NULL,
};

/*
 * What to do with what it asks about, which its configuration says: allow it,
 * or refuse it ("ask": nobody is there to be asked); "deny" leaves the model
 * no tools at all.
 */
static const char *const permission_modes[] = { "allow", "ask", "deny", NULL };

static const char *const version[] = { "--version", NULL };
static const char *const models[] = { "default", NULL };

/* A file of keys is no proof: who is logged in is for the server to say. */
static const struct harness harness = {
	.tested = "1.18.33",
	.state = sizeof(struct opencode),
	.may_see = may_see,
	.environment = environment,
	.permission_modes = permission_modes,
	.loads = LOADS_NOTHING | LOADS_EVERYTHING,
	.version = version,
	.log_in = "run: opencode auth login",
	.has_trial = true,
	.greet = session_open,
	.say = turn_say,
	.interrupt = turn_interrupt,
	.clear = session_clear,
	.models = models,
	.shares = 256,
	.agent_state = sizeof(struct server),
	.agent_command = agent_command,
	.agent_line = server_line,
	.agent_clear = server_clear,
	.close = session_close,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &harness;
}
