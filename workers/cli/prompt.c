#include "workers/cli/prompt.h"

#include <ctype.h>
#include <stdio.h>

#include "workers/cli/message.h"
#include "workers/cli/message_call.h"
#include "workers/io/hash.h"
#include "workers/io/json.h"
#include "workers/io/json_read.h"

/* What is said for a client that ends with results of its tools. */
#define USE_RESULTS \
	"Your tools have answered. Go on with what they have answered."

/* What is said for a client that ends with words of the assistant's. */
#define GO_ON                                                                  \
	"Go on from exactly where your last message ends, and repeat none of " \
	"it."

static const char *
string_in(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const json_t *
content_of(const struct prompt *p, size_t message)
{
	return json_object_get(json_array_get(p->messages, message), "content");
}

static void
add_message(struct prompt *p, const char *role, json_t *parts)
{
	if (json_array_size(parts) == 0)
		return;
	json_array_append_new(p->messages, json_pack("{s:s, s:O}", "role", role,
						     "content", parts));
}

/* What each role becomes. */

struct reader {
	struct prompt *conversation;
	struct reading reading;
	json_t *system;	    /* parts of the system messages... */
	size_t late_system; /* ...of which so many came after all answers */
	const json_t *message;
};

static bool
read_system(struct reader *r, json_t *parts, struct error *e)
{
	json_array_extend(r->system, parts);
	r->late_system += json_array_size(parts);
	return true;
}

static bool
is_result(const json_t *part)
{
	const char *type = json_text(part, "type");

	return type && !strcmp(type, "tool_result");
}

static bool
has_only_results(const struct prompt *p, size_t message)
{
	const json_t *part;
	size_t i;

	json_array_foreach (content_of(p, message), i, part)
		if (!is_result(part))
			return false;
	return message < json_array_size(p->messages);
}

/* Results of one round of calls are one message, which vendors ask for. */
static void
add_results(struct prompt *p, json_t *results)
{
	size_t n = json_array_size(p->messages);

	if (n && json_array_size(results) && has_only_results(p, n - 1))
		json_array_extend((json_t *)content_of(p, n - 1), results);
	else
		add_message(p, "user", results);
}

/* Results at the beginning become a message of their own: they are part of the
 * history, and what follows is the question. */
static bool
read_user(struct reader *r, json_t *parts, struct error *e)
{
	json_t *results = json_array(), *others = json_array(), *part;
	size_t i;

	json_array_foreach (parts, i, part)
		json_array_append(is_result(part) && !json_array_size(others)
					  ? results
					  : others,
				  part);
	add_results(r->conversation, results);
	add_message(r->conversation, "user", others);
	json_decref(results);
	json_decref(others);
	return true;
}

static bool
read_assistant(struct reader *r, json_t *parts, struct error *e)
{
	message_calls(&r->reading, parts, r->message);
	add_message(r->conversation, "assistant", parts);
	if (json_array_size(parts))
		r->late_system = 0;
	return true;
}

static bool
read_tool(struct reader *r, json_t *parts, struct error *e)
{
	json_t *result = message_result(&r->reading, parts, r->message);

	if (is_result(json_array_get(result, 0)))
		add_results(r->conversation, result);
	else
		add_message(r->conversation, "user", result);
	json_decref(result);
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct reader *, json_t *parts, struct error *);
} roles[] = {
	{ "system", read_system }, { "developer", read_system },
	{ "user", read_user },	   { "assistant", read_assistant },
	{ "tool", read_tool },	   { "function", read_tool },
};

static bool
read_message(struct reader *r, struct error *e)
{
	const char *role = string_in(r->message, "role");
	json_t *parts = json_array();
	bool ok = false, known = false;

	r->reading.is_assistants = role && !strcasecmp(role, "assistant");
	for (size_t i = 0; role && i < sizeof roles / sizeof *roles; i++) {
		if (strcasecmp(role, roles[i].name))
			continue;
		known = true;
		ok = message_content(&r->reading, parts, r->message, e) &&
		     roles[i].read(r, parts, e);
	}
	if (!known)
		reading_fail(&r->reading,
			     ".role must be system, developer, user, assistant "
			     "or tool",
			     e);
	message_note_ignored(&r->reading, r->message);
	json_decref(parts);
	return ok;
}

/* The question */

/* Blank text is no question: some CLIs answer it by themselves. */
static bool
says_something(const struct prompt *p)
{
	const json_t *part;
	size_t j;

	for (size_t i = prompt_unanswered(p); i < json_array_size(p->messages);
	     i++)
		json_array_foreach (
			json_object_get(json_array_get(p->messages, i),
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

/* Instructions that nobody asks anything after are what is asked. */
static void
ask_late_system(struct reader *r)
{
	size_t n = json_array_size(r->system), first = n - r->late_system;
	json_t *parts = json_array();

	for (size_t i = first; i < n; i++)
		json_array_append(parts, json_array_get(r->system, i));
	for (size_t i = n; i > first; i--)
		json_array_remove(r->system, i - 1);
	r->conversation->ours = json_array_size(r->conversation->messages);
	add_message(r->conversation, "user", parts);
	json_decref(parts);
}

static void
ask_for_us(struct prompt *p, const char *words)
{
	json_t *parts =
		json_pack("[{s:s, s:s}]", "type", "text", "text", words);

	p->ours = json_array_size(p->messages);
	add_message(p, "user", parts);
	json_decref(parts);
}

/* No harness lets a caller begin its answer: it is asked to go on. */
static void
ask_to_go_on(struct prompt *p)
{
	ask_for_us(p, GO_ON);
	p->goes_on = true;
}

/*
 * A harness answers messages of the user's.  If the last message is not one,
 * the conversation as it stands is the question.
 */
static bool
find_question(struct reader *r, struct error *e)
{
	struct prompt *p = r->conversation;
	size_t n = json_array_size(p->messages);

	bool ends_in_results = n && has_only_results(p, n - 1);

	if (says_something(p) && !ends_in_results)
		return true;
	if (r->late_system)
		ask_late_system(r);
	else if (ends_in_results)
		ask_for_us(p, USE_RESULTS);
	else if (n && prompt_unanswered(p) == n)
		ask_to_go_on(p);
	return says_something(p) ||
	       fail_about(e, ERR_INVALID,
			  "messages: nothing is asked: the last message is "
			  "blank");
}

static bool
read_messages(struct prompt *p, const json_t *body,
	      const struct recipient *recipient, json_t *ignored,
	      struct error *e)
{
	const json_t *messages = json_object_get(body, "messages");
	struct reader r = { .conversation = p, .system = json_array() };
	bool ok = true;

	reading_init(&r.reading, recipient);
	p->messages = json_array();
	p->ours = SIZE_MAX;
	json_array_foreach (messages, r.reading.message, r.message) {
		ok = read_message(&r, e);
		if (!ok)
			break;
	}
	ok = ok && find_question(&r, e);
	if (ok && json_array_size(r.system))
		p->system = parts_text(r.system, "\n\n", &p->system_len);
	json_object_update(ignored, r.reading.ignored);
	json_decref(r.system);
	reading_fini(&r.reading);
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

static void
note_ignored(json_t *ignored, const json_t *body)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)body, key, value)
		if (is_ignored(key, value))
			json_object_set_new_nocheck(ignored, key, json_true());
}

/* Only names that can be names; the list is for a header. */
static void
list_ignored(struct prompt *p, const json_t *ignored)
{
	char names[MAX_DETAIL];
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach ((json_t *)ignored, name, value) {
		size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
					  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-."
					  "0123456789");

		if (name[len] || n + len + 3 > sizeof names)
			continue;
		n += (size_t)snprintf(names + n, sizeof names - n, "%s%s",
				      n ? ", " : "", name);
	}
	p->ignored = n ? copy((struct str){ names, n }) : NULL;
}

/* The number in "\\ud83d", of which "ud83d" is at `at`; -1: it is none. */
static int
escaped_unit(const char *at, const char *end)
{
	char digits[5] = "";
	char *rest;
	long unit;

	if (end - at < 5 || *at != 'u')
		return -1;
	memcpy(digits, at + 1, 4);
	unit = strtol(digits, &rest, 16);
	return rest == digits + 4 && isxdigit((unsigned char)*digits)
		       ? (int)unit
		       : -1;
}

static bool
is_pair(int unit, const char *next, const char *end)
{
	int low = end - next >= 6 && *next == '\\' ? escaped_unit(next + 1, end)
						   : -1;

	return unit >= 0xd800 && unit < 0xdc00 && low >= 0xdc00 && low < 0xe000;
}

/*
 * Clients cut texts between the two halves of a character, and send the half
 * as an escape.  That is no text, but no reason to refuse all the others: each
 * half becomes U+FFFD.
 */
static void
mend_halves(char *json, size_t len)
{
	const char *end = json + len;
	char *at = json;

	while (at < end && (at = memchr(at, '\\', (size_t)(end - at)))) {
		int unit = escaped_unit(at + 1, end);

		if (unit < 0) {
			at += 2;
		} else if (is_pair(unit, at + 6, end)) {
			at += 12;
		} else {
			if (unit >= 0xd800 && unit < 0xe000)
				memcpy(at + 2, "fffd", 4);
			at += 6;
		}
	}
}

/* Integers stay integers, unless one of them is larger than any of ours. */
static json_t *
load(struct str body, json_error_t *why)
{
	json_t *root = json_read(body);

	if (!root)
		root = json_loadb(body.ptr, body.len, JSON_ALLOW_NUL, why);
	if (!root && json_error_code(why) == json_error_numeric_overflow)
		root = json_loadb(body.ptr, body.len,
				  JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
				  why);
	return root;
}

static json_t *
load_mended(struct str body, json_error_t *why)
{
	json_t *root = load(body, why);
	auto_free char *mended = NULL;

	if (root || !strstr(why->text, "Unicode"))
		return root;
	mended = copy(body);
	mend_halves(mended, body.len);
	return load((struct str){ mended, body.len }, why);
}

bool
prompt_read(struct prompt *p, struct str body,
	    const struct recipient *recipient, struct error *e)
{
	json_error_t why;
	json_t *root = load_mended(body, &why), *ignored = json_object();
	bool ok;

	memset(p, 0, sizeof *p);
	ok = json_is_object(root) ||
	     fail_with(e, ERR_INVALID, "the body is not JSON: %s",
		       root ? "it is no object" : why.text);
	if (ok) {
		note_ignored(ignored, root);
		ok = read_messages(p, root, recipient, ignored, e);
	}
	list_ignored(p, ignored);
	json_decref(ignored);
	json_decref(root);
	if (!ok)
		prompt_fini(p);
	return ok;
}

void
prompt_fini(struct prompt *p)
{
	free(p->system);
	free(p->ignored);
	json_decref(p->messages);
	memset(p, 0, sizeof *p);
}

static bool
is_assistant(const struct prompt *p, size_t message)
{
	const char *role =
		string_in(json_array_get(p->messages, message), "role");

	return role && !strcmp(role, "assistant");
}

size_t
prompt_unanswered(const struct prompt *p)
{
	size_t n = json_array_size(p->messages);

	while (n && !is_assistant(p, n - 1))
		n--;
	return n;
}

/* FNV-1a: its state is no larger than its value. */
uint64_t
answer_add(uint64_t answer, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			answer = (answer ^ c) * UINT64_C(0x100000001b3);
	}
	return answer;
}

uint64_t
prompt_answer(const struct prompt *p, size_t message)
{
	uint64_t answer = ANSWER_EMPTY;
	const json_t *part;
	size_t i;

	if (!is_assistant(p, message))
		return 0;
	json_array_foreach (content_of(p, message), i, part)
		answer = answer_add(answer, json_str(part, "text"));
	return answer == ANSWER_EMPTY ? 0 : answer;
}

/* What a user's message asks.  Ids of calls are left out: clients make new
 * ones. */
static void
add_asked(struct hash *h, const json_t *content)
{
	static const char *const fields[] = { "text", "data", "url" };
	const json_t *part;
	size_t i;

	json_array_foreach (content, i, part) {
		for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
			hash_add_words(h, json_str(part, fields[k]));
		add_asked(h, json_object_get(part, "content"));
	}
}

/* What we have asked in the caller's place is not in its next request. */
static uint64_t
asked_in(const struct prompt *p, size_t from, size_t to)
{
	struct hash h = HASH_INIT;

	for (size_t i = from; i < to; i++)
		if (!is_assistant(p, i) && i < p->ours)
			add_asked(&h, content_of(p, i));
	return hash_value(&h);
}

/* Behind the last message of the assistant that stands before `message`. */
static size_t
behind_answer(const struct prompt *p, size_t message)
{
	while (message && !is_assistant(p, message - 1))
		message--;
	return message;
}

uint64_t
prompt_asked(const struct prompt *p, size_t answer)
{
	return asked_in(p, behind_answer(p, answer), answer);
}

uint64_t
prompt_question(const struct prompt *p, size_t from)
{
	return asked_in(p, behind_answer(p, from),
			json_array_size(p->messages));
}

size_t
prompt_history(const struct prompt *p)
{
	size_t n = prompt_unanswered(p);

	while (n && n < json_array_size(p->messages) && has_only_results(p, n))
		n++;
	return n;
}

json_t *
prompt_begin(const struct prompt *p, size_t n)
{
	json_t *begin = n ? json_array() : NULL;

	for (size_t i = 0; i < n; i++)
		json_array_append(begin, json_array_get(p->messages, i));
	return begin;
}

static void
add_part(struct hash *h, const json_t *part)
{
	static const char *const fields[] = {
		"type",	     "id",  "name",	  "text",
		"arguments", "url", "media_type", "data",
	};
	const json_t *content = json_object_get(part, "content"), *its;
	size_t i;

	for (i = 0; i < sizeof fields / sizeof *fields; i++)
		hash_add_field(h, json_str(part, fields[i]));
	hash_add_field(h, str_of(json_object_get(part, "is_error") ? "!" : ""));
	json_array_foreach (content, i, its)
		add_part(h, its);
}

uint64_t
prompt_hash(const struct prompt *p, size_t from)
{
	struct hash h = HASH_INIT;
	const json_t *part;
	size_t k;

	for (size_t i = from; i < json_array_size(p->messages); i++) {
		hash_add_field(
			&h, json_str(json_array_get(p->messages, i), "role"));
		json_array_foreach (content_of(p, i), k, part)
			add_part(&h, part);
	}
	return hash_value(&h);
}
