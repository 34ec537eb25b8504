#pragma once
/*
 * profile - who the agent of a conversation is: `agent_profile`
 *
 * A profile is an object of the caller's, with the members that profile_check.c
 * knows.  It is kept as it was given.  Two profiles are the same if their
 * digests are: the order of their members makes no difference.
 *
 * Each harness takes some parts of it in its CLI's own way, as
 * profile_parts.def has it.  What it does not take so is told to the model
 * (preamble.h), or has no effect, and then the answer says so.
 */
#include <jansson.h>

#include "proto/error.h"
#include "proto/str.h"

enum { PROFILE_DIGEST_SIZE = 17 }; /* 16 hexadecimal digits and a NUL */

enum profile_part_index {
#define PART(ID, path, also, otherwise, doc) PART_##ID,
#include "workers/options/profile_parts.def"
	PROFILE_PARTS
};

enum profile_part {
#define PART(ID, path, also, otherwise, doc) TAKES_##ID = 1 << PART_##ID,
#include "workers/options/profile_parts.def"
};

/* What a harness takes. */
struct profile_takes {
	const char *name;
	unsigned parts;
	const char *rules; /* the tools that can be forbidden */
};

enum profile_taker {
#define TAKES(ID, name, parts, rules) ID##_TAKES,
#include "workers/options/profile_parts.def"
	PROFILE_TAKERS
};

extern const struct profile_takes profile_takes[PROFILE_TAKERS];

/* It takes every part; NULL does not. */
bool profile_takes_all(const struct profile_takes *);

/*
 * The profile that `value` is, or names, which the caller json_decref()s; NULL
 * on failure.  `where` is what it was found in.  Members that nobody knows are
 * added to the object `unknown`, by their paths.
 */
json_t *profile_read(const char *where, const json_t *value, json_t *unknown,
		     struct error *);

/* profile_check.c: the same, of the object itself. */
must_check bool profile_check(const char *where, const json_t *profile,
			      json_t *unknown, struct error *);

void profile_digest(const json_t *profile, char digest[PROFILE_DIGEST_SIZE]);

/* A text at "a.b" of it; absent if it is not there or is empty. */
struct str profile_text(const json_t *profile, const char *path);

/* What the agent is told to be, in place of what its CLI says by itself,
 * trimmed; absent: nothing. */
struct str profile_system(const json_t *profile);

/* The servers that it has, as servers.h has them; NULL: none.  The caller
 * json_decref()s it. */
json_t *profile_servers(const json_t *profile);

/* Of a server that only has a name, nobody knows what it is. */
bool profile_is_server(const json_t *spec);

/*
 * Its tools and permissions as one array of {"tool","pattern","allow"}, where
 * the pattern is "*" for all uses of the tool.  There is nobody to be asked:
 * "ask" is no.  The caller json_decref()s it.
 */
json_t *profile_rules(const json_t *profile);

/* Whether the harness can keep the agent to what `permissions` says of a tool:
 * one word, or an object of patterns. */
bool profile_takes_rule(const struct profile_takes *, const char *tool,
			const json_t *decision);

/* What has become of its parts: {"digest","native":[...],"preamble":[...],
 * "ignored":[...]}.  The caller json_decref()s it. */
json_t *profile_receipt(const json_t *profile, const struct profile_takes *);

const char *profile_path(enum profile_part_index); /* "model.small" */

/* How each part is taken by who takes these, as {"model.default":"native",
 * "skills":"preamble","hooks":"none"}; NULL: who takes no profile.  The caller
 * json_decref()s it. */
json_t *profile_ways(const struct profile_takes *);

/* profile_files.c: files with contents. */

/*
 * The files of a profile, as an array of
 * {"path","text","part","name","about"}: `path` is relative to a directory
 * of the conversation's, `part` the index of what it belongs to, `about` what
 * it is for.  The caller json_decref()s it.
 */
json_t *profile_files(const json_t *profile);

/* A skill, subagent or command becomes <its folder>/..., of this name. */
must_check bool profile_file_name(const char *name);
must_check bool profile_file_path(const char *path);
