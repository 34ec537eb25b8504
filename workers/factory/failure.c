#include "workers/factory/factory.h"

#include <ctype.h>

/*
 * A turn ends with the reason that it has for it; the vendor's own answer is
 * in the words of the error before, which begin with the HTTP status.
 */

static const struct {
	const char *reason;
	enum error_code code;
} by_reason[] = {
	{ "cancelled", ERR_CANCELLED },
	{ "permission_rejected", ERR_FORBIDDEN },
	{ "no_approver_available", ERR_FORBIDDEN },
	{ "prompt_rejected", ERR_INVALID },
	{ "model_usage_exhausted", ERR_QUOTA },
	{ "model_authentication_failed", ERR_LOGIN },
	{ "model_request_rejected", ERR_INVALID },
	{ "model_provider_unreachable", ERR_UPSTREAM },
	{ "model_provider_unavailable", ERR_UPSTREAM },
	{ "model_rate_limited", ERR_RATE_LIMIT },
	{ "process_exit", ERR_CRASHED },
};

static const struct {
	long status;
	enum error_code code;
} by_status[] = {
	{ 404, ERR_NO_MODEL },
	{ 413, ERR_TOO_LARGE },
	{ 503, ERR_OVERLOADED },
	{ 529, ERR_OVERLOADED },
};

/* How vendors call a prompt that is too long; each has its own words. */
static bool
is_too_long(const char *words)
{
	return strstr(words, "context length") || strstr(words, "too long") ||
	       strstr(words, "context window");
}

static enum error_code
code_of(const char *reason, const char *words)
{
	enum error_code code = ERR_HARNESS;
	long status =
		isdigit((unsigned char)*words) ? strtol(words, NULL, 10) : 0;

	for (size_t i = 0; reason && i < sizeof by_reason / sizeof *by_reason;
	     i++)
		if (!strcmp(reason, by_reason[i].reason))
			code = by_reason[i].code;
	for (size_t i = 0; i < sizeof by_status / sizeof *by_status; i++)
		if (status == by_status[i].status)
			code = by_status[i].code;
	if (code == ERR_INVALID && is_too_long(words))
		code = ERR_CONTEXT;
	return code;
}

/* Of a turn that has spoken, which must not be run again for half a sentence.
 */
static bool
invites_a_retry(enum error_code code)
{
	return code == ERR_RATE_LIMIT || code == ERR_UPSTREAM ||
	       code == ERR_OVERLOADED || code == ERR_HARNESS;
}

void
factory_explain(const struct factory *f, const char *reason, struct error *e)
{
	const char *words = f->words[0] ? f->words
			    : reason	? reason
					: "no reason given";
	enum error_code code = code_of(reason, f->words);

	if (talk_has_spoken(f->talk) && invites_a_retry(code))
		code = ERR_TRUNCATED;
	if (code == ERR_CANCELLED)
		fail_with(e, code, "cancelled");
	else if (code == ERR_LOGIN)
		fail_with(e, code, "factory: %s (%s)", words, factory.log_in);
	else if (reason && !strcmp(reason, "permission_rejected"))
		fail_with(e, code,
			  "factory: it may not do that with the permission "
			  "mode %s",
			  f->talk->permission_mode);
	else
		fail_with(e, code, "factory: %s", words);
}

static const struct {
	const char *reason;
	enum error_code code;
	const char *words;
} retries[] = {
	{ "rate_limited", ERR_RATE_LIMIT,
	  "the vendor's rate limit is reached" },
	{ "overloaded", ERR_OVERLOADED, "the vendor is overloaded" },
	{ "timeout", ERR_UPSTREAM, "the vendor does not answer" },
	{ "network", ERR_UPSTREAM, "the vendor can't be reached" },
	{ "empty_response", ERR_UPSTREAM, "the vendor's answer was empty" },
};

/* How long it waits itself before it tries again. */
enum { ITS_PAUSE = 5000 /* milliseconds */ };

/*
 * It would try for minutes, and can't be told otherwise.  Once is enough,
 * unless something of the message was said, which can't be taken back; nor
 * does a rate limit go away by then.
 */
bool
factory_gives_up(const struct factory *f, const json_t *retry, struct error *e)
{
	const char *reason = json_text(retry, "reason");
	json_int_t attempt =
		json_integer_value(json_object_get(retry, "attempt"));
	enum error_code code = ERR_UPSTREAM;
	const char *words = "the vendor fails";

	for (size_t i = 0; reason && i < sizeof retries / sizeof *retries; i++)
		if (!strcmp(reason, retries[i].reason)) {
			code = retries[i].code;
			words = retries[i].words;
		}
	if (!f->has_said && code != ERR_RATE_LIMIT && attempt < 2)
		return false;
	if (f->has_said)
		words = "the vendor's stream broke off";
	if (talk_has_spoken(f->talk))
		code = ERR_TRUNCATED;
	fail_with(e, code, "factory: %s", words);
	if (code == ERR_RATE_LIMIT)
		e->retry_ms = ITS_PAUSE;
	return true;
}
