#include "workers/options/terms.h"

#include "proto/buf.h"
#include "workers/io/json.h"
#include "workers/options/kept_tools.h"
#include "workers/options/profile.h"
#include "workers/options/tools.h"

static const char *const names[OPTIONS] = {
#define OPTION(ID, kind, scope, by, name, field, alias, header, limit, unit, \
	       doc)                                                          \
	name,
#include "proto/options.def"
};

/* What the request says counts before what the profile does. */
static void
settle_profile(struct options *o)
{
	struct str effort;
	json_t *servers;

	if (!o->profile)
		return;
	effort = profile_text(o->profile, "model.reasoningEffort");
	servers = profile_servers(o->profile);
	if (o->effort == EFFORT_USUAL && effort.len)
		(void)effort_read(effort.ptr, &o->effort); /* was checked */
	if (servers && o->servers)
		json_object_update(servers, (json_t *)o->servers);
	if (!servers)
		return;
	json_decref(o->all_servers);
	o->servers = o->all_servers = servers;
}

/* A member of the terms that no request has. */
#define KEPT_EFFORT "kept_effort"

char *
options_keep_effort(char *text)
{
	auto_free char *before = text;
	json_auto_t *terms = before ? json_loads(before, 0, NULL) : NULL;

	if (!terms)
		terms = json_object();
	json_object_set_new(terms, KEPT_EFFORT, json_true());
	return json_dumps(terms, JSON_COMPACT);
}

/* The mode byob is the same as none, and so is an empty set of servers. */
void
terms_settle(struct options *o, json_t *terms)
{
	const char *mode = json_text(terms, names[OPTION_MODE]);

	o->mode = MODE_BYOB;
	for (unsigned i = 0; mode && i < MODES; i++)
		if (!strcmp(mode, mode_name((enum mode)i)))
			o->mode = (enum mode)i;
	if (mode && o->mode == MODE_BYOB)
		json_object_del(terms, names[OPTION_MODE]);
	if (!json_object_size(json_object_get(terms, names[OPTION_MCP])))
		json_object_del(terms, names[OPTION_MCP]);
	terms = kept_tools_note(o, terms);
	if (json_object_size(terms) == 0) {
		json_decref(terms);
		terms = NULL;
	}
	json_decref(o->terms);
	o->terms = terms;
	o->profile = json_object_get(terms, names[OPTION_PROFILE]);
	o->servers = json_object_get(terms, names[OPTION_MCP]);
	o->effort = o->said_effort;
	settle_profile(o);
	o->kept_effort = json_is_true(json_object_get(terms, KEPT_EFFORT));
	free(o->text);
	o->text = terms ? json_dumps(terms, JSON_COMPACT) : NULL;
}

const json_t *
options_own_servers(const struct options *o)
{
	return json_object_get(o->terms, names[OPTION_MCP]);
}

static bool
may_keep_profile(const struct options *o, const json_t *had, const json_t *now,
		 struct error *e)
{
	char a[PROFILE_DIGEST_SIZE], b[PROFILE_DIGEST_SIZE];

	if (!had || !now || o->rebinds)
		return true;
	profile_digest(had, a);
	profile_digest(now, b);
	return !strcmp(a, b) ||
	       fail_about(e, ERR_BINDING,
			  "%s: the session has the profile %s, and the "
			  "request has %s: leave it out, say "
			  "\"rebind_profile\": true, or use another "
			  "session_id",
			  names[OPTION_PROFILE], a, b);
}

/* In the session's order, so that the same terms have one text.  A profile
 * stays as it was told first: the order of its members makes no other one. */
bool
options_inherit(struct options *o, const char *text, struct error *e)
{
	const char *profile = names[OPTION_PROFILE];
	json_t *terms = text ? json_loads(text, 0, NULL) : NULL;
	json_t *had = json_incref(json_object_get(terms, profile));
	const json_t *now = json_object_get(o->said, profile);
	bool ok = may_keep_profile(o, had, now, e);

	if (ok && o->said && terms)
		json_object_update(terms, o->said);
	if (ok && had && now && !o->rebinds)
		json_object_set(terms, profile, had);
	json_decref(had);
	if (ok)
		terms_settle(o, terms ? terms : json_copy(o->said));
	else
		json_decref(terms);
	return ok;
}

bool
options_has_profile_of(const struct options *o, const char *text)
{
	json_t *terms = text ? json_loads(text, 0, NULL) : NULL;
	const json_t *had = json_object_get(terms, names[OPTION_PROFILE]);
	bool is_same = had == o->profile || json_equal(had, o->profile);

	json_decref(terms);
	return is_same;
}

bool
options_drop_system_of(const struct options *o, const char *text)
{
	json_t *terms = text ? json_loads(text, 0, NULL) : NULL;
	const json_t *had = json_object_get(terms, names[OPTION_PROFILE]);
	bool has_had_one = profile_system(had).len > 0;

	json_decref(terms);
	return has_had_one && !profile_system(o->profile).len;
}

void
options_add_server(struct options *o, const char *name, json_t *server)
{
	json_t *all =
		o->servers ? json_copy((json_t *)o->servers) : json_object();

	json_object_set_new(all, name, server);
	json_decref(o->all_servers);
	o->servers = o->all_servers = all;
}

/* Where the caller's tools are is another matter in each conversation. */
static json_t *
servers_but_tools(const struct options *o)
{
	json_t *servers = json_copy((json_t *)o->servers);

	json_object_del(servers, CLIENT_SERVER);
	if (json_object_size(servers))
		return servers;
	json_decref(servers);
	return NULL;
}

/* Not which ones. */
static void
pick_tools(struct options *to, const struct options *from, unsigned set)
{
	if (!from->tools || !(set & (BINDS_TOOLS | BINDS_OWN_TOOLS)))
		return;
	if (set & BINDS_TOOLS || options_replace_tools(from))
		to->tools = json_array();
	to->keeps_own_tools = !(set & BINDS_OWN_TOOLS) || from->keeps_own_tools;
}

void
options_pick(struct options *to, const struct options *from, unsigned set)
{
	json_t *terms = json_object();

	*to = (struct options){ 0 };
	for (int i = 0; from && i < OPTIONS; i++) {
		json_t *value = i == OPTION_MCP
					? servers_but_tools(from)
					: json_incref(json_object_get(
						  from->terms, names[i]));

		if (value && set & 1u << i)
			json_object_set(terms, names[i], value);
		json_decref(value);
	}
	terms_settle(to, terms);
	if (from)
		pick_tools(to, from, set);
	if (from && set & BINDS_EFFORT)
		to->effort = from->effort == EFFORT_USUAL && from->kept_effort
				     ? EFFORT_MEDIUM
				     : from->effort;
}

/* The same values, or neither has one. */
static bool
same_member(const json_t *a, const json_t *b, const char *name)
{
	const json_t *one = json_object_get(a, name);
	const json_t *other = json_object_get(b, name);

	return one == other || json_equal(one, other);
}

static bool
same_terms(const struct options *a, const struct options *b, unsigned but)
{
	if (str_eq(str_of(a->text), str_of(b->text)))
		return true;
	for (unsigned i = 0; but && i < OPTIONS; i++)
		if (!(but & 1u << i) &&
		    !same_member(a->terms, b->terms, names[i]))
			return false;
	return but != 0;
}

bool
options_suit(const struct options *had, const struct options *wanted,
	     unsigned binds, unsigned anew)
{
	if (!same_terms(had, wanted, anew))
		return false;
	if (binds & BINDS_EFFORT && had->effort != wanted->effort)
		return false;
	if (binds & BINDS_OWN_TOOLS &&
	    options_replace_tools(had) != options_replace_tools(wanted))
		return false;
	if (binds & BINDS_TOOLS && had->tools != wanted->tools &&
	    !json_equal(had->tools, wanted->tools))
		return false;
	return !(binds & BINDS_FORMAT) || had->schema == wanted->schema ||
	       json_equal(had->schema, wanted->schema);
}
