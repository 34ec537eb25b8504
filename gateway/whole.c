/* whole - an answer that is collected, and given all at once */
#include "gateway/reply.h"
#include "gateway/turn.h"

/* How its session stands is said at the end, when it is known. */
static void
on_standing(struct turn *t)
{
}

static bool
collect(struct turn *t, struct buf *to, struct str s)
{
	size_t all = t->text.len + t->reasoning.len + t->tools.len;
	struct error e = { 0 };

	if (all + s.len <= MAX_ANSWER && buf_add(to, s, &e)) {
		turn_pay(t);
		return true;
	}
	fail_with(&e, ERR_TRUNCATED,
		  "the answer is larger than %u bytes; it can be streamed",
		  MAX_ANSWER);
	turn_abort(t, &e);
	return false;
}

static void
on_text(struct turn *t, enum delta delta, struct str text)
{
	(void)collect(t, delta == DELTA_TEXT ? &t->text : &t->reasoning, text);
}

static void
on_tool(struct turn *t, struct str json)
{
	if (t->tools.len && !collect(t, &t->tools, STR(",")))
		return;
	(void)collect(t, &t->tools, json);
}

static void
on_finish(struct turn *t, const struct msg_finish *m)
{
	struct buf body = BUF_INIT(8 * (size_t)MAX_ANSWER); /* escaped */
	const struct completion c = {
		.text = buf_str(&t->text),
		.reasoning = buf_str(&t->reasoning),
		.tools = buf_str(&t->tools),
		.standing = turn_standing(t),
		.finish_reason = m->reason,
		.usage = m->usage,
		.model = m->model,
	};

	chat_completion(&body, &t->stamp, &c);
	turn_add_headers(t);
	reply_body(t->request, 200, &body);
}

static void
on_failed(struct turn *t, const struct error *e)
{
	if (t->accepted)
		turn_add_headers(t);
	reply_error(t->request, e, NULL);
}

const struct answer answer_whole = {
	.accepted = on_standing,
	.started = on_standing,
	.text = on_text,
	.tool = on_tool,
	.finish = on_finish,
	.failed = on_failed,
};
