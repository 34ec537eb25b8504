#include "workers/options/options.h"

#include "proto/buf.h"
#include "workers/io/json.h"
#include "workers/options/effort.h"
#include "workers/options/format.h"
#include "workers/options/profile.h"
#include "workers/options/servers.h"
#include "workers/options/terms.h"
#include "workers/options/tools.h"

enum kind { IS_text, IS_flag, IS_object, IS_named, IS_list, IS_choice };
enum scope { TERMS, TURN };

static const struct declaration {
	enum kind kind;
	enum scope scope;
	const char *name, *field, *alias, *header;
} options[OPTIONS] = {
#define OPTION(ID, kind, scope, by, name, field, alias, header, limit, unit, \
	       doc)                                                          \
	{ IS_##kind, scope, name, field, alias, header },
#include "proto/options.def"
};

static const char *const modes[MODES] = {
	[MODE_BYOB] = "byob",
	[MODE_SAFE] = "hosted-safe",
	[MODE_SANDBOXED] = "hosted-sandboxed",
};

static const char *const efforts[EFFORTS] = {
	[EFFORT_NONE] = "none", [EFFORT_MINIMAL] = "minimal",
	[EFFORT_LOW] = "low",	[EFFORT_MEDIUM] = "medium",
	[EFFORT_HIGH] = "high", [EFFORT_XHIGH] = "xhigh",
	[EFFORT_MAX] = "max",
};

const char *
mode_name(enum mode m)
{
	return modes[m];
}

const char *
effort_name(enum effort e)
{
	return efforts[e];
}

bool
effort_read(const char *word, enum effort *effort)
{
	for (int i = 0; i < EFFORTS; i++) {
		if (!efforts[i] || strcmp(word, efforts[i]) != 0)
			continue;
		*effort = (enum effort)i;
		return true;
	}
	return false;
}

bool
options_has_field(const char *name)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if ((options[i].field && !strcmp(options[i].field, name)) ||
		    (options[i].alias && !strcmp(options[i].alias, name)))
			return true;
	return false;
}

bool
options_has_field_in(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < OPTIONS; i++)
		if (options[i].field && !strncmp(options[i].field, name, len) &&
		    options[i].field[len] == '.')
			return true;
	return false;
}

/* Values */

/* Where a value was found, and what it is; the caller json_decref()s it. */
struct found {
	const char *where; /* "reasoning_effort", "X-Bridge-Mode" */
	json_t *value;	   /* NULL: nowhere */
};

static bool
fail_kind(const struct found *f, enum kind kind, struct error *e)
{
	static const char *const must[] = {
		[IS_text] = "a text",
		[IS_flag] = "true or false",
		[IS_object] = "an object",
		[IS_named] = "an object, or the id of one",
		[IS_list] = "an array",
		[IS_choice] = "a text or an object",
	};

	return fail_about(e, ERR_INVALID, "%s: must be %s", f->where,
			  must[kind]);
}

static bool
check_kind(const struct found *f, enum kind kind, struct error *e)
{
	bool is_text = json_string_length(f->value) > 0 &&
		       strlen(json_string_value(f->value)) ==
			       json_string_length(f->value);
	bool is_object = json_is_object(f->value);
	const bool is[] = {
		[IS_text] = is_text,
		[IS_flag] = json_is_boolean(f->value),
		[IS_object] = is_object,
		[IS_named] = is_object || is_text,
		[IS_list] = json_is_array(f->value),
		[IS_choice] = is_object || is_text,
	};

	return is[kind] || fail_kind(f, kind, e);
}

static json_t *
flag_of(struct str said)
{
	static const char *const yes[] = { "true", "1", "yes" };
	static const char *const no[] = { "false", "0", "no" };

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		if (str_same(said, str_of(yes[i])))
			return json_true();
		if (str_same(said, str_of(no[i])))
			return json_false();
	}
	return NULL;
}

/* A header has text only. */
static bool
read_header(const struct declaration *d, struct str said, struct found *f,
	    struct error *e)
{
	f->where = d->header;
	if (d->kind == IS_flag)
		f->value = flag_of(said);
	else if (d->kind == IS_text ||
		 (d->kind == IS_named && *said.ptr != '{'))
		f->value = json_stringn(said.ptr, said.len);
	else
		f->value = json_loadb(said.ptr, said.len, 0, NULL);
	if (!f->value && d->kind != IS_flag)
		return fail_about(e, ERR_INVALID, "%s: is not valid JSON",
				  d->header);
	return check_kind(f, d->kind, e);
}

/* Null and an empty text say nothing: templates that had nothing to fill in
 * send them. */
static json_t *
field_of(const json_t *body, const char *name)
{
	const char *dot = name ? strchr(name, '.') : NULL;
	auto_free char *outer =
		dot ? copy((struct str){ name, (size_t)(dot - name) }) : NULL;
	json_t *value =
		dot    ? json_object_get(json_object_get(body, outer), dot + 1)
		: name ? json_object_get(body, name)
		       : NULL;

	if (json_is_null(value) ||
	    (json_is_string(value) && !json_string_length(value)))
		return NULL;
	return json_incref(value);
}

static bool
find_in_body(const struct declaration *d, const json_t *body, struct found *f,
	     struct error *e)
{
	f->where = d->field;
	f->value = field_of(body, d->field);
	if (f->value || !d->alias)
		return !f->value || check_kind(f, d->kind, e);
	f->where = d->alias;
	f->value = field_of(body, d->alias);
	return !f->value || check_kind(f, d->kind, e);
}

static bool
find_in_headers(const struct declaration *d, const json_t *headers,
		struct found *f, struct error *e)
{
	struct str said = { 0 };

	if (d->header)
		said = str_trim(json_str(headers, d->header));
	return !said.len || read_header(d, said, f, e);
}

/* What they mean */

static bool
fail_word(const struct found *f, const char *const *words, size_t n,
	  struct error *e)
{
	struct buf list = BUF_INIT(MAX_ERROR_TEXT);

	for (size_t i = 0; i < n; i++)
		if (words[i])
			buf_print(&list, "%s%s", list.len ? ", " : "",
				  words[i]);
	fail_about(e, ERR_INVALID, "%s: \"%.40s\" is none of: " STR_FMT,
		   f->where, json_string_value(f->value),
		   STR_ARG(buf_str(&list)));
	buf_fini(&list);
	return false;
}

static bool
read_word(const struct found *f, const char *const *words, size_t n,
	  unsigned *to, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (!words[i] || strcmp(json_string_value(f->value), words[i]))
			continue;
		*to = (unsigned)i;
		return true;
	}
	return fail_word(f, words, n, e);
}

static void
set_term(struct options *o, enum option which, json_t *value)
{
	if (!o->said)
		o->said = json_object();
	json_object_set_new(o->said, options[which].name, value);
}

static bool
take_mode(struct options *o, const struct found *f, struct error *e)
{
	unsigned word = 0;

	if (!read_word(f, modes, MODES, &word, e))
		return false;
	set_term(o, OPTION_MODE, json_string(modes[word]));
	return true;
}

static bool
take_effort(struct options *o, const struct found *f, struct error *e)
{
	o->said_effort = effort_named(json_string_value(f->value));
	return o->said_effort != EFFORT_USUAL ||
	       fail_word(f, efforts, EFFORTS, e);
}

/* Servers of the body and of the header are taken together. */
static bool
take_servers(struct options *o, const struct found *f, struct error *e)
{
	json_t *servers = servers_read(f->where, f->value, e);
	json_t *before = json_object_get(o->said, options[OPTION_MCP].name);

	if (!servers)
		return false;
	if (before)
		json_object_update_missing(servers, before);
	set_term(o, OPTION_MCP, servers);
	return true;
}

static bool
take_profile(struct options *o, const struct found *f, struct error *e)
{
	json_t *profile;

	if (!o->unknown)
		o->unknown = json_object();
	profile = profile_read(f->where, f->value, o->unknown, e);
	if (!profile)
		return false;
	set_term(o, OPTION_PROFILE, profile);
	return true;
}

/* Those that it may not call are not offered. */
static bool
take_tools(struct options *o, const struct found *f, struct error *e)
{
	if (!o->other_tools)
		o->other_tools = json_object();
	json_decref(o->tools);
	o->tools = tools_read(f->where, f->value, o->other_tools, e);
	if (o->tools && !json_array_size(o->tools)) {
		json_decref(o->tools);
		o->tools = NULL;
		return true;
	}
	return o->tools != NULL;
}

static bool
has_tool(const struct options *o, const char *name)
{
	const json_t *tool;
	size_t i;

	json_array_foreach (o->tools, i, tool)
		if (!strcmp(json_text(tool, "name"), name))
			return true;
	return false;
}

static bool
take_choice(struct options *o, const struct found *f, struct error *e)
{
	const char *name = NULL;

	if (!tools_read_choice(f->where, f->value, &o->choice, &name, e))
		return false;
	return !name || has_tool(o, name) ||
	       fail_about(e, ERR_INVALID, "%s: no tool is named %.100s",
			  f->where, name);
}

static bool
take(struct options *o, enum option which, const struct found *f,
     struct error *e)
{
	switch (which) {
	case OPTION_MODE:
		return take_mode(o, f, e);
	case OPTION_SANDBOX:
		if (json_is_true(f->value) &&
		    !json_object_get(o->said, options[OPTION_MODE].name))
			set_term(o, OPTION_MODE,
				 json_string(modes[MODE_SANDBOXED]));
		return true;
	case OPTION_PROFILE:
		return take_profile(o, f, e);
	case OPTION_REBIND:
		o->rebinds = json_is_true(f->value);
		return true;
	case OPTION_MCP:
		return take_servers(o, f, e);
	case OPTION_EFFORT:
		return take_effort(o, f, e);
	case OPTION_FORMAT:
		return format_read(f->value, &o->format, &o->schema, e);
	case OPTION_TOOLS:
		return take_tools(o, f, e);
	case OPTION_CHOICE:
		return take_choice(o, f, e);
	case OPTION_PARALLEL:
		o->is_serial = json_is_false(f->value);
		return true;
	case OPTION_OWN_TOOLS:
		o->keeps_own_tools = json_is_true(f->value);
		return true;
	case OPTION_STRICT:
		o->is_strict = json_is_true(f->value);
		return true;
	case OPTION_AUTHORIZATION:
		o->authorization = copy(str_of(json_string_value(f->value)));
		return true;
	case OPTIONS:
		break;
	}
	abort();
}

/* Of a header that only adds to the body's, both are read. */
static bool
read_one(struct options *o, enum option which, const json_t *body,
	 const json_t *headers, struct error *e)
{
	const struct declaration *d = &options[which];
	struct found in_body = { 0 }, in_header = { 0 };
	bool ok = find_in_body(d, body, &in_body, e);

	if (ok && (!in_body.value || which == OPTION_MCP))
		ok = find_in_headers(d, headers, &in_header, e) &&
		     (!in_header.value || take(o, which, &in_header, e));
	ok = ok && (!in_body.value || take(o, which, &in_body, e));
	json_decref(in_body.value);
	json_decref(in_header.value);
	return ok;
}

bool
options_read(struct options *o, const json_t *body, const json_t *headers,
	     struct error *e)
{
	*o = (struct options){ 0 };
	for (int i = 0; i < OPTIONS; i++)
		if (!read_one(o, (enum option)i, body, headers, e))
			return false;
	if (o->tools && o->choice == TOOL_CHOICE_NONE) {
		o->withheld = o->tools;
		o->tools = json_array();
	}
	terms_settle(o, json_copy(o->said));
	return true;
}

void
options_keep_tools(struct options *o, const struct options *had, bool may_call)
{
	o->keeps_own_tools = had->keeps_own_tools;
	if (may_call) {
		o->tools = json_incref(had->tools);
		return;
	}
	o->withheld = json_incref((json_t *)options_offered(had));
	o->tools = json_array();
}

bool
options_read_mode(enum mode *mode, const json_t *body, const json_t *headers,
		  struct error *e)
{
	struct options o = { 0 };
	bool ok = read_one(&o, OPTION_MODE, body, headers, e) &&
		  read_one(&o, OPTION_SANDBOX, body, headers, e);

	if (ok) {
		terms_settle(&o, json_copy(o.said));
		*mode = o.mode;
	}
	options_fini(&o);
	return ok;
}

bool
options_read_strict(bool *is_strict, const json_t *headers, struct error *e)
{
	struct options o = { 0 };
	bool ok = read_one(&o, OPTION_STRICT, NULL, headers, e);

	if (ok)
		*is_strict = o.is_strict;
	options_fini(&o);
	return ok;
}

bool
options_fail_strict(const char *ignored, struct error *e)
{
	return fail_with(e, ERR_UNSUPPORTED,
			 "X-Bridge-Strict: these fields would be ignored: %s",
			 ignored);
}

void
options_copy(struct options *to, const struct options *from)
{
	*to = *from;
	json_incref(to->said);
	json_incref(to->terms);
	json_incref(to->schema);
	json_incref(to->tools);
	json_incref(to->withheld);
	json_incref(to->other_tools);
	json_incref(to->all_servers);
	json_incref(to->unknown);
	to->text = copy(str_of(from->text));
	to->authorization = copy(str_of(from->authorization));
}

void
options_fini(struct options *o)
{
	json_decref(o->said);
	json_decref(o->terms);
	json_decref(o->schema);
	json_decref(o->tools);
	json_decref(o->withheld);
	json_decref(o->other_tools);
	json_decref(o->all_servers);
	json_decref(o->unknown);
	free(o->text);
	free(o->authorization);
	*o = (struct options){ 0 };
}
