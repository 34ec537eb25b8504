/* Any body of a chat request: understood or refused with its place. */
#include "workers/cli/parts.h"
#include "tests/unit/read_prompt.h"
#include "workers/cli/transcript.h"
#include "workers/io/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is read fast is what jansson reads. */
static void
compare(struct str body)
{
	json_t *fast = json_read(body);
	json_t *slow =
		fast ? json_loadb(body.ptr, body.len, JSON_ALLOW_NUL, NULL)
		     : NULL;

	if (fast && !json_equal(fast, slow))
		abort();
	json_decref(fast);
	json_decref(slow);
}

/* Parts are such as parts.h describes them. */
static void
check_parts(const json_t *parts)
{
	const json_t *part;
	size_t i;

	json_array_foreach (parts, i, part) {
		json_t *told = transcript_of(part);

		json_decref(told);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct prompt c;
	struct recipient recipient = { "any", 0 };
	struct error e = { 0 };

	compare((struct str){ (const char *)data, len });
	if (len && data[len - 1] == '}')
		recipient.can = CAN_IMAGES | CAN_IMAGE_URLS | CAN_PDFS;
	if (!read_prompt(&c, (struct str){ (const char *)data, len },
			 &recipient, &e)) {
		if (e.code == ERR_NONE || !e.text[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < json_array_size(c.messages); i++)
		(void)(prompt_answer(&c, i) ^ prompt_asked(&c, i));
	for (size_t i = 0; i < json_array_size(c.messages); i++)
		check_parts(json_object_get(json_array_get(c.messages, i),
					    "content"));
	if (prompt_history(&c) >= json_array_size(c.messages))
		abort();
	(void)prompt_hash(&c, prompt_unanswered(&c));
	prompt_fini(&c);
	return 0;
}
