#pragma once
/*
 * options - what a request asks for beside its messages
 *
 * Every option is declared once, in proto/options.def.  Here the values are
 * found, in the body and in the headers that the gateway has handed on, their
 * kinds are checked, and each becomes a member of struct options, or is an
 * error that names the place, the value and what would be right.
 *
 * Options of the scope TERMS belong to the conversation: what a request leaves
 * out is as its session has it.  `terms` holds them as one object, whose text
 * is kept with the session; two conversations run under the same options if
 * their texts are the same.  Options of the scope TURN are about one turn.
 *
 * A harness takes some options at each turn, and some only when a conversation
 * begins: see harness.h, `binds`.
 */
#include <jansson.h>

#include "proto/error.h"
#include "proto/str.h"

enum option {
#define OPTION(ID, kind, scope, by, name, field, alias, header, limit, unit, \
	       doc)                                                          \
	OPTION_##ID,
#include "proto/options.def"
	OPTIONS
};

/* Members of a set of options. */
enum {
#define OPTION(ID, kind, scope, by, name, field, alias, header, limit, unit, \
	       doc)                                                          \
	BINDS_##ID = 1 << OPTION_##ID,
#include "proto/options.def"
};

enum mode { MODE_BYOB, MODE_SAFE, MODE_SANDBOXED, MODES };

enum effort {
	EFFORT_USUAL, /* not said: what the CLI takes by itself */
	EFFORT_NONE,
	EFFORT_MINIMAL,
	EFFORT_LOW,
	EFFORT_MEDIUM,
	EFFORT_HIGH,
	EFFORT_XHIGH,
	EFFORT_MAX,
	EFFORTS
};

enum tool_choice {
	TOOL_CHOICE_AUTO,
	TOOL_CHOICE_NONE,
	TOOL_CHOICE_REQUIRED, /* some call */
	TOOL_CHOICE_NAMED,    /* a call of a certain one */
	TOOL_CHOICE_ALLOWED,  /* only calls of some */
};

enum format { FORMAT_TEXT, FORMAT_OBJECT, FORMAT_SCHEMA };

/* The JSON is shared, and never changed.  All zeros: nothing was asked for. */
struct options {
	json_t *said;  /* the options of the scope TERMS that the request names;
			  NULL: none */
	json_t *terms; /* these, and those of the session, by their names; NULL:
			  none */
	char *text;    /* `terms`, as it is kept; NULL: none */
	enum mode mode;
	const json_t *profile; /* in `terms`; NULL: none */
	const json_t *servers; /* MCP servers by their names, those of the
				* profile among them; NULL: none */
	enum effort effort;    /* the profile's, if the request says none */
	bool kept_effort;      /* in `terms`: see options_keep_effort() */
	enum format format;
	json_t *schema; /* of FORMAT_SCHEMA */
	json_t *tools;	/* of the caller's, as tools.h has them; NULL: there are
			 * none; empty: none may be called */
	json_t *withheld; /* those of TOOL_CHOICE_NONE; NULL: there are none */
	enum tool_choice choice;
	bool is_serial;	      /* one call at a time */
	bool keeps_own_tools; /* the CLI's, beside them */
	bool keeps_tools; /* in `terms`: set by the caller before it inherits,
			   * see options_has_tools_of() */
	bool is_strict, rebinds;
	char *authorization; /* NULL: none */

	/* options.c's own. */
	enum effort said_effort;
	json_t *all_servers; /* owns `servers`, or NULL */
	json_t *other_tools; /* places in `tools` of what is no function, as
			      * members; NULL: there is none */
	json_t *unknown;     /* members of the profile that the request names,
			      * and nobody knows; NULL: it names none */
};

/*
 * Reads what the body and the headers say.  `headers` is an object of the
 * gateway's, a text for each header; NULL: there are none.  Needs
 * options_fini() also on failure.
 */
must_check bool options_read(struct options *, const json_t *body,
			     const json_t *headers, struct error *);

/*
 * Adds what the session's text has and the request leaves out, and nothing of
 * an earlier call; `text` MAY be NULL.  Fails with ERR_BINDING if the session
 * has another agent_profile, unless the request rebinds.
 */
must_check bool options_inherit(struct options *, const char *text,
				struct error *);

/* The mode alone, as options_read() has it. */
must_check bool options_read_mode(enum mode *, const json_t *body,
				  const json_t *headers, struct error *);

/* The MCP servers without those of the profile; NULL: there are none. */
const json_t *options_own_servers(const struct options *);

/* X-Bridge-Strict alone. */
must_check bool options_read_strict(bool *, const json_t *headers,
				    struct error *);

/* Fails: the request wants to be told of what would be ignored, and the fields
 * in the list would. */
bool options_fail_strict(const char *ignored, struct error *);

/* Whether it has the same profile as the session's text, or both have none. */
bool options_has_profile_of(const struct options *, const char *text);

/* Whether the session's profile takes the place of what the CLI says of itself,
 * and that of these options does not. */
bool options_drop_system_of(const struct options *, const char *text);

/*
 * The session's text, with a note that a turn of it has said an effort, for a
 * CLI that keeps that with its conversation, for good.  Takes the text, which
 * MAY be NULL; the caller frees the other one.
 */
char *options_keep_effort(char *text);

/* Whether the session's text, which MAY be NULL, was made of options with tools
 * of the caller's. */
bool options_had_tools(const char *text);

/*
 * Whether the session's text, which MAY be NULL, was made of options that offer
 * the same tools, be they withheld or not, and leave the CLI its own likewise.
 * Both MUST be of a CLI whose conversations keep for good what they were begun
 * with: with keeps_tools, a hash of that is in the text.
 */
bool options_has_tools_of(const struct options *, const char *text);

/* What the caller has offered, whether it may be called or not; NULL: nothing.
 */
static inline const json_t *
options_offered(const struct options *o)
{
	return o->withheld ? o->withheld : o->tools;
}

/* A request without tools goes on with a turn that has some. None of these may
 * be called any more, if the CLI can be told so. */
void options_keep_tools(struct options *, const struct options *had,
			bool may_call);

/* One more MCP server, which is not in `terms`.  Takes `server`. */
void options_add_server(struct options *, const char *name, json_t *server);

/* `to` is overwritten, not freed. */
void options_copy(struct options *to, const struct options *from);

/* The same, with nothing but the options of the scope TERMS that are in `set`,
 * as they are in `from`, the servers with those of its profile; and of the
 * caller's tools whether there are some, if `set` has BINDS_TOOLS, and whether
 * they take the place of the CLI's own, with BINDS_OWN_TOOLS.  NULL: nothing is
 * asked for. */
void options_pick(struct options *to, const struct options *from, unsigned set);
void options_fini(struct options *);

/* Whether a conversation that was begun with `had` can do a turn with `wanted`:
 * the terms are the same but for those in the set `anew`, and so are the
 * options of the scope TURN that are in the set `binds`. */
bool options_suit(const struct options *had, const struct options *wanted,
		  unsigned binds, unsigned anew);

/* Whether the CLI has no tools but the caller's. */
static inline bool
options_replace_tools(const struct options *o)
{
	return o->tools && !o->keeps_own_tools;
}

/* Is it a field of the body that is read here? */
bool options_has_field(const char *name);

/* Is it an object of the body of which members are read here? */
bool options_has_field_in(const char *name);

const char *mode_name(enum mode);     /* "hosted-safe" */
const char *effort_name(enum effort); /* "low"; NULL for EFFORT_USUAL */
bool effort_read(const char *word, enum effort *);
