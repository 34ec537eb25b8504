#include "workers/cli/prompt.h"

#include "workers/cli/ignored.h"
#include "workers/cli/message.h"
#include "workers/cli/message_call.h"
#include "workers/io/json.h"

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

const json_t *
prompt_content(const struct prompt *p, size_t message)
{
	return json_object_get(json_array_get(p->messages, message), "content");
}

json_t *
prompt_told(const struct prompt *p)
{
	return p->told ? p->told : p->messages;
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

	json_array_foreach (prompt_content(p, message), i, part)
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
		json_array_extend((json_t *)prompt_content(p, n - 1), results);
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
	json_array_clear(r->reading.strays);
	message_calls(&r->reading, parts, r->message);
	add_message(r->conversation, "assistant", parts);
	if (json_array_size(parts))
		r->late_system = 0;
	return true;
}

/* Where the last of them is told as text. */
static void
place_stray(struct reader *r)
{
	size_t strays = json_array_size(r->reading.strays);
	size_t messages = json_array_size(r->conversation->messages);
	json_t *stray = json_array_get(r->reading.strays, strays - 1);

	if (strays && messages)
		json_object_set_new(stray, "message",
				    json_integer((json_int_t)messages - 1));
}

static bool
is_stray(const struct prompt *p, size_t message)
{
	const json_t *stray;
	size_t i;

	json_array_foreach (p->strays, i, stray) {
		const json_t *at = json_object_get(stray, "message");

		if (at && json_integer_value(at) == (json_int_t)message)
			return true;
	}
	return false;
}

static bool
read_tool(struct reader *r, json_t *parts, struct error *e)
{
	json_t *result = message_result(&r->reading, parts, r->message);

	if (is_result(json_array_get(result, 0))) {
		add_results(r->conversation, result);
	} else {
		add_message(r->conversation, "user", result);
		place_stray(r);
	}
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
	r->reading.is_system = role && (!strcasecmp(role, "system") ||
					!strcasecmp(role, "developer"));
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
	p->strays = json_incref(r.reading.strays);
	json_decref(r.system);
	reading_fini(&r.reading);
	return ok;
}

bool
prompt_read(struct prompt *p, const json_t *body,
	    const struct recipient *recipient, struct error *e)
{
	json_t *ignored = json_object();
	bool ok;

	memset(p, 0, sizeof *p);
	ignored_note(ignored, body);
	ok = read_messages(p, body, recipient, ignored, e);
	p->ignored = ignored_list(ignored);
	json_decref(ignored);
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
	json_decref(p->told);
	json_decref(p->strays);
	json_decref(p->told_strays);
	memset(p, 0, sizeof *p);
}

bool
prompt_is_assistants(const struct prompt *p, size_t message)
{
	const char *role =
		string_in(json_array_get(p->messages, message), "role");

	return role && !strcmp(role, "assistant");
}

size_t
prompt_unanswered(const struct prompt *p)
{
	size_t n = json_array_size(p->messages);

	while (n && !prompt_is_assistants(p, n - 1))
		n--;
	return n;
}

size_t
prompt_history(const struct prompt *p)
{
	size_t n = prompt_unanswered(p);

	while (n && n < json_array_size(p->messages) && has_only_results(p, n))
		n++;
	return n;
}

/* Takes no results: they are given as such.  The caller json_decref()s it. */
static json_t *
without_results(const json_t *message)
{
	json_t *without = json_copy((json_t *)message), *parts = json_array();
	json_t *part;
	size_t i;

	json_array_foreach (json_object_get(message, "content"), i, part)
		if (!is_result(part))
			json_array_append(parts, part);
	json_object_set_new(without, "content", parts);
	return without;
}

json_t *
prompt_beside_results(const struct prompt *p)
{
	json_t *all = json_array();

	for (size_t i = prompt_unanswered(p);
	     i < json_array_size(p->messages) && i < p->ours; i++) {
		const json_t *message = json_array_get(prompt_told(p), i);

		if (!has_only_results(p, i) && !is_stray(p, i))
			json_array_append_new(all, without_results(message));
	}
	return all;
}

json_t *
prompt_begin(const struct prompt *p, size_t n)
{
	json_t *begin = n ? json_array() : NULL;

	for (size_t i = 0; i < n; i++)
		json_array_append(begin, json_array_get(prompt_told(p), i));
	return begin;
}
