#include "workers/pi/pi.h"

#include <ctype.h>

/*
 * A message that ended with "error" says why in words: "429: " and what the
 * vendor said to it, as JSON or not; or what a library said, such as
 * "terminated" or "Connection error.", if the vendor said nothing.
 */

static const struct {
	long status;
	enum error_code code;
} by_status[] = {
	{ 400, ERR_INVALID },	 { 401, ERR_LOGIN },
	{ 402, ERR_QUOTA },	 { 403, ERR_FORBIDDEN },
	{ 404, ERR_NO_MODEL },	 { 413, ERR_TOO_LARGE },
	{ 429, ERR_RATE_LIMIT }, { 503, ERR_OVERLOADED },
	{ 504, ERR_TIMEOUT },	 { 529, ERR_OVERLOADED },
};

/* More telling than the status that they come with, or without any. */
static const struct {
	const char *words;
	enum error_code code;
} by_words[] = {
	{ "insufficient_quota", ERR_QUOTA },  { "context length", ERR_CONTEXT },
	{ "context window", ERR_CONTEXT },    { "too long", ERR_CONTEXT },
	{ "overloaded", ERR_OVERLOADED },     { "API key", ERR_LOGIN },
	{ "Connection error", ERR_UPSTREAM }, { "terminated", ERR_UPSTREAM },
	{ "timed out", ERR_TIMEOUT },
};

static enum error_code
code_of(const char *words)
{
	long status =
		isdigit((unsigned char)*words) ? strtol(words, NULL, 10) : 0;

	for (size_t i = 0; i < sizeof by_words / sizeof *by_words; i++)
		if (strstr(words, by_words[i].words))
			return by_words[i].code;
	for (size_t i = 0; i < sizeof by_status / sizeof *by_status; i++)
		if (status == by_status[i].status)
			return by_status[i].code;
	return status >= 500 ? ERR_UPSTREAM : ERR_HARNESS;
}

/* "message" in the JSON behind the status, if there is any. */
static json_t *
message_in(const char *words)
{
	const char *brace = strchr(words, '{');
	json_t *body = brace ? json_loads(brace, 0, NULL) : NULL;
	json_t *error = json_object_get(body, "error");
	json_t *message = json_object_get(error ? error : body, "message");

	if (json_is_string(message))
		json_incref(message);
	else
		message = NULL;
	json_decref(body);
	return message;
}

/* What a client would send again at once: but a turn that has spoken may have
 * used tools, and must not run twice because of a half-sentence. */
static bool
invites_a_retry(enum error_code code)
{
	return code == ERR_RATE_LIMIT || code == ERR_UPSTREAM ||
	       code == ERR_OVERLOADED || code == ERR_HARNESS ||
	       code == ERR_TIMEOUT;
}

void
pi_explain(const struct pi *p, bool has_spoken, struct error *e)
{
	enum error_code code = code_of(p->words);
	json_t *message = message_in(p->words);
	const char *words = message	  ? json_string_value(message)
			    : p->words[0] ? p->words
					  : "it ended without an answer";

	if (has_spoken && invites_a_retry(code))
		code = ERR_TRUNCATED;
	if (!strcmp(p->stop, "aborted"))
		fail_with(e, ERR_CANCELLED, "cancelled");
	else if (code == ERR_LOGIN)
		fail_with(e, code, "pi: %s (%s)", words, pi.log_in);
	else
		fail_with(e, code, "pi: %s", words);
	json_decref(message);
}
