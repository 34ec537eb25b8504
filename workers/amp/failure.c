#include "workers/amp/amp.h"

#include "workers/cli/failure.h"

/*
 * amp says what went wrong in words for people only.  Some of these have been
 * seen, others are guessed; words that are not found here are passed on as a
 * failure of the harness.
 */
static const struct {
	const char *words;
	enum error_code code;
} by_words[] = {
	{ "missing API key", ERR_LOGIN },
	{ "No API key found", ERR_LOGIN },
	{ "amp login", ERR_LOGIN },
	{ "nauthorized", ERR_LOGIN },
	{ "Cannot reach Amp", ERR_UPSTREAM },
	{ "Couldn't connect", ERR_UPSTREAM },
	{ "out of credits", ERR_QUOTA },
	{ "insufficient credit", ERR_QUOTA },
	{ "Insufficient credit", ERR_QUOTA },
	{ "usage limit", ERR_QUOTA },
	{ "rate limit", ERR_RATE_LIMIT },
	{ "Rate limit", ERR_RATE_LIMIT },
	{ "Too Many Requests", ERR_RATE_LIMIT },
	{ "verloaded", ERR_OVERLOADED },
	{ "nknown agent mode", ERR_NO_MODEL },
	{ "nvalid mode", ERR_NO_MODEL },
	{ "Internal Server Error", ERR_UPSTREAM },
};

static enum error_code
code_of(struct str words)
{
	for (size_t i = 0; i < sizeof by_words / sizeof *by_words; i++)
		if (words.len && memmem(words.ptr, words.len, by_words[i].words,
					strlen(by_words[i].words)))
			return by_words[i].code;
	return ERR_NONE;
}

void
amp_explain(const struct conversation *c, struct str words, struct error *e)
{
	auto_free char *text = copy(words);
	enum error_code code =
		failure_code(code_of(words), text, conversation_has_spoken(c));

	failure_tell(e, code, "amp", words,
		     "set AMP_ENV_AMP_API_KEY, or run amp login");
}
