/* answer_json - an answer that is collected, and given all at once */
#include "gateway/reply.h"
#include "gateway/exchange.h"

/* How its session stands is said at the end, when it is known. */
static void
on_standing(struct exchange *x)
{
}

static bool
collect(struct exchange *x, struct buf *to, struct str s)
{
	size_t all = x->text.len + x->reasoning.len + x->tools.len +
		     x->calls_json.len + x->meanwhile.len;
	struct error e = { 0 };

	if (all + s.len <= MAX_ANSWER && buf_add(to, s, &e)) {
		exchange_pay(x);
		return true;
	}
	fail_with(&e, ERR_TRUNCATED,
		  "the answer is larger than %u bytes; it can be streamed",
		  MAX_ANSWER);
	exchange_abort(x, &e);
	return false;
}

static void
on_text(struct exchange *x, enum delta delta, struct str text)
{
	(void)collect(x, delta == DELTA_TEXT ? &x->text : &x->reasoning, text);
}

static void
on_tool(struct exchange *x, struct str json)
{
	if (x->tools.len && !collect(x, &x->tools, STR(",")))
		return;
	(void)collect(x, &x->tools, json);
}

static void
on_call(struct exchange *x, const struct call *call)
{
	struct buf json = BUF_INIT(MAX_WIRE);

	chat_add_call(&json, call);
	(void)collect(x, &x->calls_json, buf_str(&json));
	buf_fini(&json);
}

static void
on_arguments(struct exchange *x, struct str text)
{
	struct buf json = BUF_INIT(MAX_WIRE);

	chat_escape(&json, text);
	(void)collect(x, &x->calls_json, buf_str(&json));
	buf_fini(&json);
}

static void
on_meanwhile(struct exchange *x, struct str text)
{
	(void)collect(x, &x->meanwhile, text);
}

/* A byte becomes six at most when it is escaped; reasoning is said twice. */
#define MAX_ESCAPED (13 * (size_t)MAX_ANSWER)

static void
on_finish(struct exchange *x, const struct msg_finish *m)
{
	struct buf body = BUF_INIT(MAX_ESCAPED);
	const struct completion c = {
		.text = buf_str(&x->text),
		.reasoning = buf_str(&x->reasoning),
		.tools = buf_str(&x->tools),
		.calls = buf_str(&x->calls_json),
		.standing = exchange_standing(x),
		.profile = str_of(x->profile),
		.ignored = str_of(x->ignored),
		.meanwhile = buf_str(&x->meanwhile),
		.finish = m,
	};

	chat_completion(&body, &x->stamp, &c);
	exchange_add_headers(x, m);
	reply_body(x->request, 200, &body);
}

static void
on_failed(struct exchange *x, const struct error *e)
{
	if (x->accepted)
		exchange_add_headers(x, NULL);
	reply_error(x->request, e, NULL);
}

const struct answer answer_whole = {
	.accepted = on_standing,
	.started = on_standing,
	.text = on_text,
	.tool = on_tool,
	.call = on_call,
	.arguments = on_arguments,
	.meanwhile = on_meanwhile,
	.finish = on_finish,
	.failed = on_failed,
};
