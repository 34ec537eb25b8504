#include "workers/claude/claude.h"

#include <time.h>

#include "workers/cli/failure.h"

/*
 * A result with is_error has the vendor's HTTP status in api_error_status.  The
 * CLI's own word for the failure was in the assistant line before, and is kept
 * in claude->failure.  The words for people change from version to version:
 * they are passed on, and looked at only where there is nothing else.
 */

static const struct {
	const char *word;
	enum error_code code;
} by_word[] = {
	{ "authentication_failed", ERR_LOGIN },
	{ "oauth_org_not_allowed", ERR_FORBIDDEN },
	{ "billing_error", ERR_QUOTA },
	{ "rate_limit", ERR_RATE_LIMIT },
	{ "overloaded", ERR_OVERLOADED },
	{ "model_not_found", ERR_NO_MODEL },
	{ "prompt_too_long", ERR_CONTEXT },
	{ "blocking_limit", ERR_CONTEXT },
	{ "stream_idle_timeout", ERR_TIMEOUT },
};

static enum error_code
code_of_word(const char *word)
{
	for (size_t i = 0; word && i < sizeof by_word / sizeof *by_word; i++)
		if (!strcmp(word, by_word[i].word))
			return by_word[i].code;
	return ERR_NONE;
}

/*
 * claudish answers 400 whenever its vendor refuses a request for good, and also
 * for a model for which it knows no vendor.  The real status is in its words.
 */
static json_int_t
status_of(const struct conversation *c, const json_t *result)
{
	json_int_t status =
		json_integer_value(json_object_get(result, "api_error_status"));
	const char *words = json_text(result, "result"), *at;

	if (!is_claudish(c) || status != 400 || !words)
		return status;
	if (strstr(words, "could not be routed"))
		return 404;
	at = strstr(words, "(HTTP ");
	return at ? strtol(at + strlen("(HTTP "), NULL, 10) : status;
}

static const char *
words_of(const json_t *result)
{
	const char *words = json_text(result, "result");

	if (!words || !*words)
		words = json_string_value(
			json_array_get(json_object_get(result, "errors"), 0));
	if (!words || !*words)
		words = json_text(result, "subtype");
	return words ? words : "no reason given";
}

/* The most specific sign comes first. */
static enum error_code
code_of(const struct conversation *c, const json_t *result)
{
	const struct claude *own = c->own;
	json_int_t status = status_of(c, result);
	enum error_code code;

	code = code_of_word(json_text(result, "terminal_reason"));
	if (code == ERR_NONE)
		code = failure_of_status((long)status);
	if (code == ERR_NONE)
		code = code_of_word(own->failure);
	if (code == ERR_NONE)
		code = code_of_word(json_text(result, "api_error"));
	if (code == ERR_RATE_LIMIT && own->resets_at)
		code = ERR_QUOTA;
	if (code == ERR_NONE && (status || json_text(result, "api_error")))
		code = ERR_UPSTREAM;
	return failure_code(code, words_of(result), conversation_has_spoken(c));
}

void
claude_explain(const struct conversation *c, const json_t *result,
	       struct error *e)
{
	const struct claude *own = c->own;
	const char *name = c->instance->name;
	int64_t seconds = own->resets_at - (int64_t)time(NULL);
	struct error none;

	failure_tell(e, code_of(c, result), name, str_of(words_of(result)),
		     harness_of(name, &none)->log_in);
	if (e->code != ERR_QUOTA || seconds <= 0)
		return;
	if (seconds > UINT32_MAX / 1000)
		seconds = UINT32_MAX / 1000;
	e->retry_ms = (uint32_t)seconds * 1000;
}
