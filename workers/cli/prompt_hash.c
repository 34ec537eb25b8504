/* Hashes of what was asked and answered, by which messages are found again. */
#include "workers/cli/prompt.h"

#include <ctype.h>

#include "workers/io/hash.h"
#include "workers/io/json.h"

/* FNV-1a: its state is no larger than its value. */
uint64_t
answer_add(uint64_t answer, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			answer = (answer ^ c) * UINT64_C(0x100000001b3);
	}
	return answer;
}

uint64_t
prompt_answer(const struct prompt *p, size_t message)
{
	uint64_t answer = ANSWER_EMPTY;
	const json_t *part;
	size_t i;

	if (!prompt_is_assistants(p, message))
		return 0;
	json_array_foreach (prompt_content(p, message), i, part)
		answer = answer_add(answer, json_str(part, "text"));
	return answer == ANSWER_EMPTY ? 0 : answer;
}

/* What a user's message asks.  Ids of calls are left out: clients make new
 * ones. */
static void
add_asked(struct hash *h, const json_t *content)
{
	static const char *const fields[] = { "text", "data", "url", "path" };
	const json_t *part;
	size_t i;

	json_array_foreach (content, i, part) {
		for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
			hash_add_words(h, json_str(part, fields[k]));
		add_asked(h, json_object_get(part, "content"));
	}
}

/* What we have asked in the caller's place is not in its next request. */
static uint64_t
asked_in(const struct prompt *p, size_t from, size_t to)
{
	struct hash h = HASH_INIT;

	for (size_t i = from; i < to; i++)
		if (!prompt_is_assistants(p, i) && i < p->ours)
			add_asked(&h, prompt_content(p, i));
	return hash_value(&h);
}

/* Behind the last message of the assistant that stands before `message`. */
static size_t
behind_answer(const struct prompt *p, size_t message)
{
	while (message && !prompt_is_assistants(p, message - 1))
		message--;
	return message;
}

uint64_t
prompt_asked(const struct prompt *p, size_t answer)
{
	return asked_in(p, behind_answer(p, answer), answer);
}

uint64_t
prompt_question(const struct prompt *p, size_t from)
{
	return asked_in(p, behind_answer(p, from),
			json_array_size(p->messages));
}

static void
add_part(struct hash *h, const json_t *part)
{
	static const char *const fields[] = {
		"type", "id",	      "name", "text", "arguments",
		"url",	"media_type", "data", "path",
	};
	const json_t *content = json_object_get(part, "content"), *its;
	size_t i;

	for (i = 0; i < sizeof fields / sizeof *fields; i++)
		hash_add_field(h, json_str(part, fields[i]));
	hash_add_field(h, str_of(json_object_get(part, "is_error") ? "!" : ""));
	json_array_foreach (content, i, its)
		add_part(h, its);
}

uint64_t
prompt_hash(const struct prompt *p, size_t from)
{
	struct hash h = HASH_INIT;
	const json_t *part;
	size_t k;

	for (size_t i = from; i < json_array_size(p->messages); i++) {
		hash_add_field(
			&h, json_str(json_array_get(p->messages, i), "role"));
		json_array_foreach (prompt_content(p, i), k, part)
			add_part(&h, part);
	}
	return hash_value(&h);
}
