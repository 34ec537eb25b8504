#include "workers/claude/claude.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workers/io/json_line.h"

bool
claude_may_do_all(const struct conversation *c)
{
	return c->options.mode != MODE_SAFE &&
	       !strcmp(c->permission_mode, "bypassPermissions");
}

/*
 * For root, Claude Code refuses to bypass permissions unless a variable says
 * that it runs in a sandbox, which we do not know.  So for root it must ask us,
 * and we allow what the operator has allowed.
 */
static bool
must_ask(const struct conversation *c, const struct words *env)
{
	if (!claude_may_do_all(c) || geteuid() != 0)
		return false;
	for (size_t i = 0; i < env->len; i++)
		if (!strcmp(env->ptr[i], "IS_SANDBOX=1"))
			return false;
	return true;
}

static void
add_permissions(const struct conversation *c, struct words *argv,
		const struct words *env)
{
	if (must_ask(c, env)) {
		words_add(argv, "--permission-prompt-tool");
		words_add(argv, "stdio");
		return;
	}
	words_add(argv, "--permission-mode");
	words_add(argv, c->permission_mode);
}

/*
 * Settings, CLAUDE.md and AGENTS.md, rules, skills, commands, agents, styles,
 * hooks, plugins and MCP servers each belong to the user, to the project, or
 * are "local": the user's own for one project.  The notes that Claude Code
 * keeps of earlier sessions belong to no such source; they are the user's.
 */
static void
add_sources(const struct conversation *c, struct words *argv, struct words *env)
{
	if (c->instance->loads == LOADS_EVERYTHING)
		return;
	words_add(argv, "--setting-sources");
	words_add(argv, c->instance->loads == LOADS_PROJECT ? "project" : "");
	if (c->instance->loads == LOADS_NOTHING)
		words_add(argv, "--strict-mcp-config");
	words_set(env, "CLAUDE_CODE_DISABLE_AUTO_MEMORY=1");
}

/*
 * What was taken back stays in the CLI's records.  Until the CLI has ended in
 * order they lead there, and not to what was said instead: so the conversation
 * goes on in records of its own.
 */
static void
branch_off(struct conversation *c, struct words *argv)
{
	auto_free char *branch = new_uuid();

	conversation_name_it(c, branch);
	words_add(argv, "--fork-session");
	words_add(argv, "--session-id");
	words_add(argv, c->cli_id);
}

/* The conversation is new, or the CLI knows it, or it began elsewhere. */
static bool
add_conversation(struct conversation *c, struct words *argv, struct error *e)
{
	struct claude *own = c->own;

	if (c->resumed) {
		words_add(argv, "--resume");
		words_add(argv, c->cli_id);
		if (c->position) {
			words_add(argv, "--resume-session-at");
			words_add(argv, c->position);
		}
		if (c->is_rewound)
			branch_off(c, argv);
		return true;
	}
	if (c->history) {
		own->history = history_write(c, e);
		if (!own->history)
			return false;
		words_add(argv, "--resume");
		words_add(argv, own->history);
		words_add(argv, "--fork-session");
	}
	words_add(argv, "--session-id");
	words_add(argv, c->cli_id);
	return true;
}

static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
{
	static const char *const always[] = {
		"-p",
		"--input-format",
		"stream-json",
		"--output-format",
		"stream-json",
		"--verbose",
		"--include-partial-messages",
	};

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		words_add(argv, always[i]);
	if (c->options.mode == MODE_SAFE) {
		safe_add(c, argv, env);
	} else {
		add_permissions(c, argv, env);
		add_sources(c, argv, env);
	}
	claude_expect_servers(c, env);
	claude_expect_tools(c, argv, env);
	if (!c->kept)
		words_add(argv, "--no-session-persistence");
	if (c->resumed && (c->system || c->instead || !c->knows_system)) {
		/* otherwise the prompt that the session began with counts */
		words_add(argv, "--system-prompt-snapshot");
		words_add(argv, "off");
	}
	if (is_claudish(c) ? !claudish_add(c, argv, env, e)
			   : !claude_add_settings(c, argv, json_object(), e))
		return false;
	return claude_add_plugin(c, argv, e) && add_conversation(c, argv, e);
}

void
claude_ask(struct conversation *c, const char *id, json_t *request)
{
	conversation_write_json(c, json_pack("{s:s, s:s, s:o}", "type",
					     "control_request", "request_id",
					     id, "request", request));
}

/* The handshake.  Its reply also shows that the CLI works. */
static void
handshake(struct conversation *c)
{
	json_t *request = json_pack("{s:s}", "subtype", "initialize");

	if (c->instead)
		json_object_set_new(request, "systemPrompt",
				    json_string(c->instead));
	if (c->system)
		json_object_set_new(request, "appendSystemPrompt",
				    json_stringn(c->system, c->system_len));
	claude_add_format(c, request);
	claude_add_hook(request);
	claude_ask(c, "greet", request);
}

/*
 * The uuid comes back with whatever belongs to the prompt.  With
 * client_composed the CLI passes the text on as it is; see inert.c.  Takes
 * `blocks`.
 */
static char *
prompt_of(struct conversation *c, json_t *blocks)
{
	struct claude *own = c->own;
	auto_free char *uuid = new_uuid();
	json_t *line;
	char *text;

	snprintf(own->uuid, sizeof own->uuid, "%s", uuid);
	line = json_pack("{s:s, s:{s:s, s:o}, s:s, s:b, s:b}", "type", "user",
			 "message", "role", "user", "content", blocks, "uuid",
			 own->uuid, "client_composed", 1, "text_not_typed", 1);
	text = json_line_text(line);
	json_decref(line);
	return text;
}

void
claude_send_prompt(struct conversation *c)
{
	struct claude *own = c->own;

	if (own->is_asked_for_model || own->is_asked_for_servers ||
	    own->missing_efforts || own->is_listing)
		return;
	conversation_write(c, str_of(own->prompt));
	conversation_write(c, STR("\n"));
	free(own->prompt);
	own->prompt = NULL;
	own->was_said = true;
}

static bool
same_model(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static const char *
wanted_model(const struct conversation *c)
{
	const struct claude *own = c->own;

	return c->model ? c->model : own->usual_model;
}

/*
 * The caller's model is named in the CLI's protocol: nothing of the caller's
 * goes into an argument.
 */
static void
ask_for_model(struct conversation *c)
{
	struct claude *own = c->own;
	const char *model = wanted_model(c);
	char id[32];

	free(own->asked_model);
	own->asked_model = copy(str_of(model));
	own->is_asked_for_model = true;
	own->model_request = ++own->asked;
	snprintf(id, sizeof id, CLAUDE_MODEL_REQUEST,
		 (uintmax_t)own->model_request);
	claude_ask(c, id,
		   json_pack("{s:s, s:s*}", "subtype", "set_model", "model",
			     model));
}

/* Takes `blocks`. */
static void
say_blocks(struct conversation *c, json_t *blocks)
{
	struct claude *own = c->own;
	enum effort effort;
	struct error e = { 0 };

	if (own->needs_model && !wanted_model(c)) {
		json_decref(blocks);
		claudish_ask_for_model(c);
		return;
	}
	if (!claude_choose_effort(c, &effort, &e)) {
		json_decref(blocks);
		conversation_fail(c, &e);
		return;
	}
	own->was_said = own->recalled = false;
	own->last_assistant[0] = own->failure[0] = '\0';
	own->resets_at = 0;
	json_decref(own->calls);
	own->calls = NULL;
	free(own->prompt);
	own->prompt = prompt_of(c, blocks);
	claude_ask_effort(c, effort);
	if (!claude_has_servers(c))
		claude_ask_for_servers(c);
	claude_tell_tools(c);
	if (own->is_asked_for_model ||
	    !same_model(wanted_model(c), own->said_model))
		ask_for_model(c);
	claude_send_prompt(c);
}

static void
say(struct conversation *c)
{
	say_blocks(c, inert_blocks(c));
}

static void
answer(struct conversation *c)
{
	say_blocks(c, claude_result_blocks(c));
}

void
claude_stop_turn(struct conversation *c)
{
	struct claude *own = c->own;

	claude_ask(c, "interrupt",
		   json_pack("{s:s, s:[s]}", "subtype", "interrupt",
			     "for_user_message_uuids", own->uuid));
}

static void
drop_prompt(struct conversation *c)
{
	struct claude *own = c->own;
	struct error e = { 0 };

	free(own->prompt);
	own->prompt = NULL;
	fail_with(&e, ERR_CANCELLED, "cancelled");
	conversation_fail(c, &e);
}

/* No prompt of ours is in the CLI while this is called, so none can be hit,
 * even if the CLI's turn has just ended. */
static void
interrupt_own(struct conversation *c)
{
	const struct claude *own = c->own;

	if (own->under_way == CLAUDE_OWN_TURN)
		claude_ask(c, "interrupt",
			   json_pack("{s:s}", "subtype", "interrupt"));
}

/*
 * What would be interrupted is the turn under way.  If that is not ours, the
 * prompt is still queued, and is taken back; if it is not queued any more, its
 * turn is stopped as soon as it begins.
 */
static void
interrupt(struct conversation *c)
{
	struct claude *own = c->own;

	if (own->prompt) {
		drop_prompt(c);
	} else if (own->under_way == CLAUDE_OUR_TURN) {
		claude_stop_turn(c);
	} else {
		own->recalled = true;
		claude_ask(c, CLAUDE_RECALL_REQUEST,
			   json_pack("{s:s, s:s}", "subtype",
				     "cancel_async_message", "message_uuid",
				     own->uuid));
	}
}

/* A process that ends by itself before it is ready has refused what it was to
 * resume, and told so to people only. */
static void
ended(struct conversation *c, int status, struct str words, struct error *e)
{
	struct claude *own = c->own;

	if (c->resumed && !own->is_ready && WIFEXITED(status))
		conversation_lost(c);
}

static void
clear(struct conversation *c)
{
	struct claude *own = c->own;

	history_remove(c);
	claude_remove_settings(c);
	free(own->said_model);
	free(own->usual_model);
	free(own->asked_model);
	free(own->prompt);
	json_decref(own->efforts);
	json_decref(own->said_tools);
	json_decref(own->offered);
	json_decref(own->calls);
	json_decref(own->said_servers);
	json_decref(own->asked_servers);
	memset(own, 0, sizeof *own);
}

static const char *const may_see[] = { "CLAUDE_CONFIG_DIR", NULL };

/*
 * These switch off updates, telemetry and error reports.  Of the CLI's own
 * retries one is left, which it announces (see on_retry()); it must not ask a
 * second time after a stream broke off, because that answer would repeat text
 * that the client has.  The CLI's own limit for prompts is lifted, because it
 * is lower than that of the models.
 */
static const char *const environment[] = {
	"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
	"DISABLE_AUTOUPDATER=1",
	"DISABLE_TELEMETRY=1",
	"DISABLE_ERROR_REPORTING=1",
	"CLAUDE_CODE_MAX_RETRIES=1",
	"CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK=1",
	"CLAUDE_CODE_DISABLE_REFUSAL_RETRY=1",
	"CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE=1000000000",
	NULL,
};

static const char *const version[] = { "--version", NULL };
static const char *const logged_in[] = { "auth", "status", NULL };
static const char *const models[] = { "default", "sonnet", "opus", "haiku",
				      NULL };
static const char *const permission_modes[] = {
	"bypassPermissions",
	"auto",
	"acceptEdits",
	"dontAsk",
	"manual",
	"plan",
	NULL,
};

static const char *const renewed[] = { "$CLAUDE_CONFIG_DIR/.credentials.json",
				       "~/.claude/.credentials.json", NULL };

enum { LOGIN_HOURS = 8 /* then Claude Code renews it */ };

/*
 * A trial costs one start, about half a second: the reply to our handshake
 * lists the models and needs no request to the vendor.
 */
static const struct harness claude = {
	.tested = "2.1.330",
	.can = CLAUDE_CAN,
	.takes = &profile_takes[CLAUDE_TAKES],
	.own = sizeof(struct claude),
	.may_see = may_see,
	.environment = environment,
	.permission_modes = permission_modes,
	.loads = LOADS_NOTHING | LOADS_PROJECT | LOADS_EVERYTHING,
	.binds = BINDS_FORMAT | BINDS_OWN_TOOLS,
	.efforts = EFFORT_BIT(EFFORT_NONE) | EFFORT_BIT(EFFORT_LOW) |
		   EFFORT_BIT(EFFORT_MEDIUM) | EFFORT_BIT(EFFORT_HIGH) |
		   EFFORT_BIT(EFFORT_XHIGH) | EFFORT_BIT(EFFORT_MAX),
	.takes_format = claude_takes_format,
	.version = version,
	.logged_in = logged_in,
	.log_in = "run claude and type /login",
	.renewed = renewed,
	.login_ms = LOGIN_HOURS * HOUR_MS,
	.command = command,
	.handshake = handshake,
	.say = say,
	.answer = answer,
	.interrupt = interrupt,
	.interrupt_own = interrupt_own,
	.takes_anew = claude_takes_anew,
	.takes_tools = claude_takes_tools,
	.line = claude_line,
	.clear = clear,
	.ended = ended,
	.models = models,
};

/* There is no trial: it would list Anthropic's models and not the proxy's. */
static struct harness claudish = {
	.tested = "2.1.330",
	.can = CLAUDISH_CAN,
	.takes = &profile_takes[CLAUDISH_TAKES],
	.own = sizeof(struct claude),
	.may_see = may_see,
	.environment = claudish_environment,
	.permission_modes = permission_modes,
	.loads = LOADS_NOTHING | LOADS_PROJECT | LOADS_EVERYTHING,
	.binds = BINDS_FORMAT | BINDS_OWN_TOOLS,
	.takes_format = claude_takes_format,
	.version = version,
	.log_in = "run claudish serve with its vendor's key, and set "
		  "CLAUDISH_URL to where it listens",
	.command = command,
	.handshake = handshake,
	.say = say,
	.answer = answer,
	.interrupt = interrupt,
	.interrupt_own = interrupt_own,
	.takes_anew = claude_takes_anew,
	.takes_tools = claude_takes_tools,
	.line = claude_line,
	.clear = clear,
	.ended = ended,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	if (strcmp(name, "claudish"))
		return &claude;
	if (!claudish.models)
		claudish.models = claudish_models();
	return &claudish;
}
