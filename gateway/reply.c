#include "gateway/reply.h"

#include <stdio.h>

#include "gateway/chat/chat.h"

enum retry {
	NO_USE, /* the status says that trying again is no use */
	NEVER,	/* although the status allows it: the turn may have run, or will
		 * fail in the same way until an operator has acted */
	WORTH_IT, /* trying again later may succeed */
};

struct advice {
	enum retry retry;
	uint32_t ms; /* to wait, if the error does not say; 0: not known */
};

static struct advice
advice_for(enum error_code code)
{
	switch ((int)code) {
	case ERR_TIMEOUT:
	case ERR_CRASHED:
	case ERR_WORKER_LOST:
	case ERR_TRUNCATED:
	case ERR_CANCELLED:
	case ERR_HARNESS:
	case ERR_CONFLICT:
	case ERR_ALREADY_RUN:
	case ERR_QUOTA:
	case ERR_SYSTEM:
	case ERR_PROTOCOL:
	case ERR_NOT_SET_UP:
		return (struct advice){ NEVER, 0 };
	case ERR_QUEUE_FULL:
	case ERR_QUEUE_TIMEOUT:
	case ERR_UNAVAILABLE:
	case ERR_NO_PROCESS:
		return (struct advice){ WORTH_IT, 5000 };
	case ERR_DRAINING:
		return (struct advice){ WORTH_IT, 2000 };
	case ERR_RATE_LIMIT:
	case ERR_OVERLOADED:
		return (struct advice){ WORTH_IT, 0 };
	default:
		return (struct advice){ NO_USE, 0 };
	}
}

static void
add_number(struct request *r, const char *name, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%ju", (uintmax_t)n);
	request_add(r, name, str_of(text));
}

static void
add_advice(struct request *r, const struct error *e)
{
	struct advice a = advice_for(e->code);
	uint64_t ms = e->retry_ms ? e->retry_ms : a.ms;

	if (a.retry == NEVER)
		request_add(r, "X-Should-Retry", STR("false"));
	if ((a.retry != WORTH_IT && !e->retry_ms) || !ms)
		return;
	add_number(r, "Retry-After", (ms + 999) / 1000);
	add_number(r, "retry-after-ms", ms);
}

void
reply_explain(struct request *r, const struct error *e, struct buf *body)
{
	request_add(r, "Content-Type", STR("application/json"));
	if (e->code == ERR_UNAUTHORIZED)
		request_add(r, "WWW-Authenticate", STR("Bearer"));
	add_advice(r, e);
	chat_error(body, e, NULL);
}

void
reply_body(struct request *r, int status, struct buf *body)
{
	request_add(r, "Content-Type", STR("application/json"));
	request_answer(r, status, body);
}

void
reply_error(struct request *r, const struct error *e, const char *param)
{
	struct buf body = BUF_INIT(64 << 10);

	r->why = error_slug(e->code);
	if (e->code == ERR_UNAUTHORIZED)
		request_add(r, "WWW-Authenticate", STR("Bearer"));
	add_advice(r, e);
	chat_error(&body, e, param);
	reply_body(r, error_http(e->code), &body);
}

void
reply_json(struct request *r, int status, json_t *json)
{
	struct buf body = BUF_INIT(MAX_ANSWER);

	body.ptr = json_dumps(json, JSON_COMPACT);
	body.len = body.size = body.ptr ? strlen(body.ptr) : 0;
	json_decref(json);
	reply_body(r, status, &body);
}
