#pragma once
/*
 * chat - OpenAI's chat completions: what a request says, what an answer is
 *
 * Of a request the gateway needs a few fields (fields.h): its bytes travel on
 * as they are, and whoever does the work reads the rest.  Answers are written
 * straight into a buffer: all that is the same in every chunk of an answer is
 * put together once, in a stamp, and only the text is looked at again.
 */
#include <jansson.h>

#include "gateway/chat/fields.h"
#include "proto/buf.h"
#include "proto/msg.h"

/* What the gateway needs of a request.  Absent strings were not there. */
struct chat {
	json_t *values[FIELDS]; /* they own the strings; NULL: not there */
	struct str model, session, resume, cwd;
	bool streamed, says_streamed;
	bool include_usage;
	const char *param; /* the field that was wrong; NULL: none */
};

#define CHAT_INIT ((struct chat){ 0 })

/*
 * Reads the fields that were found in a body which is complete.  ERR_INVALID
 * or ERR_BAD_CWD; fini is needed even if it failed.
 */
must_check bool chat_read(struct chat *, enum dialect, struct str body,
			  const struct fields *, struct error *);
void chat_fini(struct chat *);

/* What every chunk of one answer says. */
struct stamp {
	char *head; /* {"id":...,"model":"...", - and then come the choices */
	char id[40];
	int64_t created; /* Unix time, s */
	char *model;
	bool include_usage;
};

/* `model` as it was asked for. */
void stamp_init(struct stamp *, uint64_t turn, struct str model,
		bool include_usage);
void stamp_fini(struct stamp *);

/* Where a session stands, for the client to know. */
struct standing {
	const char *session, *how, *reason, *cache; /* NULL: not known */
};

/* One of a tool of the caller's.  Strings are lent. */
struct call {
	unsigned index; /* counts the calls of the answer from 0 */
	const char *id, *name;
};

/* What a piece of text is. */
enum delta { DELTA_TEXT, DELTA_REASONING };

/*
 * Each appends one chunk of JSON, without a line break in it.  All text must
 * be UTF-8, and all JSON be JSON.
 */
void chat_role(struct buf *, const struct stamp *);
void chat_tool(struct buf *, const struct stamp *, struct str json);
/* A call begins, and gets what it is made with, piece by piece. */
void chat_call(struct buf *, const struct stamp *, const struct call *);
void chat_arguments(struct buf *, const struct stamp *, unsigned index,
		    struct str text);
void chat_standing(struct buf *, const struct stamp *, const struct standing *);
/* The names of what the request asked for in vain, with commas between. */
void chat_ignored(struct buf *, const struct stamp *, struct str names);
/* What has become of agent_profile, a JSON object. */
void chat_profile(struct buf *, const struct stamp *, struct str json);
/* What the harness has said by itself, which is no part of the answer. */
void chat_meanwhile(struct buf *, const struct stamp *, struct str text);
/* `cache` as in struct standing. */
void chat_finish(struct buf *, const struct stamp *, const struct msg_finish *,
		 const char *cache);
void chat_usage(struct buf *, const struct stamp *, const struct msg_finish *);

/* A chunk of text is begun, gets its text, piece by piece, and is ended. */
void chat_begin_delta(struct buf *, const struct stamp *, enum delta);
void chat_escape(struct buf *, struct str text);
void chat_end_delta(struct buf *, const struct stamp *);

/* All of an answer that was collected. */
struct completion {
	struct str text, reasoning; /* reasoning: absent if there was none */
	struct str tools;	    /* JSON objects, with commas */
	struct str calls;	    /* as chat_add_call() has them */
	struct standing standing;
	struct str profile;   /* a JSON object; absent: there is none */
	struct str ignored;   /* as of chat_ignored(); absent: nothing */
	struct str meanwhile; /* absent: nothing */
	const struct msg_finish *finish;
};

/* Of an answer that is collected: appends the beginning of a call, behind which
 * comes what it is made with, as chat_escape() writes it. */
void chat_add_call(struct buf *, const struct call *);

void chat_completion(struct buf *, const struct stamp *,
		     const struct completion *);

/*
 * The field of the request that an error is about; absent: none.  What a vendor
 * or a CLI says is never read for one.
 */
struct str chat_param(const struct error *);

/* {"error":{...}}; `param` may be NULL: then chat_param() says it. */
void chat_error(struct buf *, const struct error *, const char *param);

/* The same in a stream whose status is sent already: with the status that it
 * would have had, and when to try again, if that is known. */
void chat_stream_error(struct buf *, const struct error *);
