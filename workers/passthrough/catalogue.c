#include "workers/passthrough/catalogue.h"

#include "proto/log.h"
#include "workers/passthrough/model_list.h"

enum {
	SILENCE_MS = 20000,
	FRESH_MS = 5 * 60 * 1000,
	AGAIN_MS = 60 * 1000, /* after a failure */
};

/* What one provider lists. */
struct listing {
	const struct provider *provider;
	struct exchange *exchange; /* NULL: it is not being asked */
	char *url;
	struct buf answer; /* what there is of it so far */
	struct buf rows;   /* with commas between them */
	uint64_t due;	   /* loop_now() */
};

void
catalogue_init(struct catalogue *c, struct upstream *upstream,
	       const struct providers *all)
{
	*c = (struct catalogue){ .upstream = upstream };
	c->listings = xcalloc(all->count, sizeof *c->listings);
	for (size_t i = 0; i < all->count; i++) {
		const struct provider *p = &all->rows[i];

		if (!p->usable)
			continue;
		c->listings[c->count++] = (struct listing){
			.provider = p,
			.url = copy_format("%s/models", p->base_url),
			.answer = BUF_INIT(MAX_LIST),
			.rows = BUF_INIT(MAX_LIST),
		};
	}
}

/* Before upstream_fini(). */
void
catalogue_fini(struct catalogue *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct listing *s = &c->listings[i];

		if (s->exchange)
			exchange_cancel(s->exchange);
		free(s->url);
		buf_fini(&s->answer);
		buf_fini(&s->rows);
	}
	free(c->listings);
	*c = (struct catalogue){ 0 };
}

static void
swap_rows(struct listing *a, struct listing *b)
{
	struct buf rows = a->rows;

	a->rows = b->rows;
	b->rows = rows;
}

static bool
is_same(const struct listing *a, const struct listing *b)
{
	return !strcmp(a->provider->name, b->provider->name) &&
	       !strcmp(a->url, b->url);
}

void
catalogue_change(struct catalogue *c, const struct providers *all)
{
	struct catalogue old = *c;

	catalogue_init(c, old.upstream, all);
	for (size_t i = 0; i < c->count; i++)
		for (size_t n = 0; n < old.count; n++)
			if (is_same(&c->listings[i], &old.listings[n]))
				swap_rows(&c->listings[i], &old.listings[n]);
	catalogue_fini(&old);
}

static bool
take_answer(struct listing *s, const struct exchange *x, struct error *e)
{
	unsigned left_out;

	if (x->has_ended && x->failure) {
		*e = *x->failure;
		return false;
	}
	if (x->head.status != 200)
		return fail_with(e, ERR_UPSTREAM, "it answered with %d",
				 x->head.status);
	s->rows.len = 0;
	if (!model_list_read(&s->rows, s->provider->name, buf_str(&s->answer),
			     &left_out, e))
		return false;
	if (left_out)
		log_info("%s: %u of the models that it lists are left out, for "
			 "want of an id or of room",
			 s->provider->name, left_out);
	return true;
}

static void
end(struct listing *s, const struct exchange *x)
{
	struct error e = { 0 };
	bool ok = take_answer(s, x, &e);

	s->exchange = NULL;
	s->due = loop_now() + (ok ? FRESH_MS : AGAIN_MS);
	if (!ok)
		log_info("%s: no list of models: %s", s->provider->name,
			 log_quote(str_of(e.text)));
	buf_drop(&s->answer, s->answer.len);
}

/* Of a list that is longer than anybody needs the beginning is enough. */
static void
on_answer(struct exchange *x)
{
	struct listing *s = x->owner;
	struct str piece = buf_str(&x->bytes);
	size_t room = s->answer.max - s->answer.len;
	bool is_full = piece.len > room;

	if (is_full) {
		piece.len = room;
		log_info("%s: its list of models is longer than %u bytes, of "
			 "which the first are read",
			 s->provider->name, MAX_LIST);
	}
	buf_put(&s->answer, piece);
	buf_drop(&x->bytes, x->bytes.len);
	if (!is_full && !x->has_ended) {
		exchange_resume(x);
		return;
	}
	end(s, x);
	if (!x->has_ended)
		exchange_cancel(x);
}

static void
ask(struct catalogue *c, struct listing *s)
{
	const struct request r = {
		.url = s->url,
		.host = s->provider->host,
		.key = s->provider->key,
		.is_direct = s->provider->is_local,
		.silence_ms = SILENCE_MS,
	};

	s->exchange = exchange_start(c->upstream, &r, on_answer, s);
}

void
catalogue_refresh(struct catalogue *c)
{
	uint64_t now = loop_now();

	for (size_t i = 0; i < c->count; i++)
		if (!c->listings[i].exchange && c->listings[i].due <= now)
			ask(c, &c->listings[i]);
}

void
catalogue_list(const struct catalogue *c, struct rows *out)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->listings[i].rows.len)
			(void)rows_add(out, buf_str(&c->listings[i].rows));
}
