#include "workers/claude/claude.h"

#include <stdio.h>

/*
 * Control requests go in both directions beside the conversation: ours are the
 * handshake and the choice of a model, the CLI's are for permissions.
 */

static void
note_models(struct conversation *c, const json_t *response)
{
	const json_t *models = json_object_get(response, "models"), *model;
	json_t *all = json_array();
	size_t i;

	json_array_foreach (models, i, model) {
		json_t *value = json_object_get(model, "value");

		if (json_is_string(value))
			claude_note_efforts(c->own, model);
		if (json_is_string(value))
			json_array_append_new(
				all,
				json_pack(
					"{s:O, s:O*}", "id", value, "name",
					json_object_get(model, "displayName")));
	}
	if (json_array_size(all))
		conversation_models(c, all);
	else
		json_decref(all);
}

/* Fails the turn whose prompt waits, if there is one. */
static void
fail_unsaid(struct conversation *c, const struct error *why)
{
	struct claude *own = c->own;

	if (!own->prompt)
		return;
	free(own->prompt);
	own->prompt = NULL;
	conversation_fail(c, why);
}

/* If the CLI refuses a model it keeps the one that it had. */
static void
on_model_set(struct conversation *c, const char *error)
{
	struct claude *own = c->own;
	struct error why = { 0 };

	own->is_asked_for_model = false;
	if (!error) {
		free(own->said_model);
		own->said_model = own->asked_model;
		own->asked_model = NULL;
		if (own->prompt)
			claude_send_prompt(c);
		return;
	}
	fail_with(&why, ERR_NO_MODEL, "%s: %s", c->instance->name, error);
	fail_unsaid(c, &why);
}

static void
open_up(struct conversation *c)
{
	struct claude *own = c->own;

	own->is_open = true;
	conversation_ready(c);
}

/* Without its servers the turn is not said.  If the CLI is told at the start,
 * the conversation does not begin. */
static void
on_servers_set(struct conversation *c, const json_t *response)
{
	struct claude *own = c->own;
	struct error why = { 0 };
	bool ok = claude_on_servers(c, response, &why);

	if (!own->is_open && ok)
		open_up(c);
	else if (!own->is_open)
		conversation_fail(c, &why);
	else if (!ok)
		fail_unsaid(c, &why);
	else if (own->prompt)
		claude_send_prompt(c);
}

/* The prompt is not in the queue any more, or the CLI does not know such a
 * request: then its turn is under way, or about to begin. */
static void
on_recalled(struct conversation *c, const json_t *response)
{
	struct claude *own = c->own;
	const json_t *answer = json_object_get(response, "response");

	if (!own->recalled ||
	    json_is_true(json_object_get(answer, "cancelled")))
		return;
	if (own->under_way == CLAUDE_OUR_TURN || !own->marks)
		claude_stop_turn(c);
}

static void
on_handshake(struct conversation *c, const json_t *answer)
{
	struct claude *own = c->own;
	const char *version = json_text(answer, "claude_code_version");
	struct error none;

	if (!is_claudish(c))
		note_models(c, answer);
	own->honours_composed =
		version &&
		!strcmp(version, harness_of(c->instance->name, &none)->tested);
	own->is_ready = true;
	history_remove(c);
	if (claude_has_servers(c))
		open_up(c);
	else
		claude_ask_for_servers(c);
}

/* Only the replies to the last request for a model, and for servers, count. */
bool
claude_on_reply(struct conversation *c, const json_t *line, struct error *e)
{
	struct claude *own = c->own;
	const json_t *response = json_object_get(line, "response");
	const char *id = json_text(response, "request_id");
	const char *error = json_text(response, "error");
	auto_free char *model = copy_format(CLAUDE_MODEL_REQUEST,
					    (uintmax_t)own->model_request);
	auto_free char *servers = copy_format(CLAUDE_SERVERS_REQUEST,
					      (uintmax_t)own->servers_request);

	if (id && !strcmp(id, "greet")) {
		if (error)
			return fail_with(e, ERR_HARNESS, "%s: %s",
					 c->instance->name, error);
		on_handshake(c, json_object_get(response, "response"));
	} else if (id && !strcmp(id, CLAUDE_RECALL_REQUEST)) {
		on_recalled(c, response);
	} else if (id && claude_on_effort(c, id, error)) {
		/* it was about that */
	} else if (id && !strcmp(id, model)) {
		on_model_set(c, error);
	} else if (id && !strcmp(id, servers)) {
		on_servers_set(c, response);
	}
	return true;
}

/* The CLI asks as root (see claude.c).  Another version may ask where this one
 * decides by itself; that is refused. */
static json_t *
permission_of(const struct conversation *c, const json_t *request)
{
	if (claude_may_do_all(c))
		return json_pack("{s:s, s:O?}", "behavior", "allow",
				 "updatedInput",
				 json_object_get(request, "input"));
	return json_pack("{s:s, s:s+}", "behavior", "deny", "message",
			 "not allowed in the mode ",
			 c->options.mode == MODE_SAFE ? mode_name(MODE_SAFE)
						      : c->permission_mode);
}

/* All other requests are refused: there is nothing to answer them with. */
bool
claude_on_request(struct conversation *c, const json_t *line, struct error *e)
{
	struct claude *own = c->own;
	bool was_listing = own->is_listing;
	const json_t *request = json_object_get(line, "request");
	const char *subtype = json_text(request, "subtype");
	const char *id = json_text(line, "request_id");
	json_t *response, *answer = NULL;

	if (subtype && !strcmp(subtype, "can_use_tool"))
		answer = permission_of(c, request);
	else if (subtype && !strcmp(subtype, "mcp_message"))
		answer = claude_on_message(c, request);
	else if (subtype && !strcmp(subtype, "hook_callback"))
		answer = claude_on_hook(c, request);
	if (answer) {
		response = json_pack("{s:s, s:s?, s:o}", "subtype", "success",
				     "request_id", id, "response", answer);
	} else {
		instance_unknown(c->instance, "request",
				 subtype ? subtype : "without a subtype");
		response = json_pack("{s:s, s:s?, s:s}", "subtype", "error",
				     "request_id", id, "error",
				     "not supported by this client");
	}
	conversation_write_json(c, json_pack("{s:s, s:o}", "type",
					     "control_response", "response",
					     response));
	if (own->prompt && !own->is_listing && was_listing)
		claude_send_prompt(c);
	return true;
}
