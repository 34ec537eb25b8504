#include "workers/amp/amp.h"

/*
 * What went wrong it tells in words for people only, of which some have been
 * seen and some are guessed; what is not found here is told as it is.
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
	{ "context window", ERR_CONTEXT },
	{ "too long", ERR_CONTEXT },
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
	return ERR_HARNESS;
}

/* A turn that has spoken may have used tools: it must not run again by
 * itself. */
void
amp_explain(const struct talk *t, struct str words, struct error *e)
{
	enum error_code code = code_of(words);

	if (talk_has_spoken(t) && code != ERR_LOGIN && code != ERR_QUOTA)
		code = ERR_TRUNCATED;
	fail_with(e, code, "amp: " STR_FMT "%s", STR_ARG(words),
		  code == ERR_LOGIN ? " (set AMP_ENV_AMP_API_KEY, or run amp "
				      "login)"
				    : "");
}
