#include "workers/acp/acp.h"

#include "workers/cli/failure.h"

/*
 * An error has a code of the protocol's or, from gemini, an HTTP status.  Its
 * "message" has words, which may be the vendor's JSON, and "data.details" may
 * have more.  Often only the words have the vendor's status: "429 too many",
 * "... (HTTP 401).", "... Last error: 500 ...".
 */

static const struct failure_word phrases[] = {
	{ "is not found for api version", ERR_NO_MODEL },
	{ "terminated", ERR_UPSTREAM },
	{ NULL, ERR_NONE },
};

void
acp_explain_words(const struct conversation *c, json_int_t status,
		  const char *words, struct error *e)
{
	const struct failure_table table = {
		.cli = conversation_name(c),
		.phrases = phrases,
		.log_in = acp_agent_of(c)->kind->log_in,
	};
	struct failure f = { .status = (long)status };

	if (!words || !*words)
		words = "no reason given";
	if (!f.status)
		f.status = failure_status_in(words);
	if (!strncmp(words, "Error: ", 7))
		words += 7;
	f.words = words;
	failure_tell(e, failure_code(&table, &f), &table, str_of(words));
}

/* The vendor's error, if the message is JSON. */
static json_t *
inner_error(const char *message)
{
	json_t *whole, *error;

	if (!message || *message != '{')
		return NULL;
	whole = json_loads(message, JSON_ALLOW_NUL, NULL);
	error = json_incref(json_object_get(whole, "error"));
	json_decref(whole);
	return error;
}

static json_int_t
status_of(const json_t *error, const json_t *inner)
{
	json_int_t code = json_integer_value(json_object_get(error, "code"));
	json_int_t own = json_integer_value(json_object_get(inner, "code"));

	if (own >= 400 && own < 600)
		return own;
	return code >= 400 && code < 600 ? code : 0;
}

static const char *
words_of(const json_t *error, const json_t *inner)
{
	const json_t *more = json_object_get(error, "data");
	const char *words = json_text(inner, "message");

	if (!words)
		words = json_text(more, "details");
	if (!words)
		words = json_text(more, "message");
	if (!words)
		words = json_string_value(more);
	return words ? words : json_text(error, "message");
}

/* Gemini gives the code 500 to every error that it does not know. */
static bool
says_nothing(json_int_t status, const char *words)
{
	return status == 500 && words && failure_status_in(words);
}

void
acp_explain(const struct conversation *c, const json_t *error, struct error *e)
{
	json_t *inner = inner_error(json_text(error, "message"));
	const char *words = words_of(error, inner);
	json_int_t status = status_of(error, inner);

	if (json_integer_value(json_object_get(error, "code")) == ACP_NO_LOGIN)
		status = 401;
	if (says_nothing(status, words))
		status = 0;
	acp_explain_words(c, status, words, e);
	json_decref(inner);
}
