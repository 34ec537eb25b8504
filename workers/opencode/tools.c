#include "workers/opencode/opencode.h"

#include "workers/options/tools.h"

/*
 * The caller's tools are an MCP server of the session (../cli/client_tools.h),
 * under a name of the session's own, see servers.c.
 *
 * opencode asks for the result of a call as soon as its model has made it, and
 * goes on to hear what else the model says.  A part of the message tells of
 * each call: it is "pending" while the model makes it, and "running" once it
 * has its arguments.  That the vendor's answer has ended is told only when all
 * results are there.  But with many vendors a text ends with the answer it
 * stands in, also if calls follow it: so a text that ends behind a call says
 * that no other call comes.
 *
 * Once the response has ended, what opencode says is heard when the results are
 * there: a tool of its own may end meanwhile.
 */

#define INVALID "invalid" /* stands for a tool that was called wrongly */

/* The name of the tool, as opencode was told of it, behind its own name; NULL:
 * it is not of the caller's. */
static const char *
told_name(const struct conversation *c, const char *name)
{
	auto_free char *begin = servers_begin_of(c->own, CLIENT_SERVER);
	size_t len = strlen(begin);

	return name && !strncmp(name, begin, len) ? name + len : NULL;
}

static const char *
tool_of(const struct conversation *c, const json_t *part)
{
	const char *name = json_text(part, "tool");
	const json_t *input =
		json_object_get(json_object_get(part, "state"), "input");

	if (text_is(name, INVALID))
		name = json_text(input, "tool");
	return told_name(c, name);
}

/* What is invalid opencode answers by itself. */
static void
tell(struct conversation *c, const json_t *part, const char *name)
{
	const json_t *state = json_object_get(part, "state");
	const char *status = json_text(state, "status");
	const char *id = json_text(part, "callID");

	if (text_is(status, "pending"))
		client_tools_announce(c, id, name, NULL);
	else if (text_is(status, "running") &&
		 !text_is(json_text(part, "tool"), INVALID))
		client_tools_announce(c, id, name,
				      json_object_get(state, "input"));
	else
		client_tools_withdraw(c, id);
}

bool
tools_hear(struct conversation *c, json_t *record, const json_t *part)
{
	struct opencode *o = c->own;
	const char *name;

	if (!c->client_tools || !json_text(part, "callID"))
		return false;
	name = tool_of(c, part);
	if (name)
		json_object_set_new(record, "is_clients", json_true());
	else if (!json_object_get(record, "is_clients"))
		return false;
	o->step_spoke = o->step_called = o->has_calls = true;
	tell(c, part, name ? name : "");
	return true;
}

void
tools_hear_end_of_text(struct conversation *c)
{
	const struct opencode *o = c->own;

	if (o->has_calls)
		client_tools_complete(c);
}

/* The response */

void
tools_park(struct conversation *c, json_t *calls)
{
	struct opencode *o = c->own;
	struct usage usage = o->usage;

	o->is_parked = true;
	o->has_calls = false;
	o->usage = (struct usage){ 0 };
	conversation_park(c, calls, &usage, o->model[0] ? o->model : NULL);
}

/* Of a turn that has ended nobody wants the results. */
static void
fail_parked(struct conversation *c, const json_t *about)
{
	struct error why = { 0 };

	fail_with(&why, ERR_HARNESS,
		  "opencode: its turn ended while it waited for results");
	conversation_fail(c, &why);
}

bool
tools_keep_event(struct conversation *c, const char *type, const json_t *about)
{
	struct opencode *o = c->own;
	const json_t *status = json_object_get(about, "status");

	if (!o->is_parked)
		return false;
	if (text_is(type, "session.idle") || text_is(type, "session.error") ||
	    text_is(json_text(status, "type"), "idle")) {
		fail_parked(c, about);
		return true;
	}
	if (!o->kept)
		o->kept = json_array();
	json_array_append_new(
		o->kept, json_pack("{s:s, s:O}", "type", type, "about", about));
	return true;
}

/* What follows is another answer, and begins with what was kept. */
void
tools_answer(struct conversation *c)
{
	struct opencode *o = c->own;
	json_t *kept = o->kept, *event;
	size_t i;

	o->kept = NULL;
	o->is_parked = o->has_text = false;
	o->part[0] = '\0';
	client_tools_answer(c);
	json_array_foreach (kept, i, event)
		events_hear(c, json_text(event, "type"),
			    json_object_get(event, "about"));
	json_decref(kept);
}
