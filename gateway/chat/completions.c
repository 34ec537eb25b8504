/* completions - POST /v1/chat/completions and /v1/embeddings become turns */
#include "gateway/gateway.h"
#include "gateway/admission.h"
#include "gateway/reply.h"
#include "gateway/exchange.h"

/* One of the names by which callers may say the session. */
struct said {
	const char *where;
	struct str id;
};

static bool
agree(struct str *session, const struct said *s, const char **param,
      struct error *e)
{
	if (!s->id.ptr)
		return true;
	*param = s->where;
	if (!chat_check_session(s->id, e))
		return false;
	if (session->ptr && !str_eq(*session, s->id))
		return fail_with(
			e, ERR_INVALID,
			"%s names another session than what else names "
			"one",
			s->where);
	*session = s->id;
	return true;
}

static bool
find_session(const struct request *r, const struct chat *c, struct str *session,
	     const char **param, struct error *e)
{
	static const char *const headers[] = { "X-Session-Id", "X-Resume",
					       "X-Conversation-Id" };

	*session = c->session;
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		struct said s = { headers[i],
				  str_of(request_header(r, headers[i])) };

		if (!agree(session, &s, param, e))
			return false;
	}
	return true;
}

static bool
is_streamed(const struct gateway *g, const struct request *r,
	    const struct chat *c)
{
	const char *accept = request_header(r, "Accept");

	if (c->says_streamed)
		return c->streamed;
	return g->settings.stream_default ||
	       (accept && strcasestr(accept, "text/event-stream"));
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
	if (!chat_parse(c, q->kind, q->body, e))
		return false;
	free(r->model); /* of before the admission */
	r->model = copy(c->model);
	q->cwd = c->cwd;
	q->streamed = is_streamed(g, r, c);
	if (!workers_find(&g->workers, c->model, &q->to, e)) {
		c->param = "model";
		return false;
	}
	return find_session(r, c, &q->session, &c->param, e) && has_room(g, e);
}

static void
ask(struct gateway *g, struct request *r, enum turn_kind kind)
{
	struct chat c = CHAT_INIT;
	struct question q = { .kind = kind,
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
		admission_wait(g, r, q.to.link);
	chat_fini(&c);
}

void
handle_complete_chat(struct gateway *g, struct request *r)
{
	ask(g, r, TURN_CHAT);
}

void
handle_embed(struct gateway *g, struct request *r)
{
	ask(g, r, TURN_EMBEDDINGS);
}
