#include "gateway/reply.h"

#include <stdio.h>

#include "gateway/chat/chat.h"

/* How long a client should wait before it tries again, in ms, if the error does
 * not say; 0: not known. */
static uint64_t
usual_wait(enum error_code code)
{
	switch ((int)code) {
	case ERR_QUEUE_FULL:
	case ERR_QUEUE_TIMEOUT:
	case ERR_UNAVAILABLE:
	case ERR_NO_PROCESS:
		return 5000;
	case ERR_DRAINING:
		return 2000;
	default:
		return 0;
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
	uint64_t ms = e->retry_ms ? e->retry_ms : usual_wait(e->code);

	if (error_retry(e->code) == RETRY_NEVER)
		request_add(r, "X-Should-Retry", STR("false"));
	if (!ms)
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

json_t *
reply_text(struct str s)
{
	return s.ptr ? json_stringn(s.ptr, s.len) : json_null();
}
