#include "workers/opencode/opencode.h"

#include "workers/cli/failure.h"

/*
 * An error has a name that the CLI gives, and words that are mostly the
 * vendor's.  If the vendor has answered, its HTTP status is there as well.  An
 * event that announces a retry has only the words.
 */

static const struct {
	const char *name;
	enum error_code code;
} by_name[] = {
	{ "ProviderAuthError", ERR_LOGIN },
	{ "ContextOverflowError", ERR_CONTEXT },
	{ "MessageOutputLengthError", ERR_TRUNCATED },
	{ "MessageAbortedError", ERR_CANCELLED },
};

/* In lower case; the first that is found counts. */
static const struct {
	const char *words;
	enum error_code code;
} by_words[] = {
	{ "model not found", ERR_NO_MODEL },
	{ "modelnotfound", ERR_NO_MODEL },
	{ "noproviders", ERR_LOGIN },
	{ "insufficient_quota", ERR_QUOTA },
	{ "exceeded your current quota", ERR_QUOTA },
	{ "insufficient balance", ERR_QUOTA },
	{ "usage limit", ERR_QUOTA },
	{ "free usage", ERR_QUOTA },
	{ "billing", ERR_QUOTA },
	{ "429", ERR_RATE_LIMIT },
	{ "rate limit", ERR_RATE_LIMIT },
	{ "rate_limit", ERR_RATE_LIMIT },
	{ "rate-limit", ERR_RATE_LIMIT },
	{ "rate increased too quickly", ERR_RATE_LIMIT },
	{ "too many requests", ERR_RATE_LIMIT },
	{ "too_many_requests", ERR_RATE_LIMIT },
	{ "resource_exhausted", ERR_RATE_LIMIT },
	{ "resource exhausted", ERR_RATE_LIMIT },
	{ "overloaded", ERR_OVERLOADED },
	{ "503", ERR_OVERLOADED },
	{ "529", ERR_OVERLOADED },
	{ "unavailable", ERR_OVERLOADED },
	{ "at capacity", ERR_OVERLOADED },
	{ "timeout", ERR_TIMEOUT },
	{ "timed out", ERR_TIMEOUT },
};

enum error_code
opencode_code_of_words(const char *words)
{
	for (size_t i = 0; words && i < sizeof by_words / sizeof *by_words; i++)
		if (strcasestr(words, by_words[i].words))
			return by_words[i].code;
	return ERR_NONE;
}

static enum error_code
code_of_name(const char *name)
{
	for (size_t i = 0; name && i < sizeof by_name / sizeof *by_name; i++)
		if (!strcmp(name, by_name[i].name))
			return by_name[i].code;
	return ERR_NONE;
}

/* A rate limit that only a payment lifts. */
static bool
is_quota(const json_t *about)
{
	return opencode_code_of_words(json_text(about, "message")) ==
		       ERR_QUOTA ||
	       opencode_code_of_words(json_text(about, "responseBody")) ==
		       ERR_QUOTA;
}

static enum error_code
code_of(const json_t *error)
{
	const json_t *about = json_object_get(error, "data");
	json_int_t status =
		json_integer_value(json_object_get(about, "statusCode"));
	enum error_code code = code_of_name(json_text(error, "name"));

	if (code == ERR_NONE)
		code = failure_of_status((long)status);
	if (code == ERR_RATE_LIMIT && is_quota(about))
		code = ERR_QUOTA;
	if (code == ERR_NONE)
		code = opencode_code_of_words(json_text(about, "message"));
	return code == ERR_NONE && status ? ERR_UPSTREAM : code;
}

/* The lines behind the first are a stack trace. */
static struct str
first_line(const char *words)
{
	struct str rest;

	return str_trim(str_cut(str_of(words), '\n', &rest));
}

void
opencode_explain(const json_t *error, bool has_spoken, struct error *e)
{
	const char *words =
		json_text(json_object_get(error, "data"), "message");
	const char *name = json_text(error, "name");
	enum error_code code = failure_code(code_of(error), words, has_spoken);
	const char *what = words && *words ? words : name;

	failure_tell(e, code, "opencode",
		     first_line(what ? what : "no reason given"),
		     "run: opencode auth login");
}
