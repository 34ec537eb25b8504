/* Any body of a chat request: understood or refused with its place. */
#include "workers/cli/parts.h"
#include "workers/cli/prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct prompt c;
	struct listener listener = { "any", 0 };
	struct error e = { 0 };

	if (len && data[len - 1] == '}')
		listener.takes = TAKES_IMAGES | TAKES_IMAGE_URLS;
	if (!prompt_read(&c, (struct str){ (const char *)data, len }, &listener,
			 &e)) {
		if (e.code == ERR_NONE || !e.text[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < json_array_size(c.messages); i++)
		(void)prompt_answer(&c, i);
	(void)prompt_hash(&c, prompt_unanswered(&c));
	prompt_fini(&c);
	return 0;
}
