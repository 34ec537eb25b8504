/*
 * What workers/cli/failure makes of what vendors and CLIs say: whole sentences,
 * as each of them has been seen to write or as its documentation has them.
 */
#include "tests/unit/unit.h"

#include "workers/cli/failure.h"

static const char *const full[] = {
	/* Anthropic, and Claude Code */
	"prompt is too long: 213462 tokens > 200000 maximum",
	"API Error: 400 {\"type\":\"error\",\"error\":{\"type\":"
	"\"invalid_request_error\",\"message\":\"prompt is too long: "
	"213462 tokens > 200000 maximum\"}}",
	"Prompt is too long",
	"input length and `max_tokens` exceed context limit: 195000 + "
	"21333 > 200000, decrease input length or `max_tokens`",
	"API Error: The model has reached its context window limit.",
	"Context limit reached",
	/* Amazon Bedrock */
	"Input is too long for requested model.",
	"500 Input too long",
	/* OpenAI, Azure, and Codex */
	"context_length_exceeded",
	"This model's maximum context length is 128000 tokens. "
	"However, your messages resulted in 130001 tokens. Please "
	"reduce the length of the messages.",
	"Your input exceeds the context window of this model. Please "
	"adjust your input and try again.",
	"Input exceeds context window of this model",
	"Codex ran out of room in the model's context window. Start a "
	"new thread or clear earlier history before retrying.",
	"context window exceeded",
	"The context exceeds your deployment's limit",
	/* Google, and Gemini CLI */
	"The input token count (1196265) exceeds the maximum number of "
	"tokens allowed (1048576).",
	"The input token count exceeds the maximum number of tokens "
	"allowed 1048576.",
	/* Moonshot, and Kimi Code */
	"Invalid request: Your request exceeded model token limit: "
	"262144 (requested: 270000)",
	/* DashScope, and Qwen Code */
	"<400> InternalError.Algo.InvalidParameter: Range of input "
	"length should be [1, 129024]",
	/* GitHub Copilot */
	"prompt token count of 130000 exceeds the limit of 128000",
	"model_max_prompt_tokens_exceeded: prompt token count of "
	"65000 exceeds the limit of 64000",
	"Request exceeds the model's prompt budget after reserving output "
	"(139745 tokens; limit 128000). Reduce context or compact before "
	"continuing.",
	/* Qwen Code */
	"Context is too large to send safely after automatic compression. "
	"Estimated prompt tokens: 10487872; hard limit: 177000; compression "
	"status: NOOP.",
	/* Factory's droid */
	"Context limit exceeded. Please remove some context and try "
	"again.",
	"LLMContextWindowExceeded",
	/* opencode */
	"ContextOverflowError",
	"context overflow",
	/* xAI */
	"This model's maximum prompt length is 131072 but the request "
	"contains 537812 tokens.",
	/* Groq */
	"Please reduce the length of the messages or completion.",
	/* OpenRouter */
	"This endpoint's maximum context length is 131072 tokens. "
	"However, you requested about 140000 tokens",
	"Input length 140000 exceeds the maximum allowed input length "
	"of 131072 tokens.",
	/* Together AI */
	"The input (140000 tokens) is longer than the model's context "
	"length (131072 tokens).",
	/* LiteLLM */
	"litellm.ContextWindowExceededError: Requested token count "
	"exceeds the model's maximum context length of 131072 tokens.",
	/* llama.cpp, LM Studio, vLLM, TGI, Ollama */
	"the request exceeds the available context size, try "
	"increasing it",
	"The number of tokens to keep from the initial prompt is "
	"greater than the context length.",
	"The decoder prompt (length 140000) is longer than the maximum "
	"model length of 131072.",
	"Input validation error: `inputs` tokens + `max_new_tokens` "
	"must be <= 4096.",
	"prompt too long; exceeded max context length by 12 tokens",
	/* MiniMax, Mistral, Z.ai, DeepSeek */
	"invalid params, context window exceeds limit (2013)",
	"Prompt contains 140000 tokens and 0 draft tokens, too large "
	"for model with 131072 maximum context length",
	"Prompt exceeds max length",
	"model_context_window_exceeded",
	"This model's maximum context length is 65536 tokens, however "
	"you requested 70000 tokens",
};

static void
every_vendors_words_for_a_full_context_are_known(void **state)
{
	for (size_t i = 0; i < sizeof full / sizeof *full; i++)
		if (!failure_is_full_context(full[i]))
			fail_msg("not a full context: %s", full[i]);
}

static void
what_counts_tokens_otherwise_is_none(void **state)
{
	static const char *const said[] = {
		"",
		"Rate limit reached for gpt-5 on tokens per min (TPM): Limit "
		"30000, Used 29000, Requested 2000.",
		"ThrottlingException: Too many tokens, please wait before "
		"trying again.",
		"429 Too Many Requests: too many tokens",
		"This request would exceed your organization's rate limit of "
		"30,000 input tokens per minute.",
		"policy_blocked: input is too long",
		"max_tokens: 100000 > 64000, which is the maximum allowed "
		"number of output tokens",
		"the answer ended in the middle (length)",
		"Request exceeds the maximum size",
	};

	assert_false(failure_is_full_context(NULL));
	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		if (failure_is_full_context(said[i]))
			fail_msg("a full context: %s", said[i]);
}

static const struct failure_table plain = { .cli = "amp",
					    .log_in = "run amp login" };

static enum error_code
code(const char *name, long status, const char *words)
{
	static const struct failure_word names[] = {
		{ "bad", ERR_INVALID },
		{ "vendor", ERR_UPSTREAM },
		{ "broke", ERR_QUOTA },
		{ NULL, ERR_NONE },
	};
	const struct failure_table d = { .cli = "amp", .names = names };
	const struct failure f = { name, status, words };

	return failure_code(&d, &f);
}

static void
a_general_code_gives_way_to_one_that_says_more(void **state)
{
	static const char words[] = "prompt is too long: 2 tokens > 1 maximum";

	assert_int_equal(code(NULL, 400, words), ERR_CONTEXT);
	assert_int_equal(code(NULL, 0, words), ERR_CONTEXT);
	assert_int_equal(code(NULL, 401, words), ERR_LOGIN);
	assert_int_equal(code(NULL, 402, words), ERR_QUOTA);
	assert_int_equal(code("bad", 429, NULL), ERR_RATE_LIMIT);
	assert_int_equal(code("vendor", 400, "what?"), ERR_INVALID);
	assert_int_equal(code("broke", 429, "slow down"), ERR_QUOTA);
	assert_int_equal(code("new", 0, "Rate limited"), ERR_RATE_LIMIT);
	assert_int_equal(code("vendor", 0, "fetch failed"), ERR_UPSTREAM);
	assert_int_equal(code(NULL, 400, "API key not valid."), ERR_LOGIN);
	assert_int_equal(code(NULL, 500, "it timed out"), ERR_UPSTREAM);
	assert_int_equal(code(NULL, 403, "billing is off"), ERR_FORBIDDEN);
	assert_int_equal(code(NULL, 418, "a teapot"), ERR_UPSTREAM);
	assert_int_equal(code(NULL, 0, "oh"), ERR_HARNESS);
	assert_int_equal(code(NULL, 0, NULL), ERR_HARNESS);
}

static void
a_rate_limit_that_only_a_payment_lifts_is_a_quota(void **state)
{
	assert_int_equal(code(NULL, 429, "You exceeded your current quota"),
			 ERR_QUOTA);
	assert_int_equal(code(NULL, 0, "429 insufficient_quota"), ERR_QUOTA);
	assert_int_equal(code(NULL, 429, "Too Many Requests"), ERR_RATE_LIMIT);
}

static void
a_status_in_words_is_found(void **state)
{
	static const struct {
		const char *words;
		long status;
	} said[] = {
		{ "429 Too Many Requests: scripted 400", 429 },
		{ "429: {\"error\":{}}", 429 },
		{ "Error: 503", 503 },
		{ "API Error: 529 {\"type\":\"error\"}", 529 },
		{ "AI_APICallError: 500 oh", 500 },
		{ "unexpected status 404 Not Found: gone", 404 },
		{ "exceeded retry limit, last status: 429 Too Many", 429 },
		{ "Request failed with status code 401", 401 },
		{ "not found on provider at http://127.0.0.1:1/v1 (HTTP 404).",
		  404 },
		{ "API Error: Request rejected (429) \xc2\xb7 slow down", 429 },
		{ "POST https://api.vendor.example/v1: 502 Bad Gateway", 502 },
		{ "{\"status\": 503}", 503 },
	};

	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		if (failure_status_in(said[i].words) != said[i].status)
			fail_msg("%ld: %s", failure_status_in(said[i].words),
				 said[i].words);
}

static void
a_number_inside_other_words_is_no_status(void **state)
{
	static const char *const said[] = {
		"",
		"1429 tokens",
		"req_429ab failed",
		"the request 3c429 was refused",
		"max 4290 tokens",
		"gpt-503 is odd",
		"line 429 of the file",
		"took 503 ms",
		"http://127.0.0.1:503/v1 gave nothing",
		"listening on port 529",
		"error 4.429",
		"error: 503,000 tokens are used",
		"status: 429-a",
		"error: 503rd try",
		"429ers",
		"HTTP 200, 404 lines",
	};

	assert_int_equal(failure_status_in(NULL), 0);
	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		if (failure_status_in(said[i]))
			fail_msg("%ld: %s", failure_status_in(said[i]),
				 said[i]);
}

static void
words_are_found_whole(void **state)
{
	static const struct {
		const char *words;
		enum error_code code;
	} said[] = {
		{ "Rate limited, try later", ERR_RATE_LIMIT },
		{ "rate_limit_error", ERR_RATE_LIMIT },
		{ "RateLimitError: slow down", ERR_RATE_LIMIT },
		{ "prorate limits", ERR_NONE },
		{ "overloaded_error", ERR_OVERLOADED },
		{ "OverloadedError", ERR_OVERLOADED },
		{ "operator() is not reoverloaded", ERR_NONE },
		{ "ProviderModelNotFoundError", ERR_NO_MODEL },
		{ "timeouts.c:12", ERR_NONE },
		{ "rebilling", ERR_NONE },
		{ "no api_key_429 here", ERR_NONE },
		{ "job 42903 failed", ERR_NONE },
		{ "id 7f503-529 is lost", ERR_NONE },
	};

	assert_int_equal(failure_of_words(NULL, NULL), ERR_NONE);
	for (size_t i = 0; i < sizeof said / sizeof *said; i++)
		if (failure_of_words(NULL, said[i].words) != said[i].code)
			fail_msg("%s: %s",
				 error_name(
					 failure_of_words(NULL, said[i].words)),
				 said[i].words);
}

static void
what_only_one_cli_says_comes_before_what_all_say(void **state)
{
	static const struct failure_word phrases[] = {
		{ "rate limit of the login", ERR_LOGIN },
		{ "*model configured", ERR_LOGIN },
		{ NULL, ERR_NONE },
	};

	assert_int_equal(failure_of_words(phrases, "Rate limit of the login."),
			 ERR_LOGIN);
	assert_int_equal(
		failure_of_words(phrases, "no default-model configured"),
		ERR_LOGIN);
	assert_int_equal(failure_of_words(phrases, "rate limit"),
			 ERR_RATE_LIMIT);
}

static void
statuses_have_their_codes(void **state)
{
	assert_int_equal(failure_of_status(0), ERR_NONE);
	assert_int_equal(failure_of_status(200), ERR_NONE);
	assert_int_equal(failure_of_status(400), ERR_INVALID);
	assert_int_equal(failure_of_status(429), ERR_RATE_LIMIT);
	assert_int_equal(failure_of_status(500), ERR_UPSTREAM);
	assert_int_equal(failure_of_status(529), ERR_OVERLOADED);
	assert_int_equal(failure_of_status(700), ERR_NONE);
}

static void
only_a_lack_of_a_login_has_advice(void **state)
{
	static const struct failure_table silent = { .cli = "amp" };
	struct error e = { 0 };

	failure_tell(&e, ERR_LOGIN, &plain, STR("no key"));
	assert_string_equal(e.text, "amp: no key (run amp login)");
	failure_tell(&e, ERR_LOGIN, &silent, STR("no key"));
	assert_string_equal(e.text, "amp: no key");
	failure_tell(&e, ERR_HARNESS, &plain, STR("no key"));
	assert_string_equal(e.text, "amp: no key");
}

static void
last_words_of_a_crash_are_looked_at(void **state)
{
	struct error e = { 0 };

	fail_with(&e, ERR_CRASHED, "forge ended with 1: Prompt is too long");
	failure_settle(&e);
	assert_int_equal(e.code, ERR_CONTEXT);
	assert_string_equal(e.text, "forge ended with 1: Prompt is too long");
	fail_with(&e, ERR_CANCELLED, "cancelled: prompt is too long");
	failure_settle(&e);
	assert_int_equal(e.code, ERR_CANCELLED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_vendors_words_for_a_full_context_are_known),
		cmocka_unit_test(what_counts_tokens_otherwise_is_none),
		cmocka_unit_test(
			a_general_code_gives_way_to_one_that_says_more),
		cmocka_unit_test(
			a_rate_limit_that_only_a_payment_lifts_is_a_quota),
		cmocka_unit_test(a_status_in_words_is_found),
		cmocka_unit_test(a_number_inside_other_words_is_no_status),
		cmocka_unit_test(words_are_found_whole),
		cmocka_unit_test(
			what_only_one_cli_says_comes_before_what_all_say),
		cmocka_unit_test(statuses_have_their_codes),
		cmocka_unit_test(only_a_lack_of_a_login_has_advice),
		cmocka_unit_test(last_words_of_a_crash_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
