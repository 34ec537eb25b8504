#include "workers/pi/pi.h"

#include <ctype.h>

#include "workers/cli/failure.h"

/*
 * A message that ended with "error" says why in words.  These are "429: " and
 * the vendor's answer, which may be JSON, or the words of a library, such as
 * "terminated" or "Connection error.", if the vendor has not answered.
 */

/* These words tell more than the status beside them, if there is one. */
static const struct {
	const char *words;
	enum error_code code;
} by_words[] = {
	{ "insufficient_quota", ERR_QUOTA },
	{ "overloaded", ERR_OVERLOADED },
	{ "API key", ERR_LOGIN },
	{ "Connection error", ERR_UPSTREAM },
	{ "terminated", ERR_UPSTREAM },
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
	return failure_of_status(status);
}

/* The "message" in the JSON behind the status; NULL if there is none. */
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

void
pi_explain(const struct pi *p, bool has_spoken, struct error *e)
{
	enum error_code code =
		failure_code(code_of(p->words), p->words, has_spoken);
	json_t *message = message_in(p->words);
	const char *words = message	  ? json_string_value(message)
			    : p->words[0] ? p->words
					  : "it ended without an answer";

	if (!strcmp(p->stop, "aborted"))
		fail_with(e, ERR_CANCELLED, "cancelled");
	else
		failure_tell(e, code, "pi", str_of(words), pi.log_in);
	json_decref(message);
}
