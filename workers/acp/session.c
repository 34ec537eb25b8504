#include "workers/acp/acp.h"

#include "workers/cli/transcript.h"

/* If the mode cannot be set, the agent may do less and asks us for the rest. */
static void
on_mode_set(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct error e = { 0 };

	if (!error || acp_may_all(c)) {
		acp_await_servers(c);
		return;
	}
	acp_explain(c, error, &e);
	conversation_fail(c, &e);
}

/*
 * Sessions are never opened and closed at the same time: if kimi opens a
 * session while it deletes another, or opens one again that it is still
 * closing, the session is not found a moment later.
 */

static void
open_waiting(struct acp_agent *agent)
{
	struct node *n;

	while (!agent->closings && (n = list_first(&agent->waiting))) {
		list_remove(&agent->waiting, n);
		acp_open(container_of(n, struct acp, waits)->conversation);
	}
}

static void
on_closed(void *whom, const json_t *result, const json_t *error)
{
	struct acp_agent *agent = ((struct instance *)whom)->own;

	agent->closings--;
	open_waiting(agent);
}

static void
close_leaving(struct instance *inst)
{
	struct acp_agent *agent = inst->own;
	json_t *session;
	size_t i;

	if (agent->openings)
		return;
	json_array_foreach (agent->leaving, i, session) {
		json_t *params = json_object_get(session, "params");

		agent->closings++;
		rpc_ask(&agent->rpc, json_text(session, "method"),
			json_incref(params), on_closed, inst);
	}
	json_array_clear(agent->leaving);
}

static void
close_later(struct conversation *c, const char *method)
{
	json_array_append_new(acp_agent_of(c)->leaving,
			      json_pack("{s:s, s:o}", "method", method,
					"params", acp_params(c, NULL, NULL)));
}

static void
has_opened(struct conversation *c)
{
	struct acp *own = c->own;

	if (!own->is_opening)
		return;
	own->is_opening = false;
	acp_agent_of(c)->openings--;
	close_leaving(c->instance);
}

void
acp_drop_sessions(struct acp_agent *agent)
{
	json_decref(agent->leaving);
	agent->leaving = NULL;
}

static void
open_up(struct conversation *c, const json_t *opened)
{
	acp_read_models(c, opened);
	acp_read_efforts(c->own, opened);
	acp_set_mode(c, on_mode_set);
}

static void
fail(struct conversation *c, const json_t *error)
{
	struct error e = { 0 };

	acp_explain(c, error, &e);
	conversation_fail(c, &e);
}

static void
on_new(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	const char *id = json_text(result, "sessionId");
	struct error e = { 0 };

	has_opened(c);
	if (error) {
		fail(c, error);
		return;
	}
	if (!id || !*id) {
		fail_with(&e, ERR_HARNESS,
			  "%s has opened a session, but does "
			  "not say which",
			  conversation_name(c));
		conversation_fail(c, &e);
		return;
	}
	conversation_name_it(c, id);
	open_up(c, result);
}

/* The errors for an unknown session differ from agent to agent, and some mean
 * other things: so the session is lost in any case, unless a login is missing.
 */
static void
on_reopened(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	const json_t *code = json_object_get(error, "code");

	has_opened(c);
	if (!error)
		open_up(c, result);
	else if (json_integer_value(code) == ACP_NO_LOGIN)
		fail(c, error);
	else
		conversation_lost(c);
}

static json_t *
where(const struct conversation *c)
{
	return json_pack("{s:s, s:o}", "cwd", c->cwd, "mcpServers",
			 acp_servers(c));
}

/*
 * Gemini names the file of a session by the minute and the first eight
 * characters of the id.  It makes such a file before it looks for the session
 * to load, so a session of the same minute is overwritten.  But it strips
 * spaces from the id when it looks: so we add spaces.
 */
static void
call_it_otherwise(struct conversation *c)
{
	enum { MOST = 7 /* spaces, so that one character of it is left */ };
	size_t spaces = strspn(c->cli_id, " ");
	auto_free char *alias =
		copy_format(" %s", c->cli_id + (spaces < MOST ? 0 : spaces));

	conversation_name_it(c, alias);
}

/* With session/load an agent repeats the conversation before it answers or,
 * like gemini, after that: it is not heard before the session is ready. */
static void
reopen(struct conversation *c)
{
	struct acp_agent *agent = acp_agent_of(c);
	const char *method = agent->resumes ? "session/resume" : "session/load";
	json_t *params = where(c);

	if (agent->kind->loads_by_alias)
		call_it_otherwise(c);
	json_object_set_new(params, "sessionId", json_string(c->cli_id));
	rpc_ask(&agent->rpc, method, params, on_reopened, c);
}

void
acp_open(struct conversation *c)
{
	struct acp_agent *agent = acp_agent_of(c);
	struct acp *own = c->own;

	own->is_opening = true;
	agent->openings++;
	if (c->resumed)
		reopen(c);
	else
		rpc_ask(&agent->rpc, "session/new", where(c), on_new, c);
}

/*
 * The protocol has no field for a system prompt or for a history.  A system
 * prompt that was told once stays in the conversation: it is told again only
 * when it has changed.  An image in the history is refused like any other, when
 * the turn is said.
 */
static json_t *
preface_of(const struct conversation *c)
{
	json_t *preface =
		c->knows_system ? transcript_history(c) : transcript_preface(c);

	if (json_array_size(preface))
		return preface;
	json_decref(preface);
	return NULL;
}

void
acp_greet(struct conversation *c)
{
	struct acp_agent *agent = acp_agent_of(c);
	struct acp *own = c->own;
	struct error e = { 0 };

	own->conversation = c;
	own->preface = preface_of(c);
	if (!acp_check_servers(c, &e))
		conversation_fail(c, &e);
	else if (c->resumed && !agent->resumes && !agent->loads)
		conversation_lost(c);
	else if (agent->closings)
		list_append(&agent->waiting, &own->waits);
	else
		acp_open(c);
}

/* With an agent that cannot close or delete sessions, they stay in its process
 * and in its records. */
void
acp_close(struct conversation *c)
{
	struct acp_agent *agent = acp_agent_of(c);
	struct acp *own = c->own;

	rpc_forget(&agent->rpc, c);
	acp_record_clear(c);
	acp_forget_servers(c);
	list_remove(&agent->waiting, &own->waits);
	has_opened(c);
	if (own->is_asked)
		rpc_tell(&agent->rpc, "session/cancel",
			 acp_params(c, NULL, NULL));
	if (agent->deletes && !c->kept && own->models)
		close_later(c, "session/delete");
	else if (agent->closes && own->models)
		close_later(c, agent->kind->closes_by ? agent->kind->closes_by
						      : "session/close");
	close_leaving(c->instance);
}

void
acp_clear(struct conversation *c)
{
	struct acp *own = c->own;

	if (own->waits.next)
		list_remove(&acp_agent_of(c)->waiting, &own->waits);
	acp_record_clear(c);
	acp_forget_servers(c);
	acp_forget_turn(own);
	json_decref(own->preface);
	acp_forget_models(own);
	free(own->model);
	free(own->effort);
	free(own->usual_effort);
	json_decref(own->thought);
	json_decref(own->background_calls);
	memset(own, 0, sizeof *own);
}
