#pragma once
/*
 * opencode - one `opencode serve` for many conversations, over HTTP
 *
 *   opencode.c  how the server is started
 *   server.c    requests to it, its handshake and its end
 *   models.c    which models there are, and which one a turn means
 *   session.c   a conversation is opened, and closed
 *   servers.c   the MCP servers of the caller's
 *   tools.c     the tools of the caller's
 *   history.c   a conversation that began elsewhere is imported
 *   calls.c     calls of the caller's tools in it
 *   turn.c      a turn is said, stopped, taken back, and ends
 *   events.c    the server's events
 *   parts.c     which of them are the answer
 *   effort.c    how long the model may think
 *   structured.c  an answer that is to be JSON
 *   failure.c   what its failures mean
 *
 * Written for version 1.18.33, which describes all of it under GET /doc.
 */
#include "workers/cli/harness.h"
#include "workers/io/http.h"

enum { MAX_OPENCODE_ID = 63 }; /* of its ids: "ses_" and 26 more */
enum { SERVERS_KEY = 6 };      /* characters: see servers.c */

/* A history that is being imported: how far, and what goes on from there. */
struct import {
	json_t *model;	   /* who is said to have answered; NULL: no import */
	size_t messages;   /* that were handed over so far */
	size_t events;	   /* the same, as events of the session */
	uint64_t when;	   /* grows with each id */
	json_int_t now_ms; /* the time that all messages get */
	char user[MAX_OPENCODE_ID + 1]; /* the last message of the user's */
};

/* instance->own */
struct server {
	int holder; /* a socket that keeps the port free for it... */
	bool holds; /* ...until it listens */
	char *password, *origin; /* "http://127.0.0.1:1234" */
	char *socket;		 /* by which it is reached; NULL: by its port */
	unsigned port;
	struct http *http;
	struct http_call *stream; /* of its events */
	struct list requests;
	json_t *children;    /* sessions of sub-agents, and their parents */
	json_t *leaving;     /* names of MCP servers that are being disabled */
	json_t *burnt_keys;  /* of sessions that were closed in the middle of a
			      * turn, and may not have stopped yet */
	struct list waiting; /* struct opencode; for one of these */
	json_t *prepared; /* directories in which a turn has got to an answer */

	/* The models, as told at the start. */
	json_t *models;	   /* of all who are logged in, "provider/model" */
	json_t *efforts;   /* of each model, as bits */
	json_t *inputs;	   /* of each model: {"image":true,"pdf":false,...} */
	json_t *defaults;  /* of each provider */
	char *first_model; /* NULL: nobody is logged in */
	bool has_free;	   /* a provider that wants no login */
};

/* A request to the server; its conversation may be closed before the answer
 * comes. */
struct request;
typedef void request_fn(struct request *, int status, const json_t *answer);

struct request {
	struct node node; /* in server->requests */
	struct instance *instance;
	struct conversation *conversation; /* NULL: closed meanwhile */
	uint64_t turn; /* of the conversation, at that time */
	bool kept;     /* as the conversation's */
	char *session; /* NULL: not known yet */
	char *where;
	request_fn *answered;
};

/* conversation->own */
struct opencode {
	/* Of the session. */
	bool is_open;
	bool has_other_rules;	 /* it was begun in another mode */
	bool has_default;	 /* the CLI may choose the model itself... */
	char *its_model;	 /* ...which is this; NULL: not known */
	char *where;		 /* what goes behind a path: "?directory=..." */
	json_t *history;	 /* until it is ready; NULL: none */
	json_t *preface;	 /* the same as parts, until they were said */
	struct import import;	 /* of the history */
	bool import_was_refused; /* so the preface is said instead */

	/* Its MCP servers. */
	struct conversation *conversation; /* whose state this is */
	struct node waits;		   /* in server->waiting, or nowhere */
	char key[SERVERS_KEY + 1];	   /* of their names; "": none */
	void (*opened)(struct conversation *); /* once they are there */
	json_t *servers;	/* that opencode was told of; NULL: none */
	unsigned servers_asked; /* whose status is not known yet */
	bool servers_failed;	/* one of them has */

	/* Of the turn. */
	enum {
		AT_REST,
		ASKED, /* it was posted */
		BEGUN, /* its message was seen: events from here on are its */
		ENDING /* it has failed, and is being taken back */
	} phase;
	bool is_accepted; /* the post was answered... */
	uint64_t said_as; /* conversation->turns when it was posted: requests of
			   * earlier turns have less */
	bool is_stopping; /* it must end... */
	bool was_aborted; /* ...the server was told so... */
	bool is_stopped;  /* ...and has agreed */
	unsigned attempts;		  /* to take it back */
	char prompt[MAX_OPENCODE_ID + 1]; /* its message */
	char assistant[MAX_OPENCODE_ID +
		       1];		/* the last message that answers it */
	char part[MAX_OPENCODE_ID + 1]; /* the part whose text came last */
	bool is_aside;	  /* that message is not a part of the answer */
	bool is_complete; /* that message is finished */
	bool has_text;	  /* the turn has said text */
	bool step_spoke;  /* the vendor's answer under way has said text */
	bool step_called; /* ...or called a tool */
	bool has_calls;	  /* ...of the caller's */
	bool is_parked;	  /* it waits for their results... */
	json_t *kept;	  /* ...and this was heard meanwhile; or NULL */
	json_t *parts;	  /* parts and messages that were seen, by id */
	char finish[32];  /* the CLI's word for how the message ended */
	char model[MAX_MODEL + 1]; /* who answers */
	json_t *structured; /* the answer, if it is to be JSON; or NULL */
	struct usage usage;
	struct error failure; /* ERR_NONE: so far none */
};

/* server.c.  Takes `body`, which may be NULL. */
void request_send(struct instance *, struct conversation *, const char *method,
		  const char *path, json_t *body, request_fn *);

/* A request behind "/session/<id>", of a conversation, or for the session of
 * one that is closed.  Take `body`. */
void session_ask(struct conversation *, const char *method, const char *what,
		 json_t *body, request_fn *);
void session_ask_later(const struct request *, const char *method,
		       const char *what, request_fn *);
bool server_line(struct instance *, struct str line, struct error *);

/* Nothing of the conversation is heard any more. */
void server_forget(struct conversation *);
void server_clear(struct instance *);

/* False and `e` if `status` is not a success. */
bool server_agrees(int status, const json_t *answer, struct error *e);

/* rules.c: the rules of the session; whether these are the same, but for those
 * for servers. */
json_t *rules_of(const struct conversation *);
bool rules_are(const struct conversation *, const json_t *had);

/* safe.c: what the configuration gets in the mode hosted-safe. */
bool safe_configure(const struct instance *, json_t *config, struct words *env,
		    struct error *);

/* models.c */
bool models_read(struct server *, const json_t *answer, struct error *);

/* The turn's model as prompts have it; NULL: the CLI's own choice.  False:
 * there is no model. */
bool model_of(const struct conversation *, json_t **model, struct error *);

/* The turn's model as the list has it; the caller frees it. */
char *model_name(const struct conversation *, const json_t *model);

/* opencode leaves out what the model does not take, and tells the model so.
 * Fails instead; the parts may be ours or opencode's. */
must_check bool model_takes(const struct conversation *, const json_t *model,
			    const json_t *parts, struct error *);

/* The same, for "provider/model". */
json_t *model_named(const struct server *, const char *name);

/* session.c.  The query that names the directory of a request; the caller frees
 * it. */
char *opencode_where(const char *directory);
void session_open(struct conversation *);
void session_close(struct conversation *);
void session_clear(struct conversation *);

/*
 * servers.c.  The rules that a session must have for its servers, beside those
 * that it has had, NULL if it is new; whether a rule is one of these.  Then the
 * servers are opened: `then` follows, or conversation_fail().  And they are
 * closed.
 */
json_t *servers_rules(const struct conversation *, const json_t *had);
bool servers_have_rule(const json_t *rule);
void servers_open(struct conversation *, void (*then)(struct conversation *));
void servers_close(struct conversation *);

/* With what the names of a server's tools begin; the caller frees it. */
char *servers_begin_of(const struct opencode *, const char *server);

/* history.c.  Begins to import o->history, which `model` is said to have
 * answered.  False if the history cannot be imported: the preface is said
 * then.  Takes `model`, which may be NULL. */
bool import_begin(struct conversation *, json_t *model);

/* The next messages of it, as the server wants to be told; NULL: no more. */
json_t *import_next(struct conversation *);
void import_end(struct opencode *);
uint64_t opencode_now(void); /* of the clock, in ms */

/*
 * calls.c: a call in the message `at` of o->history, and its result, as a part
 * of `message`; whether a part of the history is a call or a result that can be
 * told so; whether the message has results only.
 */
json_t *calls_part(const struct conversation *, size_t at, const json_t *call,
		   const char *message, json_int_t when);
bool calls_can_tell(const struct conversation *, const json_t *part);
bool calls_are_all(const json_t *message);

/* An id of a "msg", say, in MAX_OPENCODE_ID + 1 bytes. */
void opencode_id(char *id, const char *kind, uint64_t when);

/* turn.c.  Appends opencode's parts for ours, which are text or images. */
must_check bool opencode_parts(json_t *parts, const json_t *content,
			       struct error *);
void turn_say(struct conversation *);
void turn_interrupt(struct conversation *);
void turn_idle(struct conversation *);
void turn_stop(struct conversation *, const struct error *why);
void turn_is_orphan(struct request *);

/* A message that answers the turn has begun. */
void turn_is_prepared(struct conversation *);

/* events.c: one line of the stream; an event of a conversation's. */
void events_line(struct instance *, struct str line);
void events_hear(struct conversation *, const char *type, const json_t *about);

/*
 * tools.c: whether a part is a call of a tool of the caller's, and is heard; a
 * text of the message has ended; harness->park and harness->answer; whether an
 * event is kept until the results are there.
 */
bool tools_hear(struct conversation *, json_t *record, const json_t *part);
void tools_hear_end_of_text(struct conversation *);
void tools_park(struct conversation *, json_t *calls);
void tools_answer(struct conversation *);
bool tools_keep_event(struct conversation *, const char *type,
		      const json_t *about);

/* parts.c.  A part is new, or has changed; a part has grown. */
void parts_hear(struct conversation *, const json_t *about);
void parts_delta(struct conversation *, const json_t *about);

/* Counts the tokens of a request to the vendor, once. */
void parts_count(struct conversation *, const json_t *part);

/* The record of a part or message, which is made if it has none. */
json_t *parts_record(struct opencode *, const char *id, const char *type);

/* effort.c: what is told of a model; says in a prompt how long the turn's may
 * think. */
void effort_note(struct server *, const char *model, const json_t *about);
must_check bool effort_ask_for(const struct conversation *, json_t *prompt,
			       struct error *);

/* structured.c: whether a message can say what its answer must be; says so; the
 * answer in what is told of a message. */
bool opencode_takes_format(const struct options *);
void structured_ask_for(const struct conversation *, json_t *prompt);
void structured_hear(struct opencode *, const json_t *info);

/* Whether a call of a tool is the answer; whether an error only says that there
 * was none. */
bool structured_is_call(const struct conversation *, const json_t *part);
bool structured_is_missing(const struct conversation *, const json_t *error);

/* failure.c: what an error object means, and the words of a retry. */
void opencode_explain(const json_t *error, struct error *);
enum error_code opencode_code_of_words(const char *words);

static inline const char *
directory_of(const struct conversation *c)
{
	return c->cwd ? c->cwd : c->instance->workspace;
}

/* The turn is heard, and is not being stopped. */
static inline bool
turn_is_on(const struct opencode *o)
{
	return o->phase == BEGUN && !o->is_stopping;
}

static inline bool
text_is(const char *text, const char *what)
{
	return text && !strcmp(text, what);
}
