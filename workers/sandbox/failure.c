#include "workers/sandbox/sandbox.h"

#include <stdlib.h>

#include "proto/utf8.h"
#include "workers/cli/failure.h"

enum { MAX_WORDS = 300 /* bytes of an answer's, in an error */ };

static const struct failure_word phrases[] = {
	{ "profile not found", ERR_NO_MODEL },
	{ "unknown profile", ERR_NO_MODEL },
	{ NULL, ERR_NONE },
};

static const struct failure_table table = {
	.cli = "sandbox",
	.phrases = phrases,
	.log_in = "set SANDBOX_API_KEY to a key that the service takes",
};

/* What an object of the service's says of a failure: the words in "error", or
 * in its "message", or in "message"; absent: nothing. */
static struct str
words_in(const json_t *object)
{
	const json_t *error = json_object_get(object, "error");

	if (json_is_string(error))
		return json_str(object, "error");
	if (json_is_string(json_object_get(error, "message")))
		return json_str(error, "message");
	return json_str(object, "message");
}

/* Words of the service's in which the secret is are not passed on. */
static struct str
harmless(const struct sandbox *s, struct str words)
{
	bool has_secret =
		s->secret && *s->secret && words.len &&
		memmem(words.ptr, words.len, s->secret, strlen(s->secret));

	return has_secret ? (struct str){ NULL, 0 } : words;
}

void
sandbox_fail_task(struct conversation *c, const json_t *event)
{
	struct str said = harmless(c->own, words_in(event));
	auto_free char *words =
		copy(said.len ? said : STR("the task has failed"));
	const struct failure f = {
		.name = json_text(json_object_get(event, "error"), "code"),
		.words = words,
	};
	struct error e = { 0 };

	failure_tell(&e, failure_code(&table, &f), &table, str_of(words));
	conversation_fail(c, &e);
}

/* Seconds; a date is passed over, as a vendor's is in other harnesses. */
static uint32_t
delay_of(const json_t *answer)
{
	const char *text = json_text(answer, "retry_after");
	char *end = NULL;
	unsigned long seconds = text ? strtoul(text, &end, 10) : 0;

	return text && end != text && !*end && seconds <= 86400
		       ? (uint32_t)seconds * 1000
		       : 0;
}

/* The caller frees it. */
static char *
words_of_answer(const struct sandbox *s, const json_t *answer, long status)
{
	struct str text = json_str(answer, "body");
	json_t *body = json_loadb(text.ptr, text.len, 0, NULL);
	struct str words = words_in(body);
	char *all;

	if (!words.len && !body)
		words = str_trim(text);
	words = harmless(s, words);
	if (words.len > MAX_WORDS)
		words.len = utf8_whole((struct str){ words.ptr, MAX_WORDS });
	all = copy_format("the service answered with %ld%s" STR_FMT, status,
			  words.len ? ": " : "", STR_ARG(words));
	json_decref(body);
	return all;
}

/*
 * A refusal of the caller's own authorization is nothing that the operator
 * could mend, and says nothing of the key.
 *
 * A server that failed itself (500, 502) may have begun to work: sent again,
 * the request might be billed twice.
 */
void
sandbox_fail_answer(struct conversation *c, const json_t *answer)
{
	const struct sandbox *s = c->own;
	long status =
		(long)json_integer_value(json_object_get(answer, "status"));
	auto_free char *words = words_of_answer(s, answer, status);
	const struct failure f = { .status = status, .words = words };
	enum error_code code = failure_code(&table, &f);
	struct error e = { 0 };

	if (status / 100 == 2)
		code = ERR_TRUNCATED;
	else if (code == ERR_LOGIN && s->is_forwarded)
		code = ERR_UNAUTHORIZED;
	else if (code == ERR_UPSTREAM)
		code = ERR_HARNESS;
	failure_tell(&e, code, &table, str_of(words));
	e.retry_ms = delay_of(answer);
	conversation_fail(c, &e);
}

static enum error_code
code_called(const char *name)
{
	for (int i = 0; name && i < ERROR_CODES; i++)
		if (!strcmp(error_name((enum error_code)i), name))
			return (enum error_code)i;
	return ERR_HARNESS;
}

void
sandbox_fail_request(struct conversation *c, const json_t *failure)
{
	enum error_code code = code_called(json_text(failure, "failure"));
	struct error e = { 0 };

	if (code == ERR_UPSTREAM &&
	    json_is_true(json_object_get(failure, "is_sent")))
		code = ERR_HARNESS;
	failure_tell(&e, code, &table,
		     harmless(c->own, json_str(failure, "text")));
	conversation_fail(c, &e);
}
