#include "workers/conversation.h"

#include <stdio.h>

/* Where a value stands, for error messages: "messages[2].content[0]". */
struct place {
	size_t message;
	size_t part;
	bool in_part;
};

static bool
fail_at(struct error *e, struct place p, const char *what)
{
	char part[32] = "";

	if (p.in_part)
		snprintf(part, sizeof part, ".content[%zu]", p.part);
	return fail_with(e, ERR_INVALID, "messages[%zu]%s%s", p.message, part,
			 what);
}

static const char *
string_in(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_t *
text_part(json_t *text)
{
	return json_pack("{s:s, s:O}", "type", "text", "text", text);
}

/* data:image/png;base64,AAAA or a URL that the harness may fetch itself. */
static bool
image_part(json_t **to, const char *url, struct place p, struct error *e)
{
	struct str rest, head;

	if (!url)
		return fail_at(e, p, " has no image URL");
	if (strncmp(url, "data:", 5)) {
		*to = json_pack("{s:s, s:s}", "type", "image", "url", url);
		return true;
	}
	head = str_cut(str_of(url + 5), ',', &rest);
	if (!rest.ptr || head.len <= 7 ||
	    strncmp(head.ptr + head.len - 7, ";base64", 7))
		return fail_at(e, p, " is a data URL, but not of base64");
	*to = json_pack("{s:s, s:s%, s:s%}", "type", "image", "media_type",
			head.ptr, head.len - 7, "data", rest.ptr, rest.len);
	return *to || fail_at(e, p, " is not a data URL");
}

static bool
read_image(json_t **to, const json_t *part, struct place p, struct error *e)
{
	const json_t *image = json_object_get(part, "image_url");
	const char *url = json_is_string(image) ? json_string_value(image)
						: string_in(image, "url");

	return image_part(to, url, p, e);
}

static bool
read_text(json_t **to, const json_t *part, struct place p, struct error *e)
{
	json_t *text = json_object_get(part, "text");

	if (!json_is_string(text))
		text = json_object_get(part, "refusal");
	if (!json_is_string(text))
		return fail_at(e, p, ".text must be a string");
	*to = text_part(text);
	return true;
}

static const struct {
	const char *type;
	bool (*read)(json_t **, const json_t *, struct place, struct error *);
} part_types[] = {
	{ "text", read_text },	      { "input_text", read_text },
	{ "output_text", read_text }, { "refusal", read_text },
	{ "image_url", read_image },  { "input_image", read_image },
};

static bool
read_part(json_t **to, const json_t *part, struct place p, struct error *e)
{
	const char *type = string_in(part, "type");

	for (size_t i = 0; type && i < sizeof part_types / sizeof *part_types;
	     i++)
		if (!strcmp(type, part_types[i].type))
			return part_types[i].read(to, part, p, e);
	fail_at(e, p,
		".type is not supported: text, image_url, input_text and "
		"input_image are");
	e->code = ERR_UNSUPPORTED;
	return false;
}

/* Appends to `parts` what a message's content says: nothing if it is null. */
static bool
read_content(json_t *parts, json_t *content, struct place p, struct error *e)
{
	json_t *part, *read;

	if (!content || json_is_null(content))
		return true;
	if (json_is_string(content)) {
		json_array_append_new(parts, text_part(content));
		return true;
	}
	if (!json_is_array(content))
		return fail_at(e, p,
			       ".content must be a string, an array or null");
	p.in_part = true;
	json_array_foreach (content, p.part, part) {
		if (!read_part(&read, part, p, e))
			return false;
		json_array_append_new(parts, read);
	}
	return true;
}

static bool
read_tool_calls(json_t *parts, const json_t *message, struct place p,
		struct error *e)
{
	const json_t *calls = json_object_get(message, "tool_calls"), *call;
	size_t i;

	json_array_foreach (calls, i, call) {
		const json_t *function = json_object_get(call, "function");
		const char *name = string_in(function, "name");
		const char *id = string_in(call, "id");
		const char *arguments = string_in(function, "arguments");

		if (!name)
			return fail_at(e, p, ".tool_calls: a call has no name");
		json_array_append_new(parts,
				      json_pack("{s:s, s:s, s:s, s:s}", "type",
						"tool_call", "id", id ? id : "",
						"name", name, "arguments",
						arguments ? arguments : "{}"));
	}
	return true;
}

/* All text of the parts, one after the other.  The caller frees it. */
static char *
join_text(const json_t *parts, const char *between, size_t *len)
{
	struct buf all = BUF_INIT(MAX_BODY);
	const json_t *part;
	struct error e;
	size_t i;

	(void)!buf_reserve(&all, 1, &e);
	json_array_foreach (parts, i, part) {
		const json_t *text = json_object_get(part, "text");
		struct str s = { json_string_value(text),
				 json_string_length(text) };

		if (!s.ptr)
			continue;
		if (all.len)
			(void)!buf_add(&all, str_of(between), &e);
		(void)!buf_add(&all, s, &e);
	}
	(void)!buf_reserve(&all, 1, &e);
	all.ptr[all.len] = '\0';
	*len = all.len;
	return all.ptr;
}

static void
add_message(struct conversation *c, const char *role, json_t *parts)
{
	if (json_array_size(parts) == 0)
		return;
	json_array_append_new(c->messages, json_pack("{s:s, s:O}", "role", role,
						     "content", parts));
}

/* What each role becomes. */

struct reading {
	struct conversation *conversation;
	json_t *system; /* parts */
	const json_t *message;
	struct place place;
};

static bool
read_system(struct reading *r, json_t *parts, struct error *e)
{
	json_array_extend(r->system, parts);
	return true;
}

static bool
read_user(struct reading *r, json_t *parts, struct error *e)
{
	add_message(r->conversation, "user", parts);
	return true;
}

static bool
read_assistant(struct reading *r, json_t *parts, struct error *e)
{
	if (!read_tool_calls(parts, r->message, r->place, e))
		return false;
	add_message(r->conversation, "assistant", parts);
	return true;
}

static bool
read_tool(struct reading *r, json_t *parts, struct error *e)
{
	const char *id = string_in(r->message, "tool_call_id");
	size_t len;
	auto_free char *text = join_text(parts, "\n", &len);
	json_t *result =
		json_pack("{s:s, s:s, s:o}", "type", "tool_result", "id",
			  id ? id : "", "text", json_stringn(text, len));
	json_t *only = json_pack("[o]", result);

	add_message(r->conversation, "user", only);
	json_decref(only);
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct reading *, json_t *parts, struct error *);
} roles[] = {
	{ "system", read_system }, { "developer", read_system },
	{ "user", read_user },	   { "assistant", read_assistant },
	{ "tool", read_tool },	   { "function", read_tool },
};

static bool
read_message(struct reading *r, struct error *e)
{
	const char *role = string_in(r->message, "role");
	json_t *parts = json_array();
	bool ok = false, known = false;

	for (size_t i = 0; role && i < sizeof roles / sizeof *roles; i++) {
		if (strcmp(role, roles[i].name))
			continue;
		known = true;
		ok = read_content(parts, json_object_get(r->message, "content"),
				  r->place, e) &&
		     roles[i].read(r, parts, e);
	}
	if (!known)
		fail_at(e, r->place,
			".role must be system, developer, user, assistant or "
			"tool");
	json_decref(parts);
	return ok;
}

/* Blank text is no request: some CLIs answer it by themselves. */
static bool
says_something(const struct conversation *c)
{
	const json_t *part;
	size_t j;

	for (size_t i = conversation_unanswered(c);
	     i < json_array_size(c->messages); i++)
		json_array_foreach (
			json_object_get(json_array_get(c->messages, i),
					"content"),
			j, part) {
			const char *text = string_in(part, "text");
			const char *type = string_in(part, "type");

			if (strcmp(type, "text") || !text ||
			    str_trim(str_of(text)).len)
				return true;
		}
	return false;
}

static bool
read_messages(struct conversation *c, const json_t *body, struct error *e)
{
	const json_t *messages = json_object_get(body, "messages"), *message;
	struct reading r = { .conversation = c, .system = json_array() };
	bool ok = true;

	c->messages = json_array();
	json_array_foreach (messages, r.place.message, message) {
		r.message = message;
		ok = ok && read_message(&r, e);
	}
	if (ok && json_array_size(r.system))
		c->system = join_text(r.system, "\n\n", &c->system_len);
	json_decref(r.system);
	if (ok && !says_something(c))
		return fail_with(e, ERR_INVALID,
				 "messages: the last one must say something, "
				 "and be of the user or a tool");
	return ok;
}

/*
 * What is neither honoured nor without influence on the answer.  A value that
 * is the default asks for nothing.
 */
static bool
is_ignored(const char *key, const json_t *value)
{
	static const char *const understood[] = {
		"model",      "messages",  "stream", "stream_options",
		"session_id", "resume_id", "cwd",    "user",
		"metadata",
	};

	if (json_is_null(value))
		return false;
	for (size_t i = 0; i < sizeof understood / sizeof *understood; i++)
		if (!strcmp(key, understood[i]))
			return false;
	if (!strcmp(key, "n"))
		return json_number_value(value) != 1;
	return !json_is_array(value) || json_array_size(value) > 0;
}

/* Only names that can be names; the list is for a header. */
static void
note_ignored(struct conversation *c, const json_t *body)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach ((json_t *)body, key, value) {
		size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-."
					 "0123456789");

		if (key[len] || !is_ignored(key, value) ||
		    n + len + 3 > sizeof c->ignored)
			continue;
		n += (size_t)snprintf(c->ignored + n, sizeof c->ignored - n,
				      "%s%s", n ? ", " : "", key);
	}
}

bool
conversation_read(struct conversation *c, struct str body, struct error *e)
{
	json_error_t why;
	json_t *root =
		json_loadb(body.ptr, body.len,
			   JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
	bool ok;

	memset(c, 0, sizeof *c);
	if (!json_is_object(root)) {
		json_decref(root);
		return fail_with(e, ERR_INVALID, "the body is not JSON: %s",
				 why.text);
	}
	ok = read_messages(c, root, e);
	note_ignored(c, root);
	json_decref(root);
	if (!ok)
		conversation_fini(c);
	return ok;
}

void
conversation_fini(struct conversation *c)
{
	free(c->system);
	json_decref(c->messages);
	memset(c, 0, sizeof *c);
}

static bool
is_assistant(const struct conversation *c, size_t message)
{
	const char *role =
		string_in(json_array_get(c->messages, message), "role");

	return role && !strcmp(role, "assistant");
}

size_t
conversation_unanswered(const struct conversation *c)
{
	size_t n = json_array_size(c->messages);

	while (n && !is_assistant(c, n - 1))
		n--;
	return n;
}

/* FNV-1a */
uint64_t
answer_add(uint64_t answer, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!strchr(" \t\r\n", text.ptr[i]) || !text.ptr[i])
			answer = (answer ^ (unsigned char)text.ptr[i]) *
				 UINT64_C(0x100000001b3);
	return answer;
}

uint64_t
conversation_answer(const struct conversation *c, size_t message)
{
	const json_t *parts = json_object_get(
		json_array_get(c->messages, message), "content");
	auto_free char *text = NULL;
	uint64_t answer;
	size_t len;

	if (!is_assistant(c, message))
		return 0;
	text = join_text(parts, "", &len);
	answer = answer_add(ANSWER_EMPTY, (struct str){ text, len });
	return answer == ANSWER_EMPTY ? 0 : answer;
}

json_t *
conversation_begin(const struct conversation *c, size_t n)
{
	json_t *begin = n ? json_array() : NULL;

	for (size_t i = 0; i < n; i++)
		json_array_append(begin, json_array_get(c->messages, i));
	return begin;
}

static int
add_dumped(const char *piece, size_t len, void *hash)
{
	uint64_t *h = hash;

	for (size_t i = 0; i < len; i++)
		*h = (*h ^ (unsigned char)piece[i]) * UINT64_C(0x100000001b3);
	return 0;
}

uint64_t
conversation_hash(const struct conversation *c, size_t from)
{
	uint64_t hash = ANSWER_EMPTY;

	for (size_t i = from; i < json_array_size(c->messages); i++)
		json_dump_callback(json_array_get(c->messages, i), add_dumped,
				   &hash, JSON_COMPACT);
	return hash ? hash : 1;
}
