#include "workers/acp/acp.h"

#include "workers/transcript.h"

/* If the mode cannot be set, the agent may do less and asks us for the rest. */
static void
on_mode_set(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	struct error e = { 0 };

	if (!error || acp_may_all(t)) {
		talk_ready(t);
		return;
	}
	acp_explain(t, error, &e);
	talk_fail(t, &e);
}

/*
 * Sessions are never opened and closed at the same time: if kimi opens a
 * session while it deletes another, or opens one again that it is still
 * closing, the session is not found a moment later.
 */

static void open_now(struct talk *);

static void
open_waiting(struct acp_agent *agent)
{
	struct node *n;

	while (!agent->closings && (n = list_first(&agent->waiting))) {
		list_remove(&agent->waiting, n);
		open_now(container_of(n, struct acp, waits)->talk);
	}
}

static void
on_closed(void *whom, const json_t *result, const json_t *error)
{
	struct acp_agent *agent = ((struct agent *)whom)->state;

	agent->closings--;
	open_waiting(agent);
}

static void
close_doomed(struct agent *a)
{
	struct acp_agent *agent = a->state;
	json_t *doomed;
	size_t i;

	if (agent->openings)
		return;
	json_array_foreach (agent->doomed, i, doomed) {
		json_t *params = json_object_get(doomed, "params");

		agent->closings++;
		rpc_ask(&agent->rpc, json_text(doomed, "method"),
			json_incref(params), on_closed, a);
	}
	json_array_clear(agent->doomed);
}

static void
doom(struct talk *t, const char *method)
{
	json_array_append_new(acp_agent_of(t)->doomed,
			      json_pack("{s:s, s:o}", "method", method,
					"params", acp_params(t, NULL, NULL)));
}

static void
has_opened(struct talk *t)
{
	struct acp *c = t->state;

	if (!c->is_opening)
		return;
	c->is_opening = false;
	acp_agent_of(t)->openings--;
	close_doomed(t->agent);
}

void
acp_drop_sessions(struct acp_agent *agent)
{
	json_decref(agent->doomed);
	agent->doomed = NULL;
}

static void
open_up(struct talk *t, const json_t *opened)
{
	acp_read_models(t, opened);
	acp_set_mode(t, on_mode_set);
}

static void
fail(struct talk *t, const json_t *error)
{
	struct error e = { 0 };

	acp_explain(t, error, &e);
	talk_fail(t, &e);
}

static void
on_new(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	const char *id = json_text(result, "sessionId");
	struct error e = { 0 };

	has_opened(t);
	if (error) {
		fail(t, error);
		return;
	}
	if (!id || !*id) {
		fail_with(&e, ERR_HARNESS,
			  "%s has opened a session, but does "
			  "not say which",
			  talk_name(t));
		talk_fail(t, &e);
		return;
	}
	talk_name_it(t, id);
	open_up(t, result);
}

/* The errors for an unknown session differ from agent to agent, and some mean
 * other things: so the session is lost in any case, unless a login is missing.
 */
static void
on_reopened(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	const json_t *code = json_object_get(error, "code");

	has_opened(t);
	if (!error)
		open_up(t, result);
	else if (json_integer_value(code) == ACP_NO_LOGIN)
		fail(t, error);
	else
		talk_lost(t);
}

static json_t *
where(const struct talk *t)
{
	return json_pack("{s:s, s:[]}", "cwd", t->cwd, "mcpServers");
}

/*
 * Gemini names the file of a session by the minute and the first eight
 * characters of the id.  It makes such a file before it looks for the session
 * to load, so a session of the same minute is overwritten.  But it strips
 * spaces from the id when it looks: so we add spaces.
 */
static void
call_it_otherwise(struct talk *t)
{
	enum { MOST = 7 /* spaces, so that one character of it is left */ };
	size_t spaces = strspn(t->cli_id, " ");
	auto_free char *alias =
		copy_format(" %s", t->cli_id + (spaces < MOST ? 0 : spaces));

	talk_name_it(t, alias);
}

/* With session/load an agent repeats the conversation before it answers or,
 * like gemini, after that: it is not heard before the session is ready. */
static void
reopen(struct talk *t)
{
	struct acp_agent *agent = acp_agent_of(t);
	const char *method = agent->resumes ? "session/resume" : "session/load";
	json_t *params = where(t);

	if (agent->kind->loads_by_alias)
		call_it_otherwise(t);
	json_object_set_new(params, "sessionId", json_string(t->cli_id));
	rpc_ask(&agent->rpc, method, params, on_reopened, t);
}

static void
open_now(struct talk *t)
{
	struct acp_agent *agent = acp_agent_of(t);
	struct acp *c = t->state;

	c->is_opening = true;
	agent->openings++;
	if (t->resumed)
		reopen(t);
	else
		rpc_ask(&agent->rpc, "session/new", where(t), on_new, t);
}

/*
 * The protocol has no field for a system prompt or for a history.  An image in
 * the history is refused like any other, when the turn is said.
 */
static json_t *
preface_of(const struct talk *t)
{
	json_t *preface = transcript_preface(t);

	if (json_array_size(preface))
		return preface;
	json_decref(preface);
	return NULL;
}

void
acp_greet(struct talk *t)
{
	struct acp_agent *agent = acp_agent_of(t);
	struct acp *c = t->state;

	c->talk = t;
	c->preface = preface_of(t);
	if (t->resumed && !agent->resumes && !agent->loads)
		talk_lost(t);
	else if (agent->closings)
		list_append(&agent->waiting, &c->waits);
	else
		open_now(t);
}

/* With an agent that cannot close or delete sessions, they stay in its process
 * and in its records. */
void
acp_close(struct talk *t)
{
	struct acp_agent *agent = acp_agent_of(t);
	struct acp *c = t->state;

	rpc_forget(&agent->rpc, t);
	acp_record_clear(t);
	list_remove(&agent->waiting, &c->waits);
	has_opened(t);
	if (c->is_asked)
		rpc_tell(&agent->rpc, "session/cancel",
			 acp_params(t, NULL, NULL));
	if (agent->deletes && !t->kept && c->models)
		doom(t, "session/delete");
	else if (agent->closes && c->models)
		doom(t, "session/close");
	close_doomed(t->agent);
}

void
acp_clear(struct talk *t)
{
	struct acp *c = t->state;

	if (c->waits.next)
		list_remove(&acp_agent_of(t)->waiting, &c->waits);
	acp_record_clear(t);
	acp_forget_turn(c);
	json_decref(c->preface);
	json_decref(c->models);
	free(c->model_option);
	free(c->default_model);
	free(c->model);
	memset(c, 0, sizeof *c);
}
