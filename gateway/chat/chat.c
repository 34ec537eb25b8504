#include "gateway/chat/chat.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "gateway/chat/usage.h"
#include "proto/utf8.h"

/* Requests */

static bool
fail_field(struct chat *c, struct error *e, const char *field, const char *must)
{
	c->param = field;
	return fail_with(e, ERR_INVALID, "\"%s\" must be %s", field, must);
}

/* Absent and null are the same, and not wrong. */
static json_t *
field(const struct chat *c, enum field which)
{
	json_t *value = c->values[which];

	return json_is_null(value) ? NULL : value;
}

static bool
read_text(struct chat *c, enum field which, struct str *text, struct error *e)
{
	json_t *value = field(c, which);

	if (!value)
		return true;
	*text = (struct str){ json_string_value(value),
			      json_string_length(value) };
	if (!text->ptr || memchr(text->ptr, '\0', text->len))
		return fail_field(c, e, field_name(which), "a string");
	return true;
}

static bool
read_flag(struct chat *c, enum field which, bool *is_there, bool *flag,
	  struct error *e)
{
	json_t *value = field(c, which);

	if (!value)
		return true;
	if (!json_is_boolean(value))
		return fail_field(c, e, field_name(which), "true or false");
	*is_there = true;
	*flag = json_is_true(value);
	return true;
}

static bool
read_stream_options(struct chat *c, struct error *e)
{
	json_t *options = field(c, FIELD_STREAM_OPTIONS);

	if (options && !json_is_object(options))
		return fail_field(c, e, field_name(FIELD_STREAM_OPTIONS),
				  "an object");
	c->include_usage =
		json_is_true(json_object_get(options, "include_usage"));
	return true;
}

/* What is in them is for whoever does the work to read. */
static bool
check_messages(struct chat *c, struct str json, struct error *e)
{
	struct str inside = str_trim(str_from(json, json.len > 0));

	if (json.len && *json.ptr == '[' && inside.len && *inside.ptr != ']')
		return true;
	return fail_field(c, e, field_name(FIELD_MESSAGES),
			  "an array that is not empty");
}

/* jansson quotes what it stumbled over, which need not be text. */
static bool
parse_field(struct chat *c, enum field which, struct str json, struct error *e)
{
	json_error_t why;

	if (!json.ptr)
		return true;
	if (json.len > MAX_BODY_FIELD) {
		c->param = field_name(which);
		return fail_with(e, ERR_INVALID,
				 "\"%s\" has %zu bytes; at most %u are allowed",
				 field_name(which), json.len, MAX_BODY_FIELD);
	}
	c->values[which] = json_loadb(json.ptr, json.len,
				      JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	if (c->values[which])
		return true;
	c->param = field_name(which);
	return fail_with(e, ERR_INVALID, "\"%s\" is not valid JSON: %s",
			 field_name(which),
			 utf8_valid(str_of(why.text)) ? why.text : "not UTF-8");
}

bool
chat_read(struct chat *c, enum dialect dialect, struct str body,
	  const struct fields *f, struct error *e)
{
	for (int i = 0; i < FIELDS; i++)
		if (i != FIELD_MESSAGES &&
		    !parse_field(c, (enum field)i,
				 fields_value(f, body, (enum field)i), e))
			return false;
	if (!read_text(c, FIELD_MODEL, &c->model, e))
		return false;
	if (!c->model.len)
		return fail_field(c, e, field_name(FIELD_MODEL),
				  "a string that is not empty");
	return (dialect != DIALECT_CHAT ||
		check_messages(c, fields_value(f, body, FIELD_MESSAGES), e)) &&
	       read_text(c, FIELD_SESSION_ID, &c->session, e) &&
	       read_text(c, FIELD_RESUME_ID, &c->resume, e) &&
	       read_text(c, FIELD_CWD, &c->cwd, e) &&
	       read_flag(c, FIELD_STREAM, &c->says_streamed, &c->streamed, e) &&
	       read_stream_options(c, e);
}

void
chat_fini(struct chat *c)
{
	for (int i = 0; i < FIELDS; i++)
		json_decref(c->values[i]);
	*c = CHAT_INIT;
}

/* Answers */

#define ADD(b, literal) buf_put(b, STR(literal))

void
chat_escape(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789abcdef";
	size_t done = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		char code[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

		if (c >= ' ' && c != '"' && c != '\\')
			continue;
		buf_put(b, (struct str){ s.ptr + done, i - done });
		done = i + 1;
		if (c == '\n')
			ADD(b, "\\n");
		else if (c == '"')
			ADD(b, "\\\"");
		else if (c == '\\')
			ADD(b, "\\\\");
		else
			buf_put(b, (struct str){ code, sizeof code });
	}
	buf_put(b, (struct str){ s.ptr + done, s.len - done });
}

static void
quote(struct buf *b, struct str s)
{
	ADD(b, "\"");
	chat_escape(b, s);
	ADD(b, "\"");
}

static void
quote_or_null(struct buf *b, const char *s)
{
	if (s)
		quote(b, str_of(s));
	else
		ADD(b, "null");
}

/* Between its tokens JSON may have line breaks; an event may not. */
static void
add_json(struct buf *b, struct str json)
{
	size_t at = b->len;

	buf_put(b, json);
	for (; at < b->len; at++)
		if (b->ptr[at] == '\n' || b->ptr[at] == '\r')
			b->ptr[at] = ' ';
}

void
stamp_init(struct stamp *s, uint64_t turn, struct str model, bool include_usage)
{
	struct buf head = BUF_INIT(MAX_WIRE);

	s->created = (int64_t)time(NULL);
	s->model = copy(model);
	s->include_usage = include_usage;
	snprintf(s->id, sizeof s->id, "chatcmpl-%016" PRIx64 "%08x", turn,
		 (unsigned)(s->created ^ (int64_t)(turn >> 13)));
	buf_print(&head,
		  "{\"id\":\"%s\",\"object\":\"chat.completion.chunk\","
		  "\"created\":%" PRId64 ",\"model\":",
		  s->id, s->created);
	quote(&head, model);
	buf_put(&head, (struct str){ ",", 2 }); /* with its end */
	s->head = head.ptr;
}

void
stamp_fini(struct stamp *s)
{
	free(s->head);
	free(s->model);
	s->head = s->model = NULL;
}

static void
end_chunk(struct buf *b, const struct stamp *s)
{
	if (s->include_usage)
		ADD(b, ",\"usage\":null}");
	else
		ADD(b, "}");
}

static void
add_finish_reason(struct buf *b, enum finish_reason reason)
{
	ADD(b, "\"finish_reason\":");
	if (reason)
		quote(b, str_of(finish_reason_chat(reason)));
	else
		ADD(b, "null");
}

/* `delta` is JSON. */
static void
add_chunk(struct buf *b, const struct stamp *s, const char *delta,
	  enum finish_reason reason)
{
	buf_put(b, str_of(s->head));
	buf_print(b, "\"choices\":[{\"index\":0,\"delta\":%s,", delta);
	add_finish_reason(b, reason);
	ADD(b, "}]");
}

void
chat_role(struct buf *b, const struct stamp *s)
{
	add_chunk(b, s, "{\"role\":\"assistant\",\"content\":\"\"}",
		  FINISH_NONE);
	end_chunk(b, s);
}

void
chat_begin_delta(struct buf *b, const struct stamp *s, enum delta delta)
{
	buf_put(b, str_of(s->head));
	if (delta == DELTA_TEXT)
		ADD(b, "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
	else
		ADD(b, "\"choices\":[{\"index\":0,\"delta\":"
		       "{\"reasoning_content\":\"");
}

void
chat_end_delta(struct buf *b, const struct stamp *s)
{
	ADD(b, "\"},\"finish_reason\":null}]");
	end_chunk(b, s);
}

/* A chunk that says something in the extension only: its members come between
 * the two. */
static void
begin_extension(struct buf *b, const struct stamp *s)
{
	add_chunk(b, s, "{}", FINISH_NONE);
	ADD(b, ",\"bridge\":{");
}

static void
end_extension(struct buf *b, const struct stamp *s)
{
	ADD(b, "}");
	end_chunk(b, s);
}

void
chat_tool(struct buf *b, const struct stamp *s, struct str json)
{
	begin_extension(b, s);
	ADD(b, "\"tool\":");
	add_json(b, json);
	end_extension(b, s);
}

/* What names a call, up to the text of its arguments. */
static void
begin_call(struct buf *b, const struct call *call)
{
	ADD(b, "\"id\":");
	quote(b, str_of(call->id));
	ADD(b, ",\"type\":\"function\",\"function\":{\"name\":");
	quote(b, str_of(call->name));
	ADD(b, ",\"arguments\":\"");
}

#define END_OF_CALL "\"}}"

static void
add_call_chunk(struct buf *b, const struct stamp *s, struct buf *call)
{
	buf_put(b, str_of(s->head));
	ADD(b, "\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[");
	buf_put(b, buf_str(call));
	ADD(b, END_OF_CALL "]},\"finish_reason\":null}]");
	end_chunk(b, s);
}

void
chat_call(struct buf *b, const struct stamp *s, const struct call *call)
{
	struct buf json = BUF_INIT(MAX_WIRE);

	buf_print(&json, "{\"index\":%u,", call->index);
	begin_call(&json, call);
	add_call_chunk(b, s, &json);
	buf_fini(&json);
}

void
chat_arguments(struct buf *b, const struct stamp *s, unsigned index,
	       struct str text)
{
	struct buf json = BUF_INIT(MAX_WIRE);

	buf_print(&json, "{\"index\":%u,\"function\":{\"arguments\":\"", index);
	chat_escape(&json, text);
	add_call_chunk(b, s, &json);
	buf_fini(&json);
}

void
chat_add_call(struct buf *b, const struct call *call)
{
	if (call->index)
		ADD(b, END_OF_CALL ",");
	ADD(b, "{");
	begin_call(b, call);
}

static void
add_standing(struct buf *b, const struct standing *st)
{
	ADD(b, "{\"id\":");
	quote_or_null(b, st->session);
	ADD(b, ",\"how\":");
	quote_or_null(b, st->how);
	ADD(b, ",\"reason\":");
	quote_or_null(b, st->reason);
	ADD(b, "}");
}

void
chat_standing(struct buf *b, const struct stamp *s, const struct standing *st)
{
	begin_extension(b, s);
	ADD(b, "\"session\":");
	add_standing(b, st);
	end_extension(b, s);
}

/* "n, seed" becomes ["n","seed"]. */
static void
add_ignored(struct buf *b, struct str names)
{
	ADD(b, "\"ignored\":[");
	for (const char *comma = ""; names.len; comma = ",") {
		buf_put(b, str_of(comma));
		quote(b, str_trim(str_cut(names, ',', &names)));
	}
	ADD(b, "]");
}

void
chat_ignored(struct buf *b, const struct stamp *s, struct str names)
{
	begin_extension(b, s);
	add_ignored(b, names);
	end_extension(b, s);
}

static void
add_profile(struct buf *b, struct str json)
{
	ADD(b, "\"profile\":");
	add_json(b, json);
}

void
chat_profile(struct buf *b, const struct stamp *s, struct str json)
{
	begin_extension(b, s);
	add_profile(b, json);
	end_extension(b, s);
}

static void
add_meanwhile(struct buf *b, struct str text)
{
	ADD(b, "\"meanwhile\":\"");
	chat_escape(b, text);
	ADD(b, "\"");
}

void
chat_meanwhile(struct buf *b, const struct stamp *s, struct str text)
{
	begin_extension(b, s);
	add_meanwhile(b, text);
	end_extension(b, s);
}

void
chat_finish(struct buf *b, const struct stamp *s, const struct msg_finish *m,
	    const char *cache)
{
	add_chunk(b, s, "{}", (enum finish_reason)m->reason);
	usage_write_extension(b, m, cache);
	end_chunk(b, s);
}

void
chat_usage(struct buf *b, const struct stamp *s, const struct msg_finish *m)
{
	buf_put(b, str_of(s->head));
	ADD(b, "\"choices\":[],\"usage\":");
	usage_write(b, m);
	ADD(b, "}");
}

static void
add_message(struct buf *b, const struct completion *c)
{
	ADD(b, "{\"role\":\"assistant\",\"content\":");
	if (c->text.len || !c->calls.len)
		quote(b, c->text);
	else
		ADD(b, "null");
	ADD(b, ",\"refusal\":null");
	if (c->calls.len) {
		ADD(b, ",\"tool_calls\":[");
		buf_put(b, c->calls);
		ADD(b, END_OF_CALL "]");
	}
	if (c->reasoning.len) { /* clients know one of two names */
		ADD(b, ",\"reasoning_content\":");
		quote(b, c->reasoning);
		ADD(b, ",\"reasoning\":");
		quote(b, c->reasoning);
	}
	ADD(b, "}");
}

static void
add_bridge(struct buf *b, const struct completion *c)
{
	ADD(b, "{\"tools\":[");
	add_json(b, c->tools);
	ADD(b, "],\"session\":");
	if (c->standing.session)
		add_standing(b, &c->standing);
	else
		ADD(b, "null");
	ADD(b, ",\"model\":");
	if (c->finish->model.ptr)
		quote(b, c->finish->model);
	else
		ADD(b, "null");
	usage_write_bridge(b, c->finish, c->standing.cache);
	if (c->profile.len) {
		ADD(b, ",");
		add_profile(b, c->profile);
	}
	if (c->ignored.len) {
		ADD(b, ",");
		add_ignored(b, c->ignored);
	}
	if (c->meanwhile.len) {
		ADD(b, ",");
		add_meanwhile(b, c->meanwhile);
	}
	ADD(b, "}");
}

void
chat_completion(struct buf *b, const struct stamp *s,
		const struct completion *c)
{
	buf_print(b,
		  "{\"id\":\"%s\",\"object\":\"chat.completion\","
		  "\"created\":%" PRId64 ",\"model\":",
		  s->id, s->created);
	quote(b, str_of(s->model));
	ADD(b, ",\"choices\":[{\"index\":0,\"message\":");
	add_message(b, c);
	ADD(b, ",\"logprobs\":null,");
	add_finish_reason(b, (enum finish_reason)c->finish->reason);
	ADD(b, "}]");
	if (usage_is_whole(c->finish)) {
		ADD(b, ",\"usage\":");
		usage_write(b, c->finish);
	}
	ADD(b, ",\"bridge\":");
	add_bridge(b, c);
	ADD(b, "}");
}

struct str
chat_param(const struct error *e)
{
	switch ((int)e->code) {
	case ERR_BAD_CWD:
		return STR("cwd");
	case ERR_NO_MODEL:
		return STR("model");
	default:
		return (struct str){ e->field_len ? e->text : NULL,
				     e->field_len };
	}
}

static void
add_error(struct buf *b, const struct error *e, const char *param)
{
	struct str text = str_of(e->text);
	struct str about = param ? str_of(param) : chat_param(e);

	ADD(b, "{\"error\":{\"message\":");
	quote(b, utf8_valid(text) ? text : STR("(not UTF-8)"));
	buf_print(b, ",\"type\":\"%s\",\"param\":", error_type(e->code));
	if (about.ptr)
		quote(b, about);
	else
		ADD(b, "null");
	buf_print(b, ",\"code\":\"%s\"", error_slug(e->code));
}

void
chat_error(struct buf *b, const struct error *e, const char *param)
{
	add_error(b, e, param);
	ADD(b, "}}");
}

void
chat_stream_error(struct buf *b, const struct error *e)
{
	add_error(b, e, NULL);
	buf_print(b, ",\"status\":%d", error_http(e->code));
	if (e->retry_ms)
		buf_print(b, ",\"retry_after_ms\":%u", (unsigned)e->retry_ms);
	ADD(b, "}}");
}
