#include "tests/unit/talk_notes.h"

#include <stdarg.h>
#include <stdio.h>

struct notes notes = { .heard = BUF_INIT(8u << 20),
		       .written = BUF_INIT(8u << 20) };

struct talk *notes_talk;

void
notes_clear(void)
{
	buf_fini(&notes.heard);
	buf_fini(&notes.written);
	notes.last = '\0';
	notes.has_spoken = notes.input_ended = false;
}

static void note(const char *fmt, ...) printf_like(1);

static void
note(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (notes.last)
		buf_print(&notes.heard, "\n");
	notes.last = '\0';
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	buf_print(&notes.heard, "%s\n", line);
}

static void
note_piece(char kind, const char *name, struct str s)
{
	struct error e;

	if (!s.len)
		return;
	notes.has_spoken = true;
	if (notes.last != kind) {
		if (notes.last)
			buf_print(&notes.heard, "\n");
		buf_print(&notes.heard, "%s ", name);
	}
	notes.last = kind;
	(void)!buf_add(&notes.heard, s, &e);
}

void
agent_write(struct agent *a, struct str s)
{
	struct error e;

	(void)!buf_add(&notes.written, s, &e);
}

void
agent_write_json(struct agent *a, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	buf_print(&notes.written, "%s\n", text);
	free(text);
	json_decref(json);
}

void
agent_ready(struct agent *a)
{
	note("agent ready");
}

void
agent_fail(struct agent *a, const struct error *e)
{
	note("agent fail %s %s", error_name(e->code), e->text);
}

struct talk *
agent_talk(struct agent *a, const char *cli_id)
{
	return notes_talk && notes_talk->cli_id && cli_id &&
			       !strcmp(notes_talk->cli_id, cli_id)
		       ? notes_talk
		       : NULL;
}

void
agent_unknown(struct agent *a, const char *kind, const char *what)
{
	note("unknown %s %s", kind, what);
}

bool
is_plain_model(const char *model)
{
	return model && *model != '-';
}

void
talk_write(struct talk *t, struct str s)
{
	agent_write(t->agent, s);
}

void
talk_write_json(struct talk *t, json_t *json)
{
	agent_write_json(t->agent, json);
}

void
talk_end_input(struct talk *t)
{
	notes.input_ended = true;
}

void
talk_name_it(struct talk *t, const char *cli_id)
{
	static char given[128];

	snprintf(given, sizeof given, "%s", cli_id);
	t->cli_id = given;
	note("name %s", cli_id);
}

void
talk_ready(struct talk *t)
{
	note("ready");
}

void
talk_working(struct talk *t, const char *what, size_t done, size_t all)
{
	note("working %s %zu of %zu", what, done, all);
}

void
talk_text(struct talk *t, struct str s)
{
	note_piece('t', "text", s);
}

void
talk_reasoning(struct talk *t, struct str s)
{
	note_piece('r', "reasoning", s);
}

void
talk_tool(struct talk *t, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	notes.has_spoken = true;
	note("tool %s", text);
	free(text);
	json_decref(json);
}

void
talk_lost(struct talk *t)
{
	note("lost");
}

void
talk_finish(struct talk *t, const char *reason, json_t *usage,
	    const char *model)
{
	note("finish %s, %lld + %lld tokens, by %s", reason,
	     (long long)json_integer_value(
		     json_object_get(usage, "prompt_tokens")),
	     (long long)json_integer_value(
		     json_object_get(usage, "completion_tokens")),
	     model ? model : "?");
	json_decref(usage);
	notes.has_spoken = false;
}

void
talk_fail(struct talk *t, const struct error *e)
{
	note("fail %s%s %s", error_name(e->code), e->retry_ms ? " later" : "",
	     e->text);
	notes.has_spoken = false;
}

void
talk_abort(struct talk *t, const struct error *e)
{
	note("abort %s%s %s", error_name(e->code), e->retry_ms ? " later" : "",
	     e->text);
	notes.has_spoken = false;
}

void
talk_mark(struct talk *t, const char *position)
{
	note("mark");
}

void
talk_models(struct talk *t, json_t *ids)
{
	note("models %zu", json_array_size(ids));
	json_decref(ids);
}

const char *
talk_name(const struct talk *t)
{
	return "test";
}

bool
talk_has_spoken(const struct talk *t)
{
	return notes.has_spoken;
}

char *
new_uuid(void)
{
	return copy(STR("00000000-0000-4000-8000-000000000000"));
}
