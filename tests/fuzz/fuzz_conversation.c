/* Any body of a chat request: understood or refused with its place. */
#include "workers/conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conversation c;
	struct error e = { 0 };

	if (!conversation_read(&c, (struct str){ (const char *)data, len },
			       &e)) {
		if (e.code == ERR_NONE || !e.text[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < json_array_size(c.messages); i++)
		(void)conversation_answer(&c, i);
	(void)conversation_hash(&c, conversation_unanswered(&c));
	conversation_fini(&c);
	return 0;
}
