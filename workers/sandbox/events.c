#include "workers/sandbox/sandbox.h"

#include "workers/cli/usage.h"

/* The first of the members that is a text; absent: none is. */
static struct str
text_of(const json_t *event, const char *const *names)
{
	for (; *names; names++)
		if (json_is_string(json_object_get(event, *names)))
			return json_str(event, *names);
	return (struct str){ NULL, 0 };
}

static void
tell(struct conversation *c, struct str text)
{
	struct sandbox *s = c->own;

	hash_add(&s->said, text);
	s->said_len += text.len;
	conversation_text(c, text);
}

static void
on_piece(struct conversation *c, const json_t *event)
{
	static const char *const names[] = { "chunk", "content", NULL };

	tell(c, text_of(event, names));
}

/*
 * The result is told again at the end.  What of it was not told yet is the rest
 * of the answer; a result that goes another way than what was told is a summary
 * of it, and no part.
 */
static struct str
rest_of(const struct sandbox *s, struct str result)
{
	struct hash beginning = HASH_INIT;

	if (result.len < s->said_len)
		return (struct str){ NULL, 0 };
	hash_add(&beginning, (struct str){ result.ptr, s->said_len });
	return hash_value(&beginning) == hash_value(&s->said)
		       ? str_from(result, s->said_len)
		       : (struct str){ NULL, 0 };
}

static void
on_completed(struct conversation *c, const json_t *event)
{
	static const char *const names[] = { "resultSummary", "response",
					     NULL };
	static const struct usage_names numbers = { .input = "inputTokens",
						    .output = "outputTokens",
						    .is_sum = true };
	const json_t *used = json_object_get(event, "usage");
	struct sandbox *s = c->own;
	struct usage usage = { 0 };

	tell(c, rest_of(s, text_of(event, names)));
	usage_read(&usage, used, &numbers);
	s->is_over = true;
	conversation_finish(c, FINISH_STOP,
			    json_is_object(used) ? &usage : NULL, NULL);
}

static void
on_failed(struct conversation *c, const json_t *event)
{
	struct sandbox *s = c->own;

	s->is_over = true;
	sandbox_fail_task(c, event);
}

typedef void hear_fn(struct conversation *, const json_t *);

static const struct {
	const char *name;
	hear_fn *hear;
} events[] = {
	{ "task.progress", on_piece },
	{ "task.delta", on_piece },
	{ "task.completed", on_completed },
	{ "task.failed", on_failed },
};

/* NULL: nobody knows it, which is counted. */
static hear_fn *
hearer_of(struct conversation *c, const char *name)
{
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (!strcmp(events[i].name, name))
			return events[i].hear;
	instance_unknown(c->instance, "event", name);
	return NULL;
}

static bool
fail_event(const char *name, struct error *e)
{
	return fail_with(e, ERR_TRUNCATED,
			 "sandbox: the service sent an event that is no JSON "
			 "object: %s",
			 name);
}

/* The data has the name in "type", and what is told beside it or in "data". */
static void
on_unnamed(struct conversation *c, const json_t *event)
{
	const json_t *inner = json_object_get(event, "data");
	const char *type = json_text(event, "type");
	hear_fn *hear = hearer_of(c, type ? type : "without a name");

	if (hear)
		hear(c, json_is_object(inner) ? inner : event);
}

/* The stream may end with "[DONE]", which is no event. */
static bool
on_event(struct conversation *c, const char *name, struct str data,
	 struct error *e)
{
	hear_fn *hear = *name ? hearer_of(c, name) : NULL;
	json_t *event;
	bool ok;

	if ((*name && !hear) || str_is(str_trim(data), "[DONE]"))
		return true;
	event = json_loadb(data.ptr, data.len, JSON_ALLOW_NUL, NULL);
	ok = json_is_object(event) ||
	     fail_event(*name ? name : "without a name", e);
	if (ok && hear)
		hear(c, event);
	else if (ok)
		on_unnamed(c, event);
	json_decref(event);
	return ok;
}

/* The client itself says something. */
static bool
on_word(struct conversation *c, const json_t *said, struct error *e)
{
	struct sandbox *s = c->own;

	if (json_object_get(said, "end"))
		return fail_with(e, ERR_TRUNCATED,
				 "sandbox: the service ended its answer before "
				 "the task was over");
	if (json_object_get(said, "failure")) {
		s->is_over = true;
		sandbox_fail_request(c, said);
	} else if (json_object_get(said, "body")) {
		s->is_over = true;
		sandbox_fail_answer(c, said);
	} else { /* the service may be at work from here on */
		s->is_streaming = true;
		conversation_acts(c);
	}
	return true;
}

static bool
on_stream_line(struct conversation *c, struct str line, struct error *e)
{
	struct sandbox *s = c->own;
	bool is_whole;

	if (!sse_line(&s->sse, line, &is_whole, e))
		return fail_with(e, ERR_TRUNCATED,
				 "sandbox: an event of the service has more "
				 "than %u bytes",
				 MAX_SERVICE_EVENT);
	return !is_whole || on_event(c, s->sse.name, buf_str(&s->sse.data), e);
}

bool
sandbox_line(struct conversation *c, struct str line, struct error *e)
{
	const struct sandbox *s = c->own;
	json_t *said;
	bool ok;

	if (s->is_over)
		return true;
	if (s->is_streaming && str_starts(line, STR(">")))
		return on_stream_line(c, str_from(line, 1), e);
	said = json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, NULL);
	ok = json_is_object(said)
		     ? on_word(c, said, e)
		     : fail_with(e, ERR_HARNESS,
				 "sandbox: its client said what is no JSON");
	json_decref(said);
	return ok;
}
