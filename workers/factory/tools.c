#include "workers/factory/factory.h"

#include "workers/options/tools.h"

/*
 * The caller's tools are an MCP server of the session (../cli/client_tools.h).
 * droid tells of a message of its model's when that is complete, with all calls
 * in it, and asks for the results of all of them at once.
 *
 * Once the response has ended, what droid says is heard when the results are
 * there: a tool of its own may end meanwhile.
 */

/* In droid the name of a tool is that of its server, this, and its own. */
#define BETWEEN "___"

/* The name of the tool, as droid was told of it, behind its own name; NULL: it
 * is not of the caller's. */
static const char *
told_name(const char *name)
{
	const char *server = factory_server_name(CLIENT_SERVER);
	size_t len = strlen(server);

	if (!name || strncmp(name, server, len) != 0 ||
	    strncmp(name + len, BETWEEN, sizeof BETWEEN - 1) != 0)
		return NULL;
	return name + len + sizeof BETWEEN - 1;
}

bool
factory_hear_client_call(struct factory *f, const json_t *block)
{
	struct conversation *c = f->conversation;
	const char *id = json_text(block, "id");
	const char *name = told_name(json_text(block, "name"));

	if (!c->client_tools || !id || !name)
		return false;
	if (!f->client_calls)
		f->client_calls = json_object();
	json_object_set_new(f->client_calls, id, json_true());
	f->paragraphs.used_tool = true;
	client_tools_announce(c, id, name, json_object_get(block, "input"));
	return true;
}

/* It may have ended without a question: droid refuses arguments that the schema
 * does not allow by itself. */
bool
factory_hear_client_result(struct factory *f, const char *id)
{
	if (!id || !json_object_get(f->client_calls, id))
		return false;
	client_tools_withdraw(f->conversation, id);
	return true;
}

void
factory_park(struct conversation *c, json_t *calls)
{
	struct factory *f = c->own;

	f->is_parked = true;
	conversation_park(c, calls, NULL, f->model[0] ? f->model : NULL);
}

/* Of a turn that has ended nobody wants the results. */
static void
fail_parked(struct conversation *c)
{
	struct error why = { 0 };

	fail_with(&why, ERR_HARNESS,
		  "factory: its turn ended while it waited for results");
	conversation_fail(c, &why);
}

bool
factory_keep(struct factory *f, const char *type, const json_t *n)
{
	if (!f->is_parked)
		return false;
	if (!strcmp(type, "agent_turn_completed")) {
		fail_parked(f->conversation);
		return true;
	}
	if (!f->kept)
		f->kept = json_array();
	json_array_append(f->kept, (json_t *)n);
	return true;
}

/* What follows is another answer, and begins with what was kept. */
void
factory_answer(struct conversation *c)
{
	struct factory *f = c->own;
	json_t *kept = f->kept, *n;
	size_t i;

	f->kept = NULL;
	f->is_parked = false;
	f->paragraphs = (struct paragraphs){ 0 };
	client_tools_answer(c);
	json_array_foreach (kept, i, n)
		factory_hear(f, n);
	json_decref(kept);
}
