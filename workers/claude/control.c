#include "workers/claude/claude.h"

#include <stdio.h>

/*
 * Control requests go in both directions beside the conversation: ours are the
 * handshake and the choice of a model, the CLI's are for permissions.
 */

static void
note_models(struct talk *t, const json_t *response)
{
	const json_t *models = json_object_get(response, "models"), *model;
	json_t *all = json_array();
	size_t i;

	json_array_foreach (models, i, model) {
		json_t *value = json_object_get(model, "value");

		if (json_is_string(value))
			json_array_append_new(
				all,
				json_pack(
					"{s:O, s:O*}", "id", value, "name",
					json_object_get(model, "displayName")));
	}
	if (json_array_size(all))
		talk_models(t, all);
	else
		json_decref(all);
}

/* If the CLI refuses a model it keeps the one that it had. */
static void
on_model_set(struct talk *t, const char *error)
{
	struct claude *c = t->state;
	struct error why = { 0 };

	c->is_asked_for_model = false;
	if (!error) {
		free(c->said_model);
		c->said_model = c->asked_model;
		c->asked_model = NULL;
		if (c->prompt)
			claude_send_prompt(t);
		return;
	}
	if (!c->prompt)
		return;
	free(c->prompt);
	c->prompt = NULL;
	fail_with(&why, ERR_NO_MODEL, "%s: %s", t->agent->name, error);
	talk_fail(t, &why);
}

/* Only the reply to the last request for a model counts. */
bool
claude_on_reply(struct talk *t, const json_t *line, struct error *e)
{
	struct claude *c = t->state;
	const json_t *response = json_object_get(line, "response");
	const char *id = json_text(response, "request_id");
	const char *error = json_text(response, "error");
	char last[32];

	snprintf(last, sizeof last, CLAUDE_MODEL_REQUEST, (uintmax_t)c->asked);
	if (id && !strcmp(id, "greet")) {
		if (error)
			return fail_with(e, ERR_HARNESS, "%s: %s",
					 t->agent->name, error);
		if (!is_claudish(t))
			note_models(t, json_object_get(response, "response"));
		history_remove(t);
		talk_ready(t);
	} else if (id && !strcmp(id, last)) {
		on_model_set(t, error);
	}
	return true;
}

/* The CLI asks as root (see claude.c).  Another version may ask where this one
 * decides by itself; that is refused. */
static json_t *
permission_of(const struct talk *t, const json_t *request)
{
	if (claude_may_do_all(t))
		return json_pack("{s:s, s:O?}", "behavior", "allow",
				 "updatedInput",
				 json_object_get(request, "input"));
	return json_pack("{s:s, s:s+}", "behavior", "deny", "message",
			 "not allowed in permission mode ", t->permission_mode);
}

/* All other requests are refused: there is nothing to answer them with. */
bool
claude_on_request(struct talk *t, const json_t *line, struct error *e)
{
	const json_t *request = json_object_get(line, "request");
	const char *subtype = json_text(request, "subtype");
	const char *id = json_text(line, "request_id");
	json_t *response;

	if (subtype && !strcmp(subtype, "can_use_tool")) {
		response = json_pack("{s:s, s:s?, s:o}", "subtype", "success",
				     "request_id", id, "response",
				     permission_of(t, request));
	} else {
		agent_unknown(t->agent, "request",
			      subtype ? subtype : "without a subtype");
		response = json_pack("{s:s, s:s?, s:s}", "subtype", "error",
				     "request_id", id, "error",
				     "not supported by this client");
	}
	talk_write_json(t, json_pack("{s:s, s:o}", "type", "control_response",
				     "response", response));
	return true;
}
