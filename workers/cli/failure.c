#include "workers/cli/failure.h"

#include <ctype.h>
#include <stdlib.h>

/* Vendors' statuses, and how they are called in words. */
static const struct {
	long status;
	enum error_code code;
	const char *reason;
} by_status[] = {
	{ 400, ERR_INVALID, "Bad Request" },
	{ 401, ERR_LOGIN, "Unauthorized" },
	{ 402, ERR_QUOTA, "Payment Required" },
	{ 403, ERR_FORBIDDEN, "Forbidden" },
	{ 404, ERR_NO_MODEL, "Not Found" },
	{ 408, ERR_TIMEOUT, "Request Timeout" },
	{ 413, ERR_TOO_LARGE, "Payload Too Large" },
	{ 422, ERR_INVALID, "Unprocessable" },
	{ 429, ERR_RATE_LIMIT, "Too Many Requests" },
	{ 500, ERR_UPSTREAM, "Internal Server Error" },
	{ 502, ERR_UPSTREAM, "Bad Gateway" },
	{ 503, ERR_OVERLOADED, "Service Unavailable" },
	{ 504, ERR_TIMEOUT, "Gateway Timeout" },
	{ 529, ERR_OVERLOADED, "Overloaded" },
};

/*
 * A pattern is found in words where its parts between "*" follow each other,
 * whatever is in between.  Case does not matter.  It begins where a word begins
 * and ends where a word ends, so that "rate limit" is not in "prorate limits";
 * a "*" at its own beginning or end lets it lie inside a word.  The first
 * pattern that is found counts.
 */
static const struct failure_word by_words[] = {
	/* A rate limit that only a payment lifts comes before the others. */
	{ "insufficient_quota", ERR_QUOTA },
	{ "exceeded your current quota", ERR_QUOTA },
	{ "quota exceeded", ERR_QUOTA },
	{ "quota exhausted", ERR_QUOTA },
	{ "insufficient balance", ERR_QUOTA },
	{ "insufficient credit*", ERR_QUOTA },
	{ "out of credits", ERR_QUOTA },
	{ "usage limit", ERR_QUOTA },
	{ "free usage", ERR_QUOTA },
	{ "billing", ERR_QUOTA },
	{ "rate limit*", ERR_RATE_LIMIT },
	{ "rate_limit*", ERR_RATE_LIMIT },
	{ "rate-limit*", ERR_RATE_LIMIT },
	{ "ratelimit*", ERR_RATE_LIMIT },
	{ "rate increased too quickly", ERR_RATE_LIMIT },
	{ "too many requests", ERR_RATE_LIMIT },
	{ "too_many_requests", ERR_RATE_LIMIT },
	{ "resource_exhausted", ERR_RATE_LIMIT },
	{ "resource exhausted", ERR_RATE_LIMIT },
	{ "resource has been exhausted", ERR_RATE_LIMIT },
	{ "overloaded*", ERR_OVERLOADED },
	{ "unavailable", ERR_OVERLOADED },
	{ "at capacity", ERR_OVERLOADED },
	{ "authentication required", ERR_LOGIN },
	{ "unauthorized", ERR_LOGIN },
	{ "api key*", ERR_LOGIN },
	{ "missing environment variable", ERR_LOGIN },
	{ "model not found", ERR_NO_MODEL },
	{ "model_not_found", ERR_NO_MODEL },
	{ "*modelnotfound*", ERR_NO_MODEL },
	{ "timeout", ERR_TIMEOUT },
	{ "timed out", ERR_TIMEOUT },
	{ "internal server error", ERR_UPSTREAM },
	{ "experiencing high demand", ERR_UPSTREAM },
	{ "stream disconnected", ERR_UPSTREAM },
	{ "error sending request", ERR_UPSTREAM },
	{ "connection error", ERR_UPSTREAM },
	{ "econnrefused", ERR_UPSTREAM },
	{ "econnreset", ERR_UPSTREAM },
	{ "fetch failed", ERR_UPSTREAM },
	{ "socket hang up", ERR_UPSTREAM },
	{ NULL, ERR_NONE },
};

/* Patterns, too.  Who says it so is in test_failure.c, with the whole sentence.
 */
static const char *const full_context[] = {
	"prompt is too long",
	"prompt too long",
	"prompt_too_long*",
	"prompt exceeds max length",
	"prompt contains*too large for model",
	"prompt has*but the configured context size",
	"prompt token count*exceeds the limit",
	"maximum prompt length",
	"input is too long",
	"input too long",
	"input length*exceed*context",
	"input token length too long",
	"input tokens exceed*",
	"input token count*exceed*",
	"exceeds the maximum number of tokens",
	"maximum allowed input length",
	"range of input length should be",
	"tokens in request more than max tokens allowed",
	"exceeded model token limit",
	"token limit exceeded",
	"too many tokens",
	"but model only supports up to",
	"`inputs` tokens + `max_new_tokens` must be",
	"reduce the length of the messages",
	"reduce the length of the input",
	"longer than the maximum model length",
	"context_length_exceeded",
	"context length exceeded",
	"context length is only",
	"maximum context*",
	"longer than the model's context",
	"greater than the context length",
	"exceed*context window",
	"exceed*context limit",
	"exceeds the available context size",
	"context size has been exceeded",
	"context size exceeded",
	"context exceeds your deployment",
	"context window exceed*",
	"context window is full",
	"context_window_exceeded",
	"*contextwindowexceeded*",
	"too large for*context window",
	"room in the model's context",
	"reached its context window limit",
	"context limit reached",
	"context limit exceeded",
	"context overflow*",
	"exceeds the model's prompt budget",
	"context is too large to send",
	"*contextoverflow*",
};

/* These count tokens or lengths too, but mean something else. */
static const char *const not_full_context[] = {
	"*rate limit*",	  "*rate_limit*",	"too many requests",
	"*throttling*",	  "please wait before", "tokens per minute",
	"policy_blocked", "dlp_request_denied",
};

enum error_code
failure_of_status(long status)
{
	for (size_t i = 0; i < sizeof by_status / sizeof *by_status; i++)
		if (status == by_status[i].status)
			return by_status[i].code;
	return status >= 500 && status < 600 ? ERR_UPSTREAM : ERR_NONE;
}

static bool
ends_a_word(const char *words, const char *at)
{
	return at == words || !isalnum((unsigned char)at[-1]) ||
	       !isalnum((unsigned char)*at);
}

/* Where `part` is in `words`, from `from` on; NULL: nowhere. */
static const char *
find_part(const char *words, const char *from, struct str part, bool begins,
	  bool ends)
{
	char text[64];

	if (part.len >= sizeof text)
		return NULL;
	memcpy(text, part.ptr, part.len);
	text[part.len] = '\0';
	while ((from = strcasestr(from, text))) {
		if ((!begins || ends_a_word(words, from)) &&
		    (!ends || ends_a_word(words, from + part.len)))
			return from;
		from++;
	}
	return NULL;
}

static bool
matches(const char *words, const char *pattern)
{
	struct str rest = str_of(pattern);
	const char *at = words;
	bool begins = true;

	while (rest.len) {
		bool ends = !memchr(rest.ptr, '*', rest.len);
		struct str part = str_cut(rest, '*', &rest);

		if (part.len) {
			at = find_part(words, at, part, begins, ends);
			if (!at)
				return false;
			at += part.len;
		}
		begins = false;
	}
	return true;
}

enum error_code
failure_of_name(const struct failure_word *names, const char *name)
{
	for (; names && name && names->word; names++)
		if (!strcmp(name, names->word))
			return names->code;
	return ERR_NONE;
}

static enum error_code
find_words(const struct failure_word *phrases, const char *words)
{
	for (; phrases && phrases->word; phrases++)
		if (matches(words, phrases->word))
			return phrases->code;
	return ERR_NONE;
}

enum error_code
failure_of_words(const struct failure_word *phrases, const char *words)
{
	enum error_code code;

	if (!words)
		return ERR_NONE;
	code = find_words(phrases, words);
	if (code == ERR_NONE)
		code = find_words(by_words, words);
	return code != ERR_NONE ? code
				: failure_of_status(failure_status_in(words));
}

/* Whether the words before a number say that it is a status: "status code
 * 429", "APIError: 429", "(HTTP 429". */
static bool
is_announced(const char *words, const char *number)
{
	static const char *const before[] = { "status",	  "code",   "http",
					      "http/1.1", "http/2", "error" };
	const char *end = number;

	while (end > words && strchr(" :=(\"'", end[-1]))
		end--;
	if (end == words || (end == number && number[-1] != '('))
		return end == words;
	for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
		size_t len = strlen(before[i]);

		if ((size_t)(end - words) >= len &&
		    !strncasecmp(end - len, before[i], len))
			return true;
	}
	return false;
}

/* Whether it stands in brackets, or with its name behind it: "(429)", "429 Too
 * Many Requests". */
static bool
is_named(const char *words, const char *number, long status)
{
	const char *after = number + 3;

	if (number > words && number[-1] == '(' && *after == ')')
		return true;
	after += strspn(after, " :");
	for (size_t i = 0; i < sizeof by_status / sizeof *by_status; i++)
		if (by_status[i].status == status)
			return !strncasecmp(after, by_status[i].reason,
					    strlen(by_status[i].reason));
	return false;
}

/* A number of three digits that is no part of a word, of a longer number, or of
 * a name with a hyphen. */
static bool
stands_alone(const char *words, const char *number)
{
	const char *after = number + 3;

	if (number > words &&
	    (isalnum((unsigned char)number[-1]) || strchr("_-.,#", number[-1])))
		return false;
	if (!*after)
		return true;
	return !isalnum((unsigned char)*after) && !strchr("_-%", *after) &&
	       !(strchr(".,", *after) && isdigit((unsigned char)after[1]));
}

long
failure_status_in(const char *words)
{
	for (const char *at = words; at && *at; at++) {
		long status;

		if ((*at != '4' && *at != '5') ||
		    !isdigit((unsigned char)at[1]) ||
		    !isdigit((unsigned char)at[2]) || !stands_alone(words, at))
			continue;
		status = strtol(at, NULL, 10);
		if (is_announced(words, at) || is_named(words, at, status))
			return status;
	}
	return 0;
}

bool
failure_is_full_context(const char *words)
{
	if (!words)
		return false;
	for (size_t i = 0;
	     i < sizeof not_full_context / sizeof *not_full_context; i++)
		if (matches(words, not_full_context[i]))
			return false;
	for (size_t i = 0; i < sizeof full_context / sizeof *full_context; i++)
		if (matches(words, full_context[i]))
			return true;
	return false;
}

/*
 * The codes under which a CLI may tell of a full context when it has not
 * understood its vendor itself.  A login or a quota is never meant so,
 * whatever words stand beside it.
 */
static bool
may_be_full_context(enum error_code code)
{
	return code == ERR_NONE || code == ERR_INVALID || code == ERR_HARNESS ||
	       code == ERR_CRASHED || code == ERR_TRUNCATED ||
	       code == ERR_UPSTREAM || code == ERR_TOO_LARGE;
}

/* It says who has failed, but not why. */
static bool
is_general(enum error_code code)
{
	return code == ERR_NONE || code == ERR_INVALID || code == ERR_UPSTREAM;
}

enum error_code
failure_code(const struct failure_table *d, const struct failure *f)
{
	enum error_code code = failure_of_name(d->names, f->name);
	enum error_code status = failure_of_status(f->status);
	enum error_code words = failure_of_words(d->phrases, f->words);

	if (is_general(code) && status != ERR_NONE)
		code = status;
	if (code == ERR_NONE ||
	    (is_general(code) && !is_general(words) && words != ERR_TIMEOUT))
		code = words != ERR_NONE ? words : code;
	if (code == ERR_RATE_LIMIT && words == ERR_QUOTA)
		code = ERR_QUOTA;
	if (may_be_full_context(code) && failure_is_full_context(f->words))
		return ERR_CONTEXT;
	if (code == ERR_NONE) /* a vendor that has answered has failed itself */
		code = f->status ? ERR_UPSTREAM : ERR_HARNESS;
	return code;
}

void
failure_tell(struct error *e, enum error_code code,
	     const struct failure_table *d, struct str words)
{
	bool has_advice = code == ERR_LOGIN && d->log_in;

	fail_with(e, code, "%s: " STR_FMT "%s%s%s", d->cli, STR_ARG(words),
		  has_advice ? " (" : "", has_advice ? d->log_in : "",
		  has_advice ? ")" : "");
}

void
failure_settle(struct error *e)
{
	if (may_be_full_context(e->code) && failure_is_full_context(e->text))
		e->code = ERR_CONTEXT;
}
