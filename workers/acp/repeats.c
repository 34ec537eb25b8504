#include "workers/acp/acp.h"

/*
 * An agent whose vendor's stream breaks off waits a moment and asks again, and
 * nothing in the protocol marks the repeated text.  So text that follows a
 * pause and begins like the text before is held back until it differs, or is
 * certain to be a repeat.
 */

enum {
	PAUSE_MS = 800, /* agents wait for a second or longer */
	MIN_REPEAT = 8, /* bytes */
	BEGINNING = 4,
};

/* Text after the use of a tool begins on a new line. */
static void
say(struct talk *t, struct str text)
{
	struct acp *c = t->state;
	size_t room = ACP_MAX_REPEAT - c->said.len;
	struct error e;

	if (c->used_tool && c->has_text)
		talk_text(t, STR("\n\n"));
	c->used_tool = false;
	c->has_text = true;
	c->said.max = ACP_MAX_REPEAT;
	(void)!buf_add(
		&c->said,
		(struct str){ text.ptr, text.len < room ? text.len : room },
		&e);
	talk_text(t, text);
}

void
acp_say_held(struct talk *t)
{
	struct acp *c = t->state;
	struct buf held = c->held;

	c->held = BUF_INIT(MAX_LINE);
	if (held.len)
		say(t, buf_str(&held));
	buf_fini(&held);
}

/* Whether one begins with the other. */
static bool
begin_alike(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;

	return !memcmp(a.ptr, b.ptr, n);
}

/* A text such as "no, no, no" repeats itself, and is the model's own. */
static bool
is_repetitive(const struct buf *said)
{
	return memmem(said->ptr + 1, said->len - 1, said->ptr, BEGINNING);
}

static bool
may_repeat(const struct acp *c, struct str text)
{
	return c->said.len >= MIN_REPEAT &&
	       loop_now() - c->heard_at >= PAUSE_MS &&
	       !is_repetitive(&c->said) && begin_alike(buf_str(&c->said), text);
}

static void
hold(struct talk *t, struct str text)
{
	struct acp *c = t->state;
	struct error e = { 0 };

	c->held.max = MAX_LINE;
	(void)!buf_add(&c->held, text, &e);
	if (!begin_alike(buf_str(&c->said), buf_str(&c->held))) {
		acp_say_held(t);
		return;
	}
	if (c->held.len < c->said.len)
		return;
	buf_fini(&c->held);
	fail_with(&e, ERR_TRUNCATED,
		  "%s was cut off, and began to say the same again",
		  talk_name(t));
	acp_stop_for(t, &e);
}

void
acp_hear_text(struct talk *t, struct str text)
{
	struct acp *c = t->state;

	if (!text.len)
		return;
	if (c->held.len || may_repeat(c, text))
		hold(t, text);
	else
		say(t, text);
	c->heard_at = loop_now();
}
