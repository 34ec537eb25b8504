#include "workers/codex/codex.h"

/*
 * The messages of `codex app-server`, one JSON-RPC message a line, and the
 * functions that hear them.  Almost all name a thread.  Messages about a thread
 * that is closed, or that the model has begun itself, are passed over.
 */

static const struct {
	const char *method;
	void (*hear)(struct conversation *, const json_t *params);
} events[] = {
	{ "item/agentMessage/delta", codex_on_text },
	{ "item/reasoning/summaryTextDelta", codex_on_reasoning },
	{ "item/reasoning/textDelta", codex_on_reasoning },
	{ "item/started", codex_on_item_started },
	{ "item/completed", codex_on_item_completed },
	{ "thread/tokenUsage/updated", codex_on_usage },
	{ "rawResponseItem/completed", codex_on_raw_item },
	{ "rawResponse/completed", codex_on_raw_response },
	{ "model/rerouted", codex_on_rerouted },
	{ "error", codex_on_error },
	{ "turn/started", codex_on_turn_started },
	{ "turn/completed", codex_on_turn_completed },
};

/* Messages for Codex's own windows, and those that repeat one above. */
static const char *const none_of_ours[] = {
	"account/login/completed",
	"account/rateLimits/updated",
	"account/updated",
	"app/list/updated",
	"configWarning",
	"deprecationNotice",
	"guardianWarning",
	"hook/completed",
	"hook/started",
	"item/autoApprovalReview/completed",
	"item/autoApprovalReview/started",
	"item/commandExecution/outputDelta",
	"item/commandExecution/terminalInteraction",
	"item/fileChange/outputDelta",
	"item/fileChange/patchUpdated",
	"item/mcpToolCall/progress",
	"item/plan/delta",
	"item/reasoning/summaryPartAdded",
	"mcpServer/oauthLogin/completed",
	"mcpServer/startupStatus/updated",
	"model/safetyBuffering/updated",
	"model/verification",
	"modelProvider/authRecoveryCompleted",
	"modelProvider/authRecoveryStarted",
	"remoteControl/status/changed",
	"serverRequest/resolved",
	"skills/changed",
	"thread/archived",
	"thread/closed",
	"thread/compacted",
	"thread/deleted",
	"thread/environment/connected",
	"thread/environment/disconnected",
	"thread/goal/cleared",
	"thread/goal/updated",
	"thread/name/updated",
	"thread/prediction/updated",
	"thread/queue/changed",
	"thread/readState/changed",
	"thread/reverted",
	"thread/settings/updated",
	"thread/started",
	"thread/status/changed",
	"turn/diff/updated",
	"turn/moderationMetadata",
	"turn/plan/updated",
	"warning",
};

static bool
is_none_of_ours(const char *method)
{
	for (size_t i = 0; i < sizeof none_of_ours / sizeof *none_of_ours; i++)
		if (!strcmp(method, none_of_ours[i]))
			return true;
	return false;
}

/* Only the turn under way is heard, by its id: a turn that was stopped may go
 * on for a moment, and a sub-agent has a thread of its own. */
static void
told(struct instance *inst, const char *method, const json_t *params)
{
	struct conversation *c =
		instance_conversation(inst, json_text(params, "threadId"));

	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		if (strcmp(method, events[i].method))
			continue;
		if (c)
			codex_note_command(c, method, params);
		if (c && (events[i].hear == codex_on_turn_started ||
			  codex_is_turn(c->own, params)))
			events[i].hear(c, params);
		return;
	}
	if (!is_none_of_ours(method))
		instance_unknown(inst, "event", method);
}

/*
 * Codex asks for a permission although it was told never to (see settings.c).
 * It need not ask for what the operator has allowed, and nobody is there to
 * decide on anything else: so it is refused.
 */

static const struct {
	const char *method, *yes, *no;
} approvals[] = {
	{ "item/commandExecution/requestApproval", "accept", "decline" },
	{ "item/fileChange/requestApproval", "accept", "decline" },
	{ "execCommandApproval", "approved", "denied" },
	{ "applyPatchApproval", "approved", "denied" },
};

static void
asked(struct instance *inst, const json_t *id, const char *method,
      const json_t *params)
{
	struct codex_agent *s = inst->own;
	bool may = inst->options.mode != MODE_SAFE &&
		   !strcmp(inst->permission_mode, "danger-full-access");

	for (size_t i = 0; i < sizeof approvals / sizeof *approvals; i++)
		if (!strcmp(method, approvals[i].method)) {
			rpc_answer(&s->rpc, id,
				   json_pack("{s:s}", "decision",
					     may ? approvals[i].yes
						 : approvals[i].no));
			return;
		}
	if (!strcmp(method, "item/tool/call") &&
	    codex_on_call(inst, id, params))
		return;
	if (!strcmp(method, "mcpServer/elicitation/request")) {
		rpc_answer(&s->rpc, id,
			   json_pack("{s:s}", "action", "decline"));
		return;
	}
	rpc_refuse(&s->rpc, id, -32601, "not supported by this client");
	instance_unknown(inst, "request", method);
}

/*
 * Features are switched off by settings: another version refuses --disable for
 * a feature that it does not have.
 */
static bool
instance_command(struct instance *inst, struct words *argv, struct words *env,
		 struct error *e)
{
	static const char *const settings[] = {
		"check_for_update_on_startup=false",
		"analytics.enabled=false",
		"features.unbounded_connection_retries=false",
	};
	struct codex_agent *s = inst->own;

	s->rpc.told = told;
	s->rpc.asked = asked;
	rpc_init(&s->rpc, inst);
	list_init(&s->openings);
	words_add(argv, "app-server");
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		words_add(argv, "-c");
		words_add(argv, settings[i]);
	}
	codex_safe_arguments(inst, argv);
	if (inst->loads == LOADS_EVERYTHING)
		return true;
	words_add(argv, "-c");
	words_add(argv, "features.plugins=false");
	return codex_private_home(inst, env, e);
}

static void
on_greeted(void *whom, const json_t *result, const json_t *error)
{
	struct instance *inst = whom;
	struct codex_agent *s = inst->own;
	struct error e = { 0 };

	if (!error) {
		rpc_tell(&s->rpc, "initialized", json_object());
		instance_ready(inst);
		return;
	}
	codex_explain_refusal(error, &e);
	instance_fail(inst, &e);
}

/* experimentalApi is needed to import a history, to see the newest turn of a
 * thread, and to close a thread at once. */
static void
instance_handshake(struct instance *inst)
{
	struct codex_agent *s = inst->own;
	auto_free char *id = new_uuid();

	s->id = codex_hash(CODEX_NOTHING, str_of(id));
	rpc_ask(&s->rpc, "initialize",
		json_pack("{s:{s:s, s:s, s:s}, s:{s:b, s:b}}", "clientInfo",
			  "name", "cli-bridge", "title", "cli-bridge",
			  "version", "1", "capabilities", "experimentalApi", 1,
			  "requestAttestation", 0),
		on_greeted, inst);
}

static bool
instance_line(struct instance *inst, struct str line, struct error *e)
{
	struct codex_agent *s = inst->own;

	rpc_line(&s->rpc, line);
	return true;
}

static void
instance_clear(struct instance *inst)
{
	struct codex_agent *s = inst->own;

	rpc_fini(&s->rpc);
	codex_drop_openings(s);
}

static const char *const may_see[] = { "CODEX_HOME", "CODEX_SQLITE_HOME",
				       "CODEX_CA_CERTIFICATE", NULL };
static const char *const permission_modes[] = { "danger-full-access",
						"workspace-write", "read-only",
						NULL };
static const char *const version[] = { "--version", NULL };
static const char *const needs[] = { "app-server", "--help", NULL };
static const char *const models[] = { "default", NULL };

static const char *const renewed[] = { "$CODEX_HOME/auth.json",
				       "~/.codex/auth.json", NULL };

enum { LOGIN_DAYS = 8 /* then Codex renews it */ };

/* Codex can hold more threads, but a crash ends all that share a process. */
enum { MOST_THREADS = 16 };

static const struct harness harness = {
	.tested = "0.169.0",
	.can = CODEX_CAN,
	.takes = &profile_takes[CODEX_TAKES],
	.own = sizeof(struct codex),
	.may_see = may_see,
	.permission_modes = permission_modes,
	.loads = LOADS_NOTHING | LOADS_EVERYTHING,
	.version = version,
	.log_in = "run codex login",
	.renewed = renewed,
	.login_ms = LOGIN_DAYS * DAY_MS,
	.needs = needs,
	.fallback = &codex_exec,
	.handshake = codex_greet,
	.efforts = CODEX_EFFORTS,
	.takes_format = codex_takes_format,
	.keeps_tools = true,
	.say = codex_say,
	.answer = codex_answer,
	.interrupt = codex_interrupt,
	.interrupt_own = codex_interrupt_own,
	.clear = codex_clear,
	.models = models,
	.shares = MOST_THREADS,
	.process_binds = BINDS_MODE,
	.instance_own = sizeof(struct codex_agent),
	.instance_command = instance_command,
	.instance_handshake = instance_handshake,
	.instance_line = instance_line,
	.instance_clear = instance_clear,
	.close = codex_close,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &harness;
}
