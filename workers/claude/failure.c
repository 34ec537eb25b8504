#include "workers/claude/claude.h"

#include <time.h>

#include "workers/cli/failure.h"

/*
 * A result with is_error has the vendor's HTTP status in api_error_status.  The
 * CLI's own word for the failure was in the assistant line before, and is kept
 * in claude->failure.  The words for people change from version to version:
 * they are passed on, and looked at only where there is nothing else.
 */

static const struct failure_word names[] = {
	{ "authentication_failed", ERR_LOGIN },
	{ "oauth_org_not_allowed", ERR_FORBIDDEN },
	{ "billing_error", ERR_QUOTA },
	{ "rate_limit", ERR_RATE_LIMIT },
	{ "overloaded", ERR_OVERLOADED },
	{ "model_not_found", ERR_NO_MODEL },
	{ "prompt_too_long", ERR_CONTEXT },
	{ "blocking_limit", ERR_CONTEXT },
	{ "stream_idle_timeout", ERR_TIMEOUT },
	{ NULL, ERR_NONE },
};

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

/* What the turn ended for says most; the word of the assistant line says less
 * than the vendor's status. */
static const char *
name_of(const struct conversation *c, const json_t *result, long status)
{
	const struct claude *own = c->own;
	const char *reason = json_text(result, "terminal_reason");

	if (failure_of_name(names, reason) != ERR_NONE)
		return reason;
	if (failure_of_status(status) != ERR_NONE)
		return NULL;
	return failure_of_name(names, own->failure) != ERR_NONE
		       ? own->failure
		       : json_text(result, "api_error");
}

static enum error_code
code_of(const struct conversation *c, const json_t *result,
	const struct failure_table *table)
{
	const struct claude *own = c->own;
	long status = (long)status_of(c, result);
	const struct failure f = {
		.name = name_of(c, result, status),
		.status = status,
		.words = words_of(result),
	};
	enum error_code code = failure_code(table, &f);

	if (code == ERR_RATE_LIMIT && own->resets_at)
		code = ERR_QUOTA;
	if (code == ERR_HARNESS && json_text(result, "api_error"))
		code = ERR_UPSTREAM;
	return code;
}

void
claude_explain(const struct conversation *c, const json_t *result,
	       struct error *e)
{
	const struct claude *own = c->own;
	const char *name = c->instance->name;
	int64_t seconds = own->resets_at - (int64_t)time(NULL);
	struct error none;
	const struct failure_table table = {
		.cli = name,
		.names = names,
		.log_in = harness_of(name, &none)->log_in,
	};

	failure_tell(e, code_of(c, result, &table), &table,
		     str_of(words_of(result)));
	if (e->code != ERR_QUOTA || seconds <= 0)
		return;
	if (seconds > UINT32_MAX / 1000)
		seconds = UINT32_MAX / 1000;
	e->retry_ms = (uint32_t)seconds * 1000;
}
