#include "workers/codex/codex.h"

#include <stdio.h>

#include "workers/cli/failure.h"

/*
 * An error has a message for people, and codexErrorInfo for programs, which is
 * a word or {"aWord":{"httpStatusCode":N}}.  If the vendor answers 400, the
 * word is "other" and the message is the vendor's JSON.  `codex exec` has only
 * the message.
 */

static const struct failure_word names[] = {
	{ "contextWindowExceeded", ERR_CONTEXT },
	{ "sessionBudgetExceeded", ERR_QUOTA },
	{ "usageLimitExceeded", ERR_QUOTA },
	{ "rateLimitExceeded", ERR_RATE_LIMIT },
	{ "flexUnavailable", ERR_OVERLOADED },
	{ "serverOverloaded", ERR_OVERLOADED },
	{ "policyCapacityUnavailable", ERR_OVERLOADED },
	{ "modelNotFound", ERR_NO_MODEL },
	{ "inferenceHookDenied", ERR_FORBIDDEN },
	{ "cyberPolicy", ERR_FORBIDDEN },
	{ "misalignmentPolicyViolation", ERR_FORBIDDEN },
	{ "tooManyDenials", ERR_FORBIDDEN },
	{ "internalServerError", ERR_UPSTREAM },
	{ "unauthorized", ERR_LOGIN },
	{ "badRequest", ERR_INVALID },
	{ NULL, ERR_NONE },
};

static const struct failure_word phrases[] = {
	{ "model is not supported", ERR_NO_MODEL },
	{ "does not exist", ERR_NO_MODEL },
	{ "model provider", ERR_NO_MODEL },
	{ "maximum length of", ERR_TOO_LARGE },
	{ NULL, ERR_NONE },
};

static const struct failure_table table = {
	.cli = "codex",
	.names = names,
	.phrases = phrases,
	.log_in = "run codex login",
};

/* Words that are the vendor's JSON are a refusal: see above. */
static enum error_code
code_of(const char *name, long status, const char *words)
{
	const struct failure f = {
		.name = name,
		.status = !status && words && *words == '{' ? 400 : status,
		.words = words,
	};

	return failure_code(&table, &f);
}

enum error_code
codex_code_of_words(const char *words)
{
	return words ? code_of(NULL, 0, words) : ERR_NONE;
}

int
codex_status_of(const json_t *error)
{
	json_t *kinds = json_object_get(error, "codexErrorInfo"), *kind;
	const char *word;

	json_object_foreach (kinds, word, kind) {
		const json_t *status = json_object_get(kind, "httpStatusCode");

		if (json_is_integer(status))
			return (int)json_integer_value(status);
	}
	return 0;
}

/* The message of a notice only counts the tries; the reason stands beside it.
 */
static const char *
words_of(const json_t *error)
{
	const char *message = json_text(error, "message");
	const char *details = json_text(error, "additionalDetails");

	if (details && (!message || !strncmp(message, "Reconnecting", 12)))
		return details;
	return message ? message : "no reason given";
}

/* The message in {"error":{"message":M}} or {"detail":M}, or the words as they
 * are; the caller frees it. */
static char *
plain_words(const char *words)
{
	json_t *json = *words == '{' ? json_loads(words, 0, NULL) : NULL;
	const char *inner =
		json_text(json_object_get(json, "error"), "message");
	char *text;

	if (!inner)
		inner = json_text(json, "detail");
	text = copy(str_of(inner ? inner : words));
	json_decref(json);
	return text;
}

static void
put(struct error *e, enum error_code code, const char *words)
{
	auto_free char *plain = plain_words(words);

	failure_tell(e, code, &table, str_of(plain));
}

/*
 * How long a client should wait: as the vendor's words say, "try again in 1.5s"
 * or "20ms", or else as long as the CLI itself waits before its second try. The
 * CLI does not pass on the vendor's header.
 */
enum { CODEX_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 86400000 };

static uint32_t
pause_in(const char *words)
{
	const char *at = strstr(words, "try again in ");
	char *unit;
	double n;

	if (!at)
		return CODEX_PAUSE_MS;
	n = strtod(at + strlen("try again in "), &unit);
	if (strncmp(unit, "ms", 2) != 0)
		n *= 1000;
	return n >= 1 && n <= LONGEST_PAUSE_MS ? (uint32_t)n : CODEX_PAUSE_MS;
}

void
codex_explain(const json_t *error, struct error *e)
{
	const char *words = words_of(error);
	enum error_code code = code_of(json_text(error, "codexErrorInfo"),
				       codex_status_of(error), words);

	put(e, code, words);
	if (code == ERR_RATE_LIMIT)
		e->retry_ms = pause_in(words);
}

void
codex_explain_refusal(const json_t *error, struct error *e)
{
	const char *words = json_text(error, "message");

	put(e, code_of(NULL, 0, words), words ? words : "no reason given");
}
