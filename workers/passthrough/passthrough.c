/*
 * passthrough - turns that are requests to a vendor's API
 *
 * The request goes to the provider that the model's prefix names, with that
 * provider's key and the model without the prefix; every other byte is the
 * caller's.  The answer comes back with its status, headers and bytes.
 *
 * A request is sent once.  If it fails before the provider answers, the caller
 * gets an error of ours; an answer that breaks off is cut off for the caller.
 */
#include <stdio.h>

#include "proto/buf.h"
#include "proto/log.h"
#include "workers/capabilities.h"
#include "workers/description.h"
#include "workers/options/options.h"
#include "workers/passthrough/catalogue.h"
#include "workers/io/scan.h"
#include "workers/passthrough/splice.h"
#include "workers/worker/worker.h"

/* A turn under way. */
struct relay {
	struct turn *turn;
	struct exchange *exchange; /* NULL: over */
	char *url, *host, *key;	   /* of the provider as it was at the start */
	struct buf body;
	bool has_begun; /* the head is out */
};

/* All that the engine of one worker has. */
struct engine_self {
	struct worker *worker;
	struct providers providers;
	struct upstream upstream;
	struct catalogue catalogue;
};

static bool
init(struct worker *w, struct error *e)
{
	struct engine_self *self = w->self = xcalloc(1, sizeof *self);

	self->worker = w;
	if (!providers_read(&self->providers, e) ||
	    !upstream_init(&self->upstream, &w->loop, e))
		return false;
	catalogue_init(&self->catalogue, &self->upstream, &self->providers);
	return true;
}

static bool
configure(struct engine_self *self, struct error *e)
{
	struct providers fresh, old = self->providers;

	if (!providers_read(&fresh, e)) {
		providers_fini(&fresh);
		return false;
	}
	catalogue_change(&self->catalogue, &fresh);
	self->providers = fresh;
	providers_fini(&old);
	worker_probe(self->worker, true);
	return true;
}

static void
fini(struct engine_self *self)
{
	catalogue_fini(&self->catalogue);
	upstream_fini(&self->upstream);
	providers_fini(&self->providers);
	free(self);
}

static bool
check_provider(const struct provider *p, const char *name, struct error *e)
{
	if (!p)
		return fail_with(e, ERR_NO_MODEL,
				 "no provider is called \"%s\"", name);
	if (!p->usable)
		return fail_with(e, ERR_NOT_SET_UP, "%s has no key: set %s",
				 p->name, p->key_variable);
	return true;
}

/* A vendor has no mode of ours: only byob, which is none, can be asked for.
 * Of the body only that one member is read. */
static bool
check_mode(const struct turn *t, struct error *e)
{
	struct str raw = scan_member(t->body, "mode");
	auto_free char *text = copy_format(
		"{\"mode\":" STR_FMT "}", STR_ARG(raw.ptr ? raw : STR("null")));
	json_t *body = json_loads(text, 0, NULL);
	json_t *headers = t->headers ? json_loads(t->headers, 0, NULL) : NULL;
	enum mode mode = MODE_BYOB;
	bool ok = options_read_mode(&mode, body, headers, e);

	json_decref(body);
	json_decref(headers);
	if (!ok || mode == MODE_BYOB)
		return ok;
	return fail_about(e, ERR_MODE,
			  "mode: %s is a vendor, and not a CLI of the "
			  "bridge's: it does not have the mode %s",
			  t->harness, mode_name(mode));
}

/* What only a CLI of ours can be given.  It may have secrets in it, which are
 * none of the vendor's business: so it is refused, and never passed on. */
static bool
check_terms(const struct turn *t, struct error *e)
{
	static const struct {
		const char *field, *header, *what;
	} terms[] = {
		{ "mcp", "X-Mcp-Config", "takes no MCP servers" },
		{ "agent_profile", "X-Agent-Profile", "takes no profile" },
	};
	json_t *headers = t->headers ? json_loads(t->headers, 0, NULL) : NULL;
	bool ok = true;

	for (size_t i = 0; i < sizeof terms / sizeof *terms && ok; i++) {
		struct str said = scan_member(t->body, terms[i].field);
		bool is_said = said.len && !str_is(said, "null");
		bool is_header =
			json_object_get(headers, terms[i].header) != NULL;

		if (is_said || is_header)
			ok = fail_about(e, ERR_UNSUPPORTED,
					"%s: %s is a vendor, and not a CLI of "
					"the bridge's: it %s",
					is_said ? terms[i].field
						: terms[i].header,
					t->harness, terms[i].what);
	}
	json_decref(headers);
	return ok;
}

static const struct provider *
find_provider(const struct engine_self *self, const char *name)
{
	return providers_find(&self->providers, name);
}

static bool
check_model(const struct provider *p, const char *name, const char *model,
	    struct error *e)
{
	return check_provider(p, name, e) &&
	       (model ||
		fail_about(e, ERR_INVALID,
			   "model: write \"%s/<model>\", for a provider "
			   "has no default model",
			   name));
}

/* What the bridge reads and a vendor is not told: the session, its directory,
 * and headers that stand for fields. */
static char *
ignored_of(const struct turn *t, const json_t *headers)
{
	static const char *const unread[] = {
		"X-Reasoning-Effort",
		"X-Bridge-Builtin-Tools",
		"X-Rebind-Profile",
		"X-Tangle-Forwarded-Authorization",
	};
	struct buf list = BUF_INIT(MAX_DETAIL);
	char *text;

	buf_print(&list, "%s%s", t->session ? ", session_id" : "",
		  t->cwd ? ", cwd" : "");
	for (size_t i = 0; i < sizeof unread / sizeof *unread; i++)
		if (json_object_get(headers, unread[i]))
			buf_print(&list, ", %s", unread[i]);
	text = list.len ? copy(str_from(buf_str(&list), strlen(", "))) : NULL;
	buf_fini(&list);
	return text;
}

static bool
check_ignored(const struct turn *t, struct acceptance *a, struct error *e)
{
	json_t *headers = t->headers ? json_loads(t->headers, 0, NULL) : NULL;
	auto_free char *ignored = ignored_of(t, headers);
	bool is_strict = false;
	bool ok = options_read_strict(&is_strict, headers, e);

	json_decref(headers);
	if (!ok || !ignored)
		return ok;
	snprintf(a->ignored, sizeof a->ignored, "%s", ignored);
	return !is_strict || options_fail_strict(ignored, e);
}

static bool
accept_turn(struct turn *t, struct acceptance *a, struct error *e)
{
	const struct provider *p = find_provider(t->worker->self, t->harness);

	if (!check_model(p, t->harness, t->model, e) || !check_mode(t, e) ||
	    !check_terms(t, e) || !check_ignored(t, a, e))
		return false;
	a->relay = true;
	a->mode = mode_name(MODE_BYOB);
	return true;
}

static void
fail(struct turn *t, const struct error *e)
{
	struct relay *r = t->work;

	r->exchange = NULL;
	buf_fini(&r->body);
	turn_fail(t, e);
}

/*
 * A streamed answer is passed on piece by piece.  Any other answer is of use
 * only as a whole: it is gathered as far as it fits into one message, which
 * saves wake-ups, and turns an answer that breaks off into an error with a
 * status instead of half an answer.
 */
static bool
is_due(const struct relay *r)
{
	const struct exchange *x = r->exchange;

	return x->head.whole &&
	       (r->has_begun || r->turn->streamed || x->head.is_events ||
		x->bytes.len >= MAX_DELTA);
}

static void
begin_with(struct relay *r, struct exchange *x, bool last)
{
	r->has_begun = true;
	if (x->head.left_out)
		log_warn("turn %ju: %u headers of %s are left out: they have "
			 "more than %u bytes",
			 (uintmax_t)r->turn->id, x->head.left_out,
			 x->request.host, MAX_HEADERS);
	turn_head(r->turn, x->head.status, buf_str(&x->head.json),
		  buf_str(&x->bytes), last);
}

/* The turn may be gone when this returns, and `r` with it. */
static void
pass_on(struct relay *r, bool last)
{
	struct exchange *x = r->exchange;

	if (last)
		r->exchange = NULL;
	if (r->has_begun)
		turn_body(r->turn, buf_str(&x->bytes), last);
	else
		begin_with(r, x, last);
	buf_drop(&x->bytes, x->bytes.len);
}

static void
on_end(struct relay *r)
{
	struct exchange *x = r->exchange;

	if (!x->failure) {
		pass_on(r, true);
		return;
	}
	if (r->has_begun)
		pass_on(r, false);
	fail(r->turn, x->failure);
}

/* An answer may take minutes; its request is of no more use by then. */
static void
let_go_of_body(struct relay *r)
{
	if (!r->body.ptr || !exchange_has_sent_body(r->exchange))
		return;
	buf_fini(&r->body);
	turn_give_room(r->turn);
}

static void
on_news(struct exchange *x)
{
	struct relay *r = x->owner;

	if (x->has_ended) {
		on_end(r);
		return;
	}
	let_go_of_body(r);
	if (is_due(r))
		pass_on(r, false);
	if (turn_is_blocked(r->turn))
		exchange_pause(x);
	else
		exchange_resume(x);
}

static struct relay *
relay_new(struct turn *t, const struct provider *p)
{
	struct relay *r = xcalloc(1, sizeof *r);

	r->turn = t;
	r->url = copy_format("%s%s", p->base_url, dialect_path(t->dialect));
	r->host = copy(str_of(p->host));
	r->key = copy(str_of(p->key));
	/* Each letter of the model may become "\u0000". */
	r->body = BUF_INIT(MAX_WIRE + 6 * MAX_MODEL);
	return r;
}

static void
start(struct turn *t)
{
	const struct provider *p = find_provider(t->worker->self, t->harness);
	struct error e = { 0 };
	struct request request;
	struct relay *r;

	/* It may have gone while the turn was waiting. */
	if (!check_provider(p, t->harness, &e)) {
		turn_fail(t, &e);
		return;
	}
	t->work = r = relay_new(t, p);
	if (!splice_model(&r->body, t->body, str_of(t->model), &e)) {
		fail(t, &e);
		return;
	}
	turn_drop_body(t);
	request = (struct request){
		.url = r->url,
		.host = r->host,
		.key = r->key,
		.idempotency_key = t->key,
		.body = buf_str(&r->body),
		.wants_events = t->streamed,
		.is_direct = p->is_local,
		.silence_ms = t->worker->self->worker->harness.timeout_ms,
	};
	r->exchange = exchange_start(&t->worker->self->upstream, &request,
				     on_news, r);
}

static void
cancel(struct turn *t)
{
	struct relay *r = t->work;
	struct error e = { 0 };

	exchange_cancel(r->exchange);
	fail_with(&e, ERR_CANCELLED, "cancelled");
	fail(t, &e);
}

/* What curl still has is heard soon, through its timer. */
static void
unblock(struct turn *t)
{
	struct relay *r = t->work;

	exchange_resume(r->exchange);
}

static void
forget(struct turn *t)
{
	struct relay *r = t->work;

	if (!r)
		return;
	buf_fini(&r->body);
	free(r->url);
	free(r->host);
	free(r->key);
	free(r);
	t->work = NULL;
}

static void
probe(struct engine_self *self, bool asked)
{
	struct buf detail = BUF_INIT(64 << 10);
	bool usable = providers_describe(&self->providers, &detail);

	buf_print(&detail, "%c", '\0');
	worker_set_health(self->worker,
			  usable ? HEALTH_READY : HEALTH_UNAVAILABLE, NULL,
			  detail.ptr);
	buf_fini(&detail);
	catalogue_refresh(&self->catalogue);
}

static void
list_models(struct engine_self *self, struct rows *out)
{
	catalogue_refresh(&self->catalogue);
	catalogue_list(&self->catalogue, out);
}

static bool
describe(struct engine_self *self, const char *prefix, const char *model,
	 struct buf *to, struct error *e)
{
	static const struct ability ability = {
		.can = PASSTHROUGH_CAN,
		.passes_on = true,
		.modes = MODE_BIT(MODE_BYOB),
		.is_set_up = true,
	};

	if (prefix &&
	    !check_model(find_provider(self, prefix), prefix, model, e))
		return false;
	description_add(to, &ability);
	return true;
}

const struct engine engine = {
	.dialects = DIALECT_BIT(DIALECT_CHAT) | DIALECT_BIT(DIALECT_EMBEDDINGS),
	.init = init,
	.fini = fini,
	.configure = configure,
	.accept = accept_turn,
	.start = start,
	.cancel = cancel,
	.unblock = unblock,
	.forget = forget,
	.probe = probe,
	.list_models = list_models,
	.describe = describe,
};
