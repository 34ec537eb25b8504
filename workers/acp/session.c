#include "workers/acp/acp.h"

#include "workers/transcript.h"

/* Less than is allowed does no harm, for it asks us then. */
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

/* What one says of a session that it does not know, another says of anything
 * that it does not like: it is lost in any case, unless it can't be had. */
static void
on_reopened(void *whom, const json_t *result, const json_t *error)
{
	struct talk *t = whom;
	const json_t *code = json_object_get(error, "code");

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

/* With session/load it tells all that was said before it answers, or, like
 * gemini, behind: nothing is heard before it is ready. */
static void
reopen(struct talk *t)
{
	struct acp_agent *agent = acp_agent_of(t);
	const char *method = agent->resumes ? "session/resume" : "session/load";
	json_t *params = where(t);

	if (!agent->resumes && !agent->loads) {
		json_decref(params);
		talk_lost(t);
		return;
	}
	json_object_set_new(params, "sessionId", json_string(t->cli_id));
	rpc_ask(&agent->rpc, method, params, on_reopened, t);
}

/* There is no field for a system prompt, nor for what was said before. */
static json_t *
preface_of(const struct talk *t)
{
	json_t *preface = transcript_preface(t), *text;

	if (json_array_size(preface) == 0) {
		json_decref(preface);
		return NULL;
	}
	if (acp_agent_of(t)->sees_images)
		return preface;
	text = transcript_text(preface);
	json_decref(preface);
	return json_pack("[{s:s, s:o}]", "type", "text", "text", text);
}

void
acp_greet(struct talk *t)
{
	struct acp *c = t->state;

	c->preface = preface_of(t);
	if (t->resumed)
		reopen(t);
	else
		rpc_ask(&acp_agent_of(t)->rpc, "session/new", where(t), on_new,
			t);
}

/* One that can't be closed stays in the process, and one that can't be deleted
 * in the agent's records: it has no means against that. */
void
acp_close(struct talk *t)
{
	struct acp_agent *agent = acp_agent_of(t);
	struct acp *c = t->state;

	rpc_forget(&agent->rpc, t);
	acp_record_clear(t);
	if (c->is_asked)
		rpc_tell(&agent->rpc, "session/cancel",
			 acp_params(t, NULL, NULL));
	if (agent->deletes && !t->kept)
		rpc_ask(&agent->rpc, "session/delete",
			acp_params(t, NULL, NULL), NULL, NULL);
	else if (agent->closes)
		rpc_ask(&agent->rpc, "session/close", acp_params(t, NULL, NULL),
			NULL, NULL);
}

void
acp_clear(struct talk *t)
{
	struct acp *c = t->state;

	acp_record_clear(t);
	acp_forget_turn(c);
	json_decref(c->preface);
	json_decref(c->models);
	free(c->model_option);
	free(c->default_model);
	free(c->model);
	memset(c, 0, sizeof *c);
}
