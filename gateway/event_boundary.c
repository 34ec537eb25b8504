#include "gateway/event_boundary.h"

static bool
ends_line(char c)
{
	return c == '\n' || c == '\r';
}

static void
feed_end(struct event_boundary *b, char c)
{
	if (c == '\n' && b->last == '\r') {
		b->pairs = true; /* the line has ended with the \r */
		return;
	}
	b->in_event = b->in_event && b->in_line;
	b->in_line = false;
}

/* Only what ends a piece counts: whether an event is open behind its last
 * text, and which lines end there. */
void
event_boundary_feed(struct event_boundary *b, struct str s)
{
	size_t ends = 0;

	while (ends < s.len && ends_line(s.ptr[s.len - 1 - ends]))
		ends++;
	if (ends < s.len) {
		b->in_line = b->in_event = true;
		b->last = s.ptr[s.len - 1 - ends];
	}
	for (size_t i = s.len - ends; i < s.len; i++) {
		feed_end(b, s.ptr[i]);
		b->last = s.ptr[i];
	}
}

bool
event_boundary_is_here(const struct event_boundary *b)
{
	return !b->in_line && !b->in_event && !(b->pairs && b->last == '\r');
}
