#include "workers/amp/amp.h"

#include "workers/cli/failure.h"

/*
 * amp says what went wrong in words for people only.  Some of these have been
 * seen, others are guessed; words that are not found here are passed on as a
 * failure of the harness.
 */
static const struct failure_word phrases[] = {
	{ "amp login", ERR_LOGIN },
	{ "cannot reach amp", ERR_UPSTREAM },
	{ "couldn't connect", ERR_UPSTREAM },
	{ "unknown agent mode", ERR_NO_MODEL },
	{ "invalid mode", ERR_NO_MODEL },
	{ NULL, ERR_NONE },
};

static const struct failure_table table = {
	.cli = "amp",
	.phrases = phrases,
	.log_in = "set AMP_ENV_AMP_API_KEY, or run amp login",
};

void
amp_explain(struct str words, struct error *e)
{
	auto_free char *text = copy(words);
	const struct failure f = { .words = text };

	failure_tell(e, failure_code(&table, &f), &table, words);
}
