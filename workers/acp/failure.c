#include "workers/acp/acp.h"

#include <ctype.h>
#include <stdlib.h>

#include "workers/cli/failure.h"

/*
 * An error has a code of the protocol's or, from gemini, an HTTP status.  Its
 * "message" has words, which may be the vendor's JSON, and "data.details" may
 * have more.  Often only the words have the vendor's status: "429 too many",
 * "... (HTTP 401).", "... Last error: 500 ...".
 */

/* Words that tell more than a status does, in lower case; the first that is
 * found counts. */
static const struct {
	const char *word;
	enum error_code code;
} by_word[] = {
	{ "authentication required", ERR_LOGIN },
	{ "api key is missing", ERR_LOGIN },
	{ "quota exhausted", ERR_QUOTA },
	{ "exceeded your current quota", ERR_QUOTA },
	{ "insufficient_quota", ERR_QUOTA },
	{ "rate limit", ERR_RATE_LIMIT },
	{ "overloaded", ERR_OVERLOADED },
	{ "is not found for api version", ERR_NO_MODEL },
	{ "model not found", ERR_NO_MODEL },
	{ "terminated", ERR_UPSTREAM },
	{ "econnre", ERR_UPSTREAM },
	{ "fetch failed", ERR_UPSTREAM },
	{ "socket hang up", ERR_UPSTREAM },
	{ "connection error", ERR_UPSTREAM },
};

static enum error_code
code_of_words(const char *words)
{
	for (size_t i = 0; i < sizeof by_word / sizeof *by_word; i++)
		if (strcasestr(words, by_word[i].word))
			return by_word[i].code;
	return ERR_NONE;
}

/* The number of three digits that `s` begins with; 0: none. */
static json_int_t
number_at(const char *s)
{
	if (!isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[1]) ||
	    !isdigit((unsigned char)s[2]) || isalnum((unsigned char)s[3]))
		return 0;
	return strtol(s, NULL, 10);
}

static json_int_t
status_in(const char *words)
{
	static const char *const before[] = { "(HTTP ", "Last error: ",
					      "Authentication required: ",
					      "API Error: ", "Error: " };
	json_int_t status = number_at(words);

	for (size_t i = 0; !status && i < sizeof before / sizeof *before; i++) {
		const char *at = strstr(words, before[i]);

		if (at)
			status = number_at(at + strlen(before[i]));
	}
	return status >= 400 && status < 600 ? status : 0;
}

static bool
is_the_word_telling(enum error_code code)
{
	return code == ERR_QUOTA || code == ERR_NO_MODEL;
}

static enum error_code
code_of(json_int_t status, const char *words, bool has_spoken)
{
	enum error_code word = code_of_words(words);
	enum error_code code = failure_of_status((long)status);

	if (code == ERR_NONE || is_the_word_telling(word))
		code = word != ERR_NONE ? word : code;
	return failure_code(code, words, has_spoken);
}

void
acp_explain_words(const struct conversation *c, json_int_t status,
		  const char *words, struct error *e)
{
	const struct acp_kind *kind = acp_agent_of(c)->kind;

	if (!words || !*words)
		words = "no reason given";
	if (!strncmp(words, "Error: ", 7))
		words += 7;
	if (!status)
		status = status_in(words);
	failure_tell(e, code_of(status, words, conversation_has_spoken(c)),
		     conversation_name(c), str_of(words), kind->log_in);
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
	return status == 500 && words && status_in(words);
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
