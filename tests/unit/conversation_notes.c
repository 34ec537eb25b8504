#include "tests/unit/conversation_notes.h"

#include <stdarg.h>
#include <stdio.h>

struct notes notes = { .heard = BUF_INIT(8u << 20),
		       .written = BUF_INIT(8u << 20) };

struct conversation *notes_talk;

void
notes_clear(void)
{
	buf_fini(&notes.heard);
	buf_fini(&notes.written);
	notes.last = '\0';
	notes.has_spoken = notes.input_ended = false;
	notes.uuids = 0;
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
instance_write(struct instance *inst, struct str s)
{
	struct error e;

	(void)!buf_add(&notes.written, s, &e);
}

void
instance_write_json(struct instance *inst, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	buf_print(&notes.written, "%s\n", text);
	free(text);
	json_decref(json);
}

void
instance_ready(struct instance *inst)
{
	note("agent ready");
}

void
instance_fail(struct instance *inst, const struct error *e)
{
	note("agent fail %s %s", error_name(e->code), e->text);
}

void
instance_close(struct instance *inst)
{
	note("agent close");
}

struct conversation *
instance_conversation(struct instance *inst, const char *cli_id)
{
	return notes_talk && notes_talk->cli_id && cli_id &&
			       !strcmp(notes_talk->cli_id, cli_id)
		       ? notes_talk
		       : NULL;
}

void
instance_unknown(struct instance *inst, const char *kind, const char *what)
{
	note("unknown %s %s", kind, what);
}

bool
is_plain_model(const char *model)
{
	return model && *model != '-';
}

void
conversation_write(struct conversation *c, struct str s)
{
	instance_write(c->instance, s);
}

void
conversation_write_json(struct conversation *c, json_t *json)
{
	instance_write_json(c->instance, json);
}

void
conversation_end_input(struct conversation *c)
{
	notes.input_ended = true;
}

void
conversation_name_it(struct conversation *c, const char *cli_id)
{
	static char given[128];

	snprintf(given, sizeof given, "%s", cli_id);
	c->cli_id = given;
	note("name %s", cli_id);
}

void
conversation_ready(struct conversation *c)
{
	note("ready");
}

void
conversation_working(struct conversation *c, const char *what, size_t done,
		     size_t all)
{
	note("working %s %zu of %zu", what, done, all);
}

void
conversation_speaks_alone(struct conversation *c)
{
	note("alone");
}

void
conversation_falls_silent(struct conversation *c)
{
	note("silent");
}

void
conversation_background(struct conversation *c, unsigned count)
{
	note("background %u", count);
}

void
conversation_text(struct conversation *c, struct str s)
{
	note_piece('t', "text", s);
}

void
conversation_structured(struct conversation *c, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	note("structured %s", text);
	free(text);
}

void
conversation_reasoning(struct conversation *c, struct str s)
{
	note_piece('r', "reasoning", s);
}

void
conversation_tool(struct conversation *c, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	notes.has_spoken = true;
	note("tool %s", text);
	free(text);
	json_decref(json);
}

void
conversation_lost(struct conversation *c)
{
	note("lost");
}

static void
add_amount(struct buf *b, struct amount a)
{
	if (a.is_known)
		buf_print(b, "%ju", (uintmax_t)a.count);
	else
		buf_print(b, "?");
}

/* What is known and not 0. */
static void
add_part(struct buf *b, struct amount a, const char *what)
{
	if (a.count)
		buf_print(b, ", %ju %s", (uintmax_t)a.count, what);
}

void
conversation_finish(struct conversation *c, enum finish_reason reason,
		    const struct usage *usage, const char *model)
{
	static const struct usage not_known = { 0 };
	const struct usage *u = usage ? usage : &not_known;
	struct buf used = BUF_INIT(512);

	add_amount(&used, u->input);
	buf_print(&used, " + ");
	add_amount(&used, u->output);
	buf_print(&used, " tokens");
	add_part(&used, u->cached, "from a cache");
	add_part(&used, u->written, "into a cache");
	add_part(&used, u->reasoning, "for reasoning");
	add_part(&used, u->cost, "nanodollars");
	note("finish %s, " STR_FMT ", by %s", finish_reason_chat(reason),
	     STR_ARG(buf_str(&used)), model ? model : "?");
	buf_fini(&used);
	notes.has_spoken = false;
}

void
client_tools_answer(struct conversation *c)
{
	note("answer");
}

void
client_tools_announce(struct conversation *c, const char *cli, const char *name,
		      const json_t *arguments)
{
	auto_free char *text =
		arguments ? json_dumps(arguments, JSON_COMPACT) : NULL;

	note("announce %s %s %s", cli, name, text ? text : "?");
}

bool
client_tools_are_heard(const struct conversation *c)
{
	return true;
}

void
client_tools_withdraw(struct conversation *c, const char *cli)
{
	note("withdraw %s", cli);
}

void
client_tools_complete(struct conversation *c)
{
	note("complete");
}

void
conversation_park(struct conversation *c, json_t *calls,
		  const struct usage *usage, const char *model)
{
	auto_free char *text = json_dumps(calls, JSON_COMPACT | JSON_SORT_KEYS);

	json_decref(calls);
	note("park %s", text);
	conversation_finish(c, FINISH_TOOL_CALLS, usage, model);
}

void
conversation_fail(struct conversation *c, const struct error *e)
{
	note("fail %s%s %s", error_name(e->code), e->retry_ms ? " later" : "",
	     e->text);
	notes.has_spoken = false;
}

void
conversation_abort(struct conversation *c, const struct error *e)
{
	note("abort %s%s %s", error_name(e->code), e->retry_ms ? " later" : "",
	     e->text);
	notes.has_spoken = false;
}

void
conversation_mark(struct conversation *c, const char *position)
{
	note("mark");
}

void
conversation_models(struct conversation *c, json_t *ids)
{
	note("models %zu", json_array_size(ids));
	json_decref(ids);
}

const char *
conversation_name(const struct conversation *c)
{
	return "test";
}

void
conversation_acts(struct conversation *c)
{
	note("acts");
}

bool
conversation_has_spoken(const struct conversation *c)
{
	return notes.has_spoken;
}

char *
new_uuid(void)
{
	return copy_format("00000000-0000-4000-8000-%012u",
			   notes.counts_uuids ? notes.uuids++ : 0);
}
