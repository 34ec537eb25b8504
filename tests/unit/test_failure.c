/*
 * What workers/failure makes of what vendors and CLIs say: whole sentences, as
 * each of them has been seen to write or as its documentation has them.
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

static void
words_correct_a_code_that_is_too_general(void **state)
{
	static const char words[] = "prompt is too long: 2 tokens > 1 maximum";

	assert_int_equal(failure_code(ERR_INVALID, words, false), ERR_CONTEXT);
	assert_int_equal(failure_code(ERR_NONE, words, true), ERR_CONTEXT);
	assert_int_equal(failure_code(ERR_CRASHED, words, false), ERR_CONTEXT);
	assert_int_equal(failure_code(ERR_LOGIN, words, false), ERR_LOGIN);
	assert_int_equal(failure_code(ERR_QUOTA, words, false), ERR_QUOTA);
}

static void
nobody_repeats_a_turn_that_has_spoken(void **state)
{
	assert_int_equal(failure_code(ERR_NONE, "oh", false), ERR_HARNESS);
	assert_int_equal(failure_code(ERR_NONE, "oh", true), ERR_TRUNCATED);
	assert_int_equal(failure_code(ERR_TIMEOUT, NULL, true), ERR_TRUNCATED);
	assert_int_equal(failure_code(ERR_LOGIN, NULL, true), ERR_LOGIN);
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
	struct error e = { 0 };

	failure_tell(&e, ERR_LOGIN, "amp", STR("no key"), "run amp login");
	assert_string_equal(e.text, "amp: no key (run amp login)");
	failure_tell(&e, ERR_LOGIN, "amp", STR("no key"), NULL);
	assert_string_equal(e.text, "amp: no key");
	failure_tell(&e, ERR_HARNESS, "amp", STR("no key"), "run amp login");
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
		cmocka_unit_test(words_correct_a_code_that_is_too_general),
		cmocka_unit_test(nobody_repeats_a_turn_that_has_spoken),
		cmocka_unit_test(statuses_have_their_codes),
		cmocka_unit_test(only_a_lack_of_a_login_has_advice),
		cmocka_unit_test(last_words_of_a_crash_are_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
