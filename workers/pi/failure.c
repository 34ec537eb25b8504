#include "workers/pi/pi.h"

#include "workers/cli/failure.h"

/*
 * A message that ended with "error" says why in words.  These are "429: " and
 * the vendor's answer, which may be JSON, or the words of a library, such as
 * "terminated" or "Connection error.", if the vendor has not answered.
 */

static const struct failure_word phrases[] = {
	{ "terminated", ERR_UPSTREAM },
	{ NULL, ERR_NONE },
};

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
pi_explain(const struct pi *p, struct error *e)
{
	const struct failure_table table = {
		.cli = "pi",
		.phrases = phrases,
		.log_in = pi.log_in,
	};
	const struct failure f = {
		.status = failure_status_in(p->words),
		.words = p->words,
	};
	json_t *message = message_in(p->words);
	const char *words = message	  ? json_string_value(message)
			    : p->words[0] ? p->words
					  : "it ended without an answer";

	if (!strcmp(p->stop, "aborted"))
		fail_with(e, ERR_CANCELLED, "cancelled");
	else
		failure_tell(e, failure_code(&table, &f), &table,
			     str_of(words));
	json_decref(message);
}
