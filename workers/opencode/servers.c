#include "workers/opencode/opencode.h"

#include <stdio.h>

#include "workers/cli/mcp.h"

/*
 * The MCP servers of the caller's.  opencode has one set of servers for each
 * directory, which all sessions in it share.  So the name of each server has a
 * key of its session in it, "br_<key>_<name>"; the process begins with a rule
 * that denies all of these to everybody, see opencode.c, and a session has one
 * that allows its own.  The key of a session that is opened again is in its
 * rules.  One that is never opened again has the lowest number that no other
 * has: a vendor keeps what it has read before the first word that is another,
 * and a caller without sessions sends the same messages to the next one.
 *
 * A server cannot be taken out of the set.  One that is not needed any more is
 * replaced by one that is disabled, and has no secrets.  A session that is
 * opened again meanwhile waits for that.
 */

#define OURS "br_"

bool
servers_have_rule(const json_t *rule)
{
	const char *what = json_text(rule, "permission");

	return what && !strncmp(what, OURS, sizeof OURS - 1);
}

static bool
has_rule(const json_t *rules, const char *what)
{
	const json_t *rule;
	size_t i;

	json_array_foreach (rules, i, rule)
		if (text_is(json_text(rule, "permission"), what))
			return true;
	return false;
}

static json_t *
rule_of(const char *what, const char *action)
{
	return json_pack("{s:s, s:s, s:s}", "permission", what, "pattern", "*",
			 "action", action);
}

static char *
allowed_names(const struct opencode *o)
{
	return copy_format(OURS "%s_*", o->key);
}

/* The key that the rules of a known session have. */
static void
find_key(struct opencode *o, const json_t *rules)
{
	const json_t *rule;
	size_t i;

	json_array_foreach (rules, i, rule) {
		const char *what = json_text(rule, "permission");

		if (text_is(json_text(rule, "action"), "allow") &&
		    servers_have_rule(rule) &&
		    strlen(what) > sizeof OURS - 1 + SERVERS_KEY)
			snprintf(o->key, sizeof o->key, "%.*s", SERVERS_KEY,
				 what + sizeof OURS - 1);
	}
}

static bool
is_taken(const struct conversation *c, const char *key)
{
	const struct server *s = c->instance->own;

	list_each (&c->instance->conversations, n) {
		const struct conversation *other =
			container_of(n, struct conversation, in_instance);
		const struct opencode *o = other->own;

		if (other != c && text_is(o->key, key))
			return true;
	}
	return json_object_get(s->burnt_keys, key) != NULL;
}

static void
make_key(const struct conversation *c)
{
	struct opencode *o = c->own;
	auto_free char *key = new_uuid();

	for (unsigned i = 0; !c->kept && i <= c->instance->joined; i++) {
		free(key);
		key = copy_format("%0*u", SERVERS_KEY, i);
		if (!is_taken(c, key))
			break;
	}
	snprintf(o->key, sizeof o->key, "%.*s", SERVERS_KEY, key);
}

json_t *
servers_rules(const struct conversation *c, const json_t *had)
{
	struct opencode *o = c->own;
	json_t *rules = json_array();
	auto_free char *names = NULL;

	find_key(o, had);
	if (had && !mcp_is_wanted(&c->options))
		return rules;
	if (!has_rule(had, OURS "*"))
		json_array_append_new(rules, rule_of(OURS "*", "deny"));
	if (!mcp_is_wanted(&c->options))
		return rules;
	if (!o->key[0])
		make_key(c);
	names = allowed_names(o);
	if (!has_rule(had, names))
		json_array_append_new(rules, rule_of(names, "allow"));
	return rules;
}

/* "br_1a2b3c_web"; the caller frees it. */
static char *
name_for(const struct opencode *o, const char *name)
{
	return copy_format(OURS "%s_%s", o->key, name);
}

char *
servers_begin_of(const struct opencode *o, const char *server)
{
	return copy_format(OURS "%s_%s_", o->key, server);
}

static json_t *
config_for(const json_t *server)
{
	json_t *config, *command;

	if (mcp_has_url(server)) {
		config = json_pack("{s:s, s:O, s:O}", "type", "remote", "url",
				   json_object_get(server, "url"), "headers",
				   json_object_get(server, "headers"));
	} else {
		command = json_pack("[O]", json_object_get(server, "command"));
		json_array_extend(command, json_object_get(server, "args"));
		config = json_pack("{s:s, s:o, s:O}", "type", "local",
				   "command", command, "environment",
				   json_object_get(server, "env"));
	}
	json_object_set_new(config, "timeout",
			    json_integer((json_int_t)mcp_call_ms(server)));
	return config;
}

static void
post(struct instance *inst, struct conversation *c, const char *where,
     const char *name, json_t *config, request_fn *answered)
{
	auto_free char *path = copy_format("/mcp%s", where);

	request_send(inst, c, "POST", path,
		     json_pack("{s:s, s:o}", "name", name, "config", config),
		     answered);
}

/* They are opened */

/* False if a server is not connected, or not tried yet, which is no error. */
static bool
check_statuses(const struct conversation *c, const json_t *statuses,
	       struct error *e)
{
	const struct opencode *o = c->own;
	const char *name;
	json_t *server;

	json_object_foreach ((json_t *)c->options.servers, name, server) {
		auto_free char *its_name = name_for(o, name);
		const json_t *row = json_object_get(statuses, its_name);
		const char *status = json_text(row, "status");

		if (row && !text_is(status, "connected"))
			return mcp_fail(&c->options, "opencode", name,
					json_text(row, "error"), e);
	}
	return true;
}

/* The answer has the statuses of all servers. */
static void
on_posted(struct request *x, int status, const json_t *answer)
{
	struct conversation *c = x->conversation;
	struct opencode *o = c ? c->own : NULL;
	struct error e = { 0 };

	if (!o)
		return;
	o->servers_asked--;
	if (o->servers_failed)
		return;
	if (!server_agrees(status, answer, &e) ||
	    !check_statuses(c, answer, &e)) {
		o->servers_failed = true;
		conversation_fail(c, &e);
	} else if (!o->servers_asked) {
		o->opened(c);
	}
}

static bool
must_wait(const struct conversation *c)
{
	const struct server *s = c->instance->own;
	const struct opencode *o = c->own;
	const char *name;
	json_t *server;

	json_object_foreach ((json_t *)c->options.servers, name, server) {
		auto_free char *its_name = name_for(o, name);

		if (json_object_get(s->leaving, its_name))
			return true;
	}
	return false;
}

static void
post_all(struct conversation *c)
{
	struct opencode *o = c->own;
	const char *name;
	json_t *server;

	o->servers_asked = (unsigned)json_object_size(c->options.servers);
	json_decref(o->servers);
	o->servers = json_incref((json_t *)c->options.servers);
	json_object_foreach ((json_t *)c->options.servers, name, server) {
		auto_free char *its_name = name_for(o, name);

		post(c->instance, c, o->where, its_name, config_for(server),
		     on_posted);
	}
}

void
servers_open(struct conversation *c, void (*then)(struct conversation *))
{
	struct server *s = c->instance->own;
	struct opencode *o = c->own;

	o->opened = then;
	o->conversation = c;
	if (!mcp_is_wanted(&c->options))
		then(c);
	else if (must_wait(c))
		list_append(&s->waiting, &o->waits);
	else
		post_all(c);
}

/* They are closed */

static void
open_waiting(struct server *s)
{
	struct node *n, *next;

	for (n = s->waiting.head.next; n != &s->waiting.head; n = next) {
		struct opencode *o = container_of(n, struct opencode, waits);

		next = n->next;
		if (must_wait(o->conversation))
			continue;
		list_remove(&s->waiting, n);
		post_all(o->conversation);
	}
}

/* After a failure nothing is known of any: none is waited for. */
static void
on_left(struct request *x, int status, const json_t *answer)
{
	struct server *s = x->instance->own;
	const char *name;
	json_t *left;
	void *next;

	json_object_foreach_safe(s->leaving, next, name, left)
	{
		const json_t *row = json_object_get(answer, name);

		if (status / 100 != 2 ||
		    text_is(json_text(row, "status"), "disabled"))
			json_object_del(s->leaving, name);
	}
	open_waiting(s);
}

void
servers_close(struct conversation *c)
{
	struct server *s = c->instance->own;
	struct opencode *o = c->own;
	const char *name;
	json_t *server;

	list_remove(&s->waiting, &o->waits);
	json_object_foreach (o->servers, name, server) {
		auto_free char *its_name = name_for(o, name);

		json_object_set_new(s->leaving, its_name, json_true());
		post(c->instance, NULL, o->where, its_name,
		     json_pack("{s:s, s:[s], s:b}", "type", "local", "command",
			       "true", "enabled", 0),
		     on_left);
	}
	json_decref(o->servers);
	o->servers = NULL;
}
