#include "workers/cli/failure.h"

static const struct {
	long status;
	enum error_code code;
} by_status[] = {
	{ 400, ERR_INVALID },	 { 401, ERR_LOGIN },	{ 402, ERR_QUOTA },
	{ 403, ERR_FORBIDDEN },	 { 404, ERR_NO_MODEL }, { 408, ERR_TIMEOUT },
	{ 413, ERR_TOO_LARGE },	 { 422, ERR_INVALID },	{ 429, ERR_RATE_LIMIT },
	{ 503, ERR_OVERLOADED }, { 504, ERR_TIMEOUT },	{ 529, ERR_OVERLOADED },
};

/*
 * Who says it so is in test_failure.c, with the whole sentence.  "*" stands
 * for anything in between; case does not matter.
 */
static const char *const full_context[] = {
	"prompt is too long",
	"prompt too long",
	"prompt_too_long",
	"prompt exceeds max length",
	"prompt contains*too large for model",
	"prompt has*but the configured context size",
	"prompt token count*exceeds the limit",
	"maximum prompt length",
	"input is too long",
	"input too long",
	"input length*exceed*context",
	"input token length too long",
	"input tokens exceed",
	"input token count*exceed",
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
	"maximum context",
	"longer than the model's context",
	"greater than the context length",
	"exceed*context window",
	"exceed*context limit",
	"exceeds the available context size",
	"context size has been exceeded",
	"context size exceeded",
	"context exceeds your deployment",
	"context window exceed",
	"context window is full",
	"context_window_exceeded",
	"contextwindowexceeded",
	"too large for*context window",
	"room in the model's context",
	"reached its context window limit",
	"context limit reached",
	"context limit exceeded",
	"context overflow",
	"contextoverflow",
};

/* These count tokens or lengths too, but mean something else. */
static const char *const not_full_context[] = {
	"rate limit",	  "rate_limit",		"too many requests",
	"throttling",	  "please wait before", "tokens per minute",
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

/* Whether the parts of `pattern` between "*" are in `words`, in order. */
static bool
matches(const char *words, const char *pattern)
{
	struct str rest = str_of(pattern);
	char part[64];

	while (rest.len) {
		struct str next = str_cut(rest, '*', &rest);

		if (next.len >= sizeof part)
			return false;
		memcpy(part, next.ptr, next.len);
		part[next.len] = '\0';
		words = strcasestr(words, part);
		if (!words)
			return false;
		words += next.len;
	}
	return true;
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

bool
failure_invites_retry(enum error_code code)
{
	return code == ERR_RATE_LIMIT || code == ERR_UPSTREAM ||
	       code == ERR_OVERLOADED || code == ERR_HARNESS ||
	       code == ERR_TIMEOUT;
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

enum error_code
failure_code(enum error_code guess, const char *words, bool has_spoken)
{
	enum error_code code = guess == ERR_NONE ? ERR_HARNESS : guess;

	if (may_be_full_context(guess) && failure_is_full_context(words))
		code = ERR_CONTEXT;
	return has_spoken && failure_invites_retry(code) ? ERR_TRUNCATED : code;
}

void
failure_tell(struct error *e, enum error_code code, const char *name,
	     struct str words, const char *log_in)
{
	bool has_advice = code == ERR_LOGIN && log_in;

	fail_with(e, code, "%s: " STR_FMT "%s%s%s", name, STR_ARG(words),
		  has_advice ? " (" : "", has_advice ? log_in : "",
		  has_advice ? ")" : "");
}

void
failure_settle(struct error *e)
{
	if (may_be_full_context(e->code) && failure_is_full_context(e->text))
		e->code = ERR_CONTEXT;
}
