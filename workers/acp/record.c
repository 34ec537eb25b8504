#include "workers/acp/acp.h"

#include <unistd.h>

#include "workers/io/lines.h"

/*
 * Kimi does not tell in the protocol
 *
 *   - how a turn ended: it answers "end_turn" even if its vendor said 429 or
 * the stream broke off, and reports only the lack of a login;
 *   - that it has begun a turn of its own, because a background command has
 *     ended, or what it says in it;
 *   - what becomes of a prompt that comes during such a turn: it answers
 *     "end_turn" at once, runs the prompt afterwards, and sends no update.
 *
 * But it writes all of that, some milliseconds after it has happened, into
 * <home>/sessions/<any>/<session>/agents/main/wire.jsonl, one event in a line:
 *
 *   turn.prompt                    a turn begins; `origin` says whose it is
 *   context.append_loop_event      what is said and done in it, and why it
 * stops usage.record, llm.request      its tokens and its model turn.ended how
 * it ended task.started, task.terminated  a command in the background
 *
 * So these lines are read before a prompt is sent, from the answer to a prompt
 * to the end of its turn, and, while commands run in the background or one has
 * just ended, between turns.  A prompt that comes during a turn of the agent's
 * own is held back; one that was sent in the moment before its beginning was
 * written is answered with what the lines say.
 *
 * If there is no such file, as in another version, the answer alone counts.
 */

enum {
	LOOK_AGAIN_MS = 10, /* for the end of a turn */
	MAX_LOOKS = 300,    /* until there should be one */
	LOOK_BETWEEN_TURNS_MS = 250,
	/* after the end of the last background command: what the agent says of
	 * it comes within a second */
	LOOKS_BETWEEN_TURNS = 20,
	PIECE = 64 << 10,
};

enum boundary {
	NO_BOUNDARY,
	OUR_TURN_ENDED,
	ITS_TURN_ENDED,
};

static char *
find_record(struct executor *x, const char *home, const char *session)
{
	struct words found = { 0 };
	char *path;

	x->match(x, home, "sessions/*/%s/agents/main/wire.jsonl", session,
		 &found);
	path = found.len ? copy(str_of(found.ptr[0])) : NULL;
	words_fini(&found);
	return path;
}

/* Lines */

static bool
is(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

/* Our turn, of which the protocol has told nothing. */
static bool
is_untold(const struct acp *own)
{
	return own->record.owner == ACP_OURS && !own->was_heard;
}

static void
on_usage(struct conversation *c, const json_t *line)
{
	static const struct usage_names names = {
		.input = "inputOther",
		.cached = "inputCacheRead",
		.written = "inputCacheCreation",
		.output = "output",
		.caches_are_apart = true,
	};
	struct acp *own = c->own;

	if (own->record.owner == ACP_OURS)
		usage_read(&own->usage, json_object_get(line, "usage"), &names);
}

static void
on_request(struct conversation *c, const json_t *line)
{
	const char *model = json_text(line, "model");
	struct acp *own = c->own;

	if (own->record.owner == ACP_OURS && model)
		snprintf(own->answering, sizeof own->answering, "%s", model);
}

static void
on_step_end(struct conversation *c, const json_t *event)
{
	const char *reason = json_text(event, "finishReason");
	struct acp *own = c->own;

	if (own->record.owner == ACP_OURS && reason)
		json_object_set_new(own->record.answer, "finishReason",
				    json_string(reason));
}

static void
on_part(struct conversation *c, const json_t *event)
{
	const json_t *part = json_object_get(event, "part");
	struct str text = str_in(json_object_get(part, "text"));
	struct str thought = str_in(json_object_get(part, "think"));
	struct acp *own = c->own;

	if (own->record.owner == ACP_ITS_OWN) {
		if (text.len && own->said_alone)
			acp_say_alone(c, STR("\n\n"));
		acp_say_alone(c, text);
	} else if (is_untold(own)) {
		if (thought.len)
			conversation_reasoning(c, thought);
		acp_hear_text(c, text);
	}
}

static void
on_call(struct conversation *c, const json_t *event)
{
	const char *id = json_text(event, "toolCallId");
	struct acp *own = c->own;

	if (!is_untold(own) || !id)
		return;
	if (!own->tools)
		own->tools = json_object();
	json_object_set_new(own->tools, id, json_true());
	own->paragraphs.used_tool = true;
	conversation_tool(c, json_pack("{s:s, s:s?, s:O?}", "id", id, "name",
				       json_text(event, "name"), "arguments",
				       json_object_get(event, "args")));
}

static void
on_result(struct conversation *c, const json_t *event)
{
	const char *id = json_text(event, "toolCallId");
	const json_t *result = json_object_get(event, "result");

	if (!is_untold(c->own) || !id)
		return;
	conversation_tool(
		c, json_pack("{s:s, s:O?, s:b}", "id", id, "result",
			     json_object_get(result, "output"), "is_error",
			     json_is_true(json_object_get(result, "isError"))));
}

static void
on_loop_event(struct conversation *c, const json_t *line)
{
	static const struct {
		const char *type;
		void (*hear)(struct conversation *, const json_t *);
	} events[] = {
		{ "step.end", on_step_end },
		{ "content.part", on_part },
		{ "tool.call", on_call },
		{ "tool.result", on_result },
	};
	const json_t *event = json_object_get(line, "event");

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (is(json_text(event, "type"), events[i].type))
			events[i].hear(c, event);
}

/* A turn of ours that was cancelled before may have left lines, too: those are
 * passed over, because no answer waits for them. */
static void
on_prompt(struct conversation *c, const json_t *line)
{
	const char *origin = json_text(json_object_get(line, "origin"), "kind");
	struct acp *own = c->own;

	if (origin && strcmp(origin, "user")) {
		own->record.owner = ACP_ITS_OWN;
		acp_begin_alone(c);
	} else if (own->record.answer) {
		own->record.owner = ACP_OURS;
	}
}

static void
on_end(struct conversation *c, const json_t *line)
{
	struct acp *own = c->own;
	struct acp_record *r = &own->record;

	if (r->owner == ACP_OURS && is(json_text(line, "reason"), "cancelled"))
		r->owner = ACP_NOBODY; /* of a turn before this one */
	else if (r->owner == ACP_OURS)
		r->end = json_incref((json_t *)line);
}

static void
on_task(struct conversation *c, const json_t *line)
{
	const json_t *info = json_object_get(line, "info");
	const char *id = json_text(info, "taskId");
	struct acp *own = c->own;
	struct acp_record *r = &own->record;

	if (!id)
		return;
	if (!r->tasks)
		r->tasks = json_object();
	if (is(json_text(line, "type"), "task.terminated"))
		json_object_del(r->tasks, id);
	else if (json_is_true(json_object_get(info, "detached")))
		json_object_set_new(r->tasks, id, json_true());
	conversation_background(c, (unsigned)json_object_size(r->tasks));
}

static const struct {
	const char *type;
	void (*hear)(struct conversation *, const json_t *);
} events[] = {
	{ "turn.prompt", on_prompt },
	{ "usage.record", on_usage },
	{ "llm.request", on_request },
	{ "context.append_loop_event", on_loop_event },
	{ "turn.ended", on_end },
	{ "task.started", on_task },
	{ "task.terminated", on_task },
};

static enum boundary
hear(struct conversation *c, struct str said)
{
	json_t *line = json_loadb(said.ptr, said.len, JSON_ALLOW_NUL, NULL);
	const char *type = json_text(line, "type");
	bool ends = is(type, "turn.ended");
	struct acp *own = c->own;

	for (size_t i = 0; type && i < sizeof events / sizeof *events; i++)
		if (!strcmp(type, events[i].type))
			events[i].hear(c, line);
	json_decref(line);
	if (ends && own->record.owner == ACP_ITS_OWN)
		return ITS_TURN_ENDED;
	return own->record.end ? OUR_TURN_ENDED : NO_BOUNDARY;
}

/* Reads whole lines up to the end of a turn; the rest is read again later. */
static enum boundary
read_lines(struct conversation *c, int fd)
{
	struct lines lines = LINES_INIT(MAX_LINE);
	struct acp_record *r = &((struct acp *)c->own)->record;
	enum boundary boundary = NO_BOUNDARY;
	struct str line;
	struct error e;
	ssize_t n = 1;
	char *room;

	while (n > 0 && !boundary && lines_room(&lines, PIECE, &room, &e)) {
		off_t at = r->read + (off_t)(lines.buf.len - lines.start);

		n = pread(fd, room, PIECE, at);
		if (n > 0)
			lines_added(&lines, (size_t)n);
		while (!boundary && lines_next(&lines, &line)) {
			r->read += (int64_t)line.len + 1;
			r->looks = 0;
			boundary = hear(c, line);
		}
	}
	lines_fini(&lines);
	return boundary;
}

static enum boundary
read_record(struct conversation *c)
{
	struct acp_record *r = &((struct acp *)c->own)->record;
	int fd = r->path ? c->executor->open(c->executor, r->path) : -1;
	int64_t had = r->read;
	enum boundary boundary;

	r->looks++;
	if (fd < 0)
		return NO_BOUNDARY;
	boundary = read_lines(c, fd);
	close(fd);
	if (r->read > had) /* a sign of life */
		(void)instance_conversation(c->instance, c->cli_id);
	return boundary;
}

/* The end of a turn */

static void
fail(struct conversation *c, const json_t *ended)
{
	const json_t *error = json_object_get(ended, "error");
	const json_t *details = json_object_get(error, "details");
	const char *code = json_text(error, "code");
	struct error e = { 0 };

	acp_explain_words(
		c, json_integer_value(json_object_get(details, "statusCode")),
		json_text(error, "message"), &e);
	if (e.code == ERR_HARNESS && code && !strncmp(code, "provider.", 9))
		e.code = ERR_UPSTREAM;
	acp_fail(c, &e);
}

static void
conclude(struct conversation *c)
{
	struct acp *own = c->own;
	json_t *answer = json_incref(own->record.answer);
	json_t *ended = json_incref(own->record.end);
	const char *code = json_text(json_object_get(ended, "error"), "code");

	own->record.owner = ACP_NOBODY;
	if (is(json_text(answer, "finishReason"), "max_tokens"))
		json_object_set_new(answer, "stopReason",
				    json_string("max_tokens"));
	if (is(json_text(ended, "reason"), "failed") &&
	    !is(code, "provider.filtered"))
		fail(c, ended);
	else
		acp_conclude(c, answer);
	json_decref(answer);
	json_decref(ended);
}

static void
give_up(struct conversation *c)
{
	struct error e = { 0 };

	fail_with(&e, ERR_HARNESS, "%s left no record of how its turn ended",
		  conversation_name(c));
	acp_fail(c, &e);
}

/* Waiting for more */

static bool
has_more_to_come(const struct acp_record *r)
{
	return r->answer || r->owner == ACP_ITS_OWN ||
	       json_object_size(r->tasks) > 0 ||
	       (r->tasks && r->looks < LOOKS_BETWEEN_TURNS);
}

/* While a turn that is not told otherwise is under way, its model may think as
 * long as the deadline of silence allows. */
static bool
is_overdue(const struct acp *own)
{
	const struct acp_record *r = &own->record;

	return r->answer && r->looks > MAX_LOOKS && !is_untold(own) &&
	       r->owner != ACP_ITS_OWN;
}

static void look(struct timer *);

/* The end of a turn may begin the next one, whose prompt is sent at once. */
static void
follow(struct conversation *c)
{
	struct acp *own = c->own;
	struct acp_record *r = &own->record;
	enum boundary boundary = NO_BOUNDARY;

	do {
		boundary = own->is_asked ? NO_BOUNDARY : read_record(c);
		if (boundary == ITS_TURN_ENDED) {
			r->owner = ACP_NOBODY;
			acp_end_alone(c);
		} else if (boundary == OUR_TURN_ENDED) {
			conclude(c);
		}
	} while (boundary == ITS_TURN_ENDED);
	if (is_overdue(own))
		give_up(c);
	if (r->path && !own->is_asked && has_more_to_come(r))
		loop_set(c->instance->loop, &r->look,
			 r->answer && r->looks < MAX_LOOKS
				 ? LOOK_AGAIN_MS
				 : LOOK_BETWEEN_TURNS_MS,
			 look);
}

static void
look(struct timer *timer)
{
	follow(container_of(timer, struct acp, record.look)->conversation);
}

/* The lines that are there when the session is opened belong to earlier
 * turns; the file is made in the first turn. */
void
acp_record_begin(struct conversation *c)
{
	const char *home = acp_agent_of(c)->records;
	struct acp *own = c->own;
	struct acp_record *r = &own->record;
	struct executor *x = c->executor;
	struct file_facts facts;

	if (!home)
		return;
	if (r->path) {
		follow(c);
		return;
	}
	r->path = find_record(x, home, c->cli_id);
	r->read = r->path && x->look(x, r->path, &facts) ? facts.bytes : 0;
}

void
acp_record_end(struct conversation *c, const json_t *result)
{
	const char *home = acp_agent_of(c)->records;
	struct acp *own = c->own;
	struct acp_record *r = &own->record;

	if (!home || is(json_text(result, "stopReason"), "cancelled")) {
		acp_conclude(c, result);
		return;
	}
	if (!r->path)
		r->path = find_record(c->executor, home, c->cli_id);
	if (!r->path) {
		instance_unknown(c->instance, "records", "that are not there");
		acp_conclude(c, result);
		return;
	}
	r->answer =
		json_is_object(result) ? json_deep_copy(result) : json_object();
	r->looks = 0;
	follow(c);
}

void
acp_record_clear(struct conversation *c)
{
	struct acp_record *r = &((struct acp *)c->own)->record;

	if (timer_is_set(&r->look))
		loop_unset(c->instance->loop, &r->look);
	free(r->path);
	json_decref(r->tasks);
	r->path = NULL;
	r->tasks = NULL;
}
