/* completions - POST /v1/chat/completions and /v1/embeddings become turns */
#include "gateway/gateway.h"
#include "gateway/accept.h"
#include "gateway/admission.h"
#include "gateway/reply.h"
#include "gateway/exchange.h"
#include "gateway/terms.h"

static struct said
header(const struct request *r, const char *name)
{
	return (struct said){ name, str_of(request_header(r, name)) };
}

static bool
find_terms(const struct request *r, const struct chat *c, struct question *q,
	   const char **param, struct error *e)
{
	const struct said session[] = {
		{ "session_id", c->session },	{ "resume_id", c->resume },
		header(r, "X-Session-Id"),	header(r, "X-Resume"),
		header(r, "X-Conversation-Id"),
	};
	const struct said cwd[] = { { "cwd", c->cwd }, header(r, "X-Cwd") };
	const struct said key = header(r, "Idempotency-Key");

	q->is_retry = terms_is_retry(header(r, "X-Stainless-Retry-Count").what);
	if (!terms_key(key.what, &q->key, e)) {
		*param = key.where;
		return false;
	}
	return terms_session(session, sizeof session / sizeof *session,
			     &q->session, param, e) &&
	       terms_headers(r, &q->headers, param, e) &&
	       terms_cwd(cwd, sizeof cwd / sizeof *cwd, &q->cwd, param, e);
}

static bool
is_streamed(const struct gateway *g, const struct request *r,
	    const struct chat *c)
{
	if (c->says_streamed)
		return c->streamed;
	return g->settings.stream_default ||
	       accept_prefers_events(str_of(request_header(r, "Accept")));
}

static bool
has_room(const struct gateway *g, struct error *e)
{
	if (g->draining)
		return fail_with(e, ERR_DRAINING,
				 "this process is about to be replaced");
	if (g->exchange_count + g->waiters >= g->settings.max_turns)
		return fail_with(
			e, ERR_QUEUE_FULL,
			"admission_rejected: queue_full: %zu turns are "
			"under way (BRIDGE_MAX_TURNS)",
			g->exchange_count);
	return true;
}

static bool
understand(struct gateway *g, struct request *r, struct chat *c,
	   struct question *q, struct error *e)
{
	if (request_is_left(r))
		return fail_with(e, ERR_CANCELLED, "the client has left");
	if (!fields_end(r->reading, e) ||
	    !chat_read(c, q->dialect, q->body, r->reading, e))
		return false;
	free(r->model); /* of before the admission */
	r->model = copy(c->model);
	q->streamed = is_streamed(g, r, c);
	if (!workers_find(&g->workers, c->model, &q->to, e)) {
		c->param = "model";
		return false;
	}
	return find_terms(r, c, q, &c->param, e) && has_room(g, e);
}

static void
ask(struct gateway *g, struct request *r, enum dialect dialect)
{
	struct chat c = CHAT_INIT;
	struct question q = { .dialect = dialect,
			      .chat = &c,
			      .body = buf_str(&r->body) };
	struct error e = { 0 };

	if (!understand(g, r, &c, &q, &e))
		reply_error(r, &e,
			    e.code == ERR_INVALID || e.code == ERR_NO_MODEL ||
					    e.code == ERR_BAD_CWD
				    ? c.param
				    : NULL);
	else if (worker_link_is_up(q.to.link))
		exchange_start(g, r, &q);
	else
		admission_wait(g, r, q.to.link, NULL);
	free(q.headers);
	chat_fini(&c);
}

void
handle_complete_chat(struct gateway *g, struct request *r)
{
	ask(g, r, DIALECT_CHAT);
}

void
handle_embed(struct gateway *g, struct request *r)
{
	ask(g, r, DIALECT_EMBEDDINGS);
}
