#include "workers/executor/docker/slot_gate.h"

#define TUNNEL "CONNECT"
#define SCHEME "http://"

static bool
is_method(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 'A' || s.ptr[i] > 'Z')
			return false;
	return s.len > 0;
}

static bool
is_of_a_proxy(struct str line)
{
	struct str rest, method = str_cut(line, ' ', &rest);

	if (!rest.ptr || memchr(line.ptr, '\0', line.len))
		return false;
	return str_is(method, TUNNEL) ||
	       (is_method(method) && str_starts(rest, STR(SCHEME)));
}

enum gate_answer
gate_look(struct str bytes)
{
	struct str rest, line = str_cut(bytes, '\n', &rest);

	if (line.len > MAX_GATE_BYTES)
		return GATE_REFUSES;
	if (!rest.ptr)
		return GATE_UNDECIDED;
	return is_of_a_proxy(line) ? GATE_PASSES : GATE_REFUSES;
}
