#include "workers/worker/story.h"

#include "workers/worker/listener.h"

/* What is in front of each piece. */
struct piece {
	enum msg_type type;
	uint32_t len;
};

void
story_fini(struct story *s)
{
	buf_fini(&s->pieces);
}

void
story_give_up(struct story *s)
{
	buf_fini(&s->pieces);
	s->is_too_long = true;
}

bool
story_is_whole(enum msg_type type)
{
	return type == MSG_TOOL || type == MSG_CALL;
}

/* The piece that more text of this type belongs to is there already. */
static bool
goes_on(const struct story *s, enum msg_type type)
{
	struct piece last;

	if (!s->pieces.len || story_is_whole(type))
		return false;
	memcpy(&last, s->pieces.ptr + s->last, sizeof last);
	return last.type == type;
}

void
story_add(struct story *s, enum msg_type type, struct str text)
{
	struct piece piece = { .type = type };
	struct error e;

	if (s->is_too_long)
		return;
	if (!goes_on(s, type)) {
		s->last = s->pieces.len;
		if (!buf_add(&s->pieces,
			     (struct str){ (const char *)&piece, sizeof piece },
			     &e)) {
			story_give_up(s);
			return;
		}
	}
	if (!buf_add(&s->pieces, text, &e)) {
		story_give_up(s);
		return;
	}
	piece.len = (uint32_t)(s->pieces.len - s->last - sizeof piece);
	memcpy(s->pieces.ptr + s->last, &piece, sizeof piece);
}

void
story_tell(const struct story *s, struct listener *l)
{
	struct str left = buf_str(&s->pieces), text;
	struct piece piece;

	while (left.len) {
		memcpy(&piece, left.ptr, sizeof piece);
		text = (struct str){ left.ptr + sizeof piece, piece.len };
		left = str_from(left, sizeof piece + piece.len);
		listener_tell_words(l, piece.type, text);
	}
}
