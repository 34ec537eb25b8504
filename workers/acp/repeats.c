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

static void
say(struct conversation *c, struct str text)
{
	struct acp *own = c->own;
	size_t room = ACP_MAX_REPEAT - own->said.len;
	struct error e;

	own->said.max = ACP_MAX_REPEAT;
	(void)!buf_add(
		&own->said,
		(struct str){ text.ptr, text.len < room ? text.len : room },
		&e);
	paragraphs_say(&own->paragraphs, c, text);
}

void
acp_say_held(struct conversation *c)
{
	struct acp *own = c->own;
	struct buf held = own->held;

	own->held = BUF_INIT(MAX_LINE);
	if (held.len)
		say(c, buf_str(&held));
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
hold(struct conversation *c, struct str text)
{
	struct acp *own = c->own;
	struct error e = { 0 };

	own->held.max = MAX_LINE;
	(void)!buf_add(&own->held, text, &e);
	if (!begin_alike(buf_str(&own->said), buf_str(&own->held))) {
		acp_say_held(c);
		return;
	}
	if (own->held.len < own->said.len)
		return;
	buf_fini(&own->held);
	fail_with(&e, ERR_TRUNCATED,
		  "%s was cut off, and began to say the same again",
		  conversation_name(c));
	acp_stop_for(c, &e);
}

void
acp_hear_text(struct conversation *c, struct str text)
{
	struct acp *own = c->own;

	if (!text.len)
		return;
	if (own->held.len || may_repeat(own, text))
		hold(c, text);
	else
		say(c, text);
	own->heard_at = loop_now();
}
