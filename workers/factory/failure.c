#include "workers/factory/factory.h"

#include "workers/cli/failure.h"

/*
 * A turn ends with a reason, which is a word of droid's.  The vendor's answer
 * is in the words of the error before, which begin with the HTTP status.
 */

static const struct failure_word names[] = {
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
	{ NULL, ERR_NONE },
};

void
factory_explain(const struct factory *f, const char *reason, struct error *e)
{
	const struct failure_table table = {
		.cli = "factory",
		.names = names,
		.log_in = factory.log_in,
	};
	const struct failure failure = {
		.name = reason,
		.status = failure_status_in(f->words),
		.words = f->words,
	};
	enum error_code code = failure_code(&table, &failure);
	bool is_safe = f->conversation->options.mode == MODE_SAFE;
	const char *words = f->words[0] ? f->words
			    : reason	? reason
					: "no reason given";

	if (code == ERR_CANCELLED)
		fail_with(e, code, "cancelled");
	else if (reason && !strcmp(reason, "permission_rejected"))
		fail_with(e, code, "factory: it may not do that %s %s",
			  is_safe ? "in the mode" : "with the permission mode",
			  is_safe ? mode_name(MODE_SAFE)
				  : f->conversation->permission_mode);
	else
		failure_tell(e, code, &table, str_of(words));
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

/* droid waits so long before it asks the vendor again. */
enum { DROID_PAUSE_MS = 5000 };

/*
 * droid would ask the vendor again for minutes, and has no setting for that. It
 * may do so once, unless the message has said something, which cannot be taken
 * back, or the vendor's rate limit is reached, which does not end that soon.
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
	fail_with(e, code, "factory: %s", words);
	if (code == ERR_RATE_LIMIT)
		e->retry_ms = DROID_PAUSE_MS;
	return true;
}
