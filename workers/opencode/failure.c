#include "workers/opencode/opencode.h"

#include "workers/cli/failure.h"

/*
 * An error has a name that the CLI gives, and words that are mostly the
 * vendor's.  If the vendor has answered, its HTTP status is there as well, and
 * its answer.  An event that announces a retry has only the words.
 */

static const struct failure_word names[] = {
	{ "ProviderAuthError", ERR_LOGIN },
	{ "ContextOverflowError", ERR_CONTEXT },
	{ "MessageOutputLengthError", ERR_TRUNCATED },
	{ "MessageAbortedError", ERR_CANCELLED },
	{ NULL, ERR_NONE },
};

static const struct failure_word phrases[] = {
	{ "*noproviders*", ERR_LOGIN },
	{ NULL, ERR_NONE },
};

static const struct failure_table table = {
	.cli = "opencode",
	.names = names,
	.phrases = phrases,
	.log_in = "run: opencode auth login",
};

enum error_code
opencode_code_of_words(const char *words)
{
	return failure_of_words(phrases, words);
}

/* A rate limit that only a payment lifts may be told in the vendor's answer
 * alone. */
static enum error_code
code_of(const char *name, const json_t *about)
{
	const struct failure f = {
		.name = name,
		.status = (long)json_integer_value(
			json_object_get(about, "statusCode")),
		.words = json_text(about, "message"),
	};
	enum error_code code = failure_code(&table, &f);
	const char *answer = json_text(about, "responseBody");

	if (code == ERR_RATE_LIMIT &&
	    opencode_code_of_words(answer) == ERR_QUOTA)
		code = ERR_QUOTA;
	return code;
}

/* The lines behind the first are a stack trace. */
static struct str
first_line(const char *words)
{
	struct str rest;

	return str_trim(str_cut(str_of(words), '\n', &rest));
}

void
opencode_explain(const json_t *error, struct error *e)
{
	const json_t *about = json_object_get(error, "data");
	const char *words = json_text(about, "message");
	const char *name = json_text(error, "name");
	const char *what = words && *words ? words : name;

	failure_tell(e, code_of(name, about), &table,
		     first_line(what ? what : "no reason given"));
}
