#pragma once
/*
 * claude - the Claude Code CLI, kept alive over stream-json on its stdin
 *
 *   claude.c    how it is started, what is said to it
 *   events.c    what its lines mean
 *   failure.c   what its failures mean
 *   history.c   a conversation that began elsewhere, as a file it resumes
 *
 * Written for version 2.1.330; lines of types that are not known here are
 * none of our business.
 */
#include "workers/harness.h"

enum { MAX_UUID = 36 };

/* The id of the request that sets the model, with its number. */
#define CLAUDE_MODEL_REQUEST "model-%ju"

/* talk->state */
struct claude {
	char *history; /* path of a file that it resumes, until it is ready */
	char *said_model;  /* that it has taken; NULL: its default */
	char *asked_model; /* that it was asked for last */
	char *prompt; /* a line that waits until the model is set; or NULL */
	char uuid[MAX_UUID + 1];	   /* of the turn's message */
	char last_assistant[MAX_UUID + 1]; /* uuid of its last good line */
	char model[MAX_MODEL];	    /* that answers, as the vendor calls it */
	bool used_tool;		    /* since the last text */
	bool has_text;		    /* in this turn */
	char failure[MAX_NAME + 1]; /* its word for what went wrong; "": none */
	int64_t resets_at;	    /* Unix seconds; 0: not told */
	uint64_t asked;		    /* how often it was asked for a model */
};

/* history.c: the caller frees the path.  NULL on failure. */
char *history_write(const struct talk *, struct error *);

/* It has been read, or never will be. */
void history_remove(struct talk *);

/* One message's content, from our parts to Anthropic's blocks. */
json_t *history_blocks(const json_t *parts);

/* events.c */
bool claude_line(struct talk *, struct str line, struct error *);

/* claude.c: sends what has waited. */
void claude_send_prompt(struct talk *);

/* failure.c: reads a `result` line with is_error. */
void claude_explain(const struct claude *, const json_t *result,
		    bool has_spoken, struct error *);

static inline const char *
json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}
