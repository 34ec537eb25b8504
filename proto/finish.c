#include "proto/finish.h"

const char *
finish_reason_chat(enum finish_reason reason)
{
	static const char *const words[FINISH_REASONS] = {
#define FINISH_REASON(NAME, chat) [FINISH_##NAME] = chat,
#include "proto/finish_reasons.def"
	};

	return words[reason];
}
