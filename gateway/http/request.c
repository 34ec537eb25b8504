#include "gateway/http/request.h"

#include "proto/log.h"

enum {
	STALL_TIME = 600000, /* ms in which a client takes nothing */
	SIGNATURE = 64,	     /* bytes, for which room is kept */
};

bool
request_is_ours(const struct request *r)
{
	return r->stage == WAITING || r->stage == OPENING ||
	       r->stage == STREAMING;
}

void
request_tell_owner(struct request *r)
{
	void (*left)(struct request *) = r->left;

	r->left = r->taken = NULL;
	if (left)
		left(r);
}

static void
add_header(struct request *r, const char *name, struct str value, size_t max)
{
	struct error e;
	char *clean;

	if (!value.len)
		return;
	clean = copy(value);
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)clean[i] < ' ' || clean[i] == 0x7f)
			clean[i] = ' ';
	if (r->headers.len + strlen(name) + value.len + 2 > max)
		log_warn("%s: no room for the header %s", r->id, name);
	else if (!buf_add(&r->headers, (struct str){ name, strlen(name) + 1 },
			  &e) ||
		 !buf_add(&r->headers, (struct str){ clean, value.len + 1 },
			  &e))
		abort();
	free(clean);
}

void
request_add(struct request *r, const char *name, struct str value)
{
	add_header(r, name, value, r->headers.max - SIGNATURE);
}

bool
request_next_header(const struct request *r, size_t *at, const char **name,
		    const char **value)
{
	if (*at >= r->headers.len)
		return false;
	*name = r->headers.ptr + *at;
	*value = *name + strlen(*name) + 1;
	*at += strlen(*name) + strlen(*value) + 2;
	return true;
}

static bool
has_header(const struct request *r, const char *wanted)
{
	const char *name, *value;
	size_t at = 0;

	while (request_next_header(r, &at, &name, &value))
		if (!strcasecmp(name, wanted))
			return true;
	return false;
}

/* An upstream may have signed its answer already. */
void
request_sign(struct request *r)
{
	add_header(r,
		   has_header(r, "X-Request-Id") ? "X-Bridge-Request-Id"
						 : "X-Request-Id",
		   str_of(r->id), r->headers.max);
}

static bool
is_over(const struct request *r)
{
	return r->ending != NOT_YET && chunk_writer_waiting(&r->writer) == 0;
}

/* The client has gone, or takes nothing any more. */
void
request_lose(struct request *r)
{
	bool suspended = r->stage != OPENING;

	r->why = "client left";
	r->ending = CUT;
	chunk_writer_clear(&r->writer);
	request_tell_owner(r);
	if (suspended)
		request_hand_back(r);
}

static void
on_stall(struct timer *t)
{
	struct request *r = container_of(t, struct request, stall);

	request_lose(r);
}

/* The socket's room is watched only while there is none. */
static void
set_blocked(struct request *r, bool blocked)
{
	if (blocked)
		loop_set(r->http->loop, &r->stall, STALL_TIME, on_stall);
	if (r->is_blocked == blocked)
		return;
	r->is_blocked = blocked;
	request_watch_room(r, blocked);
	if (!blocked)
		loop_unset(r->http->loop, &r->stall);
}

void
request_push(struct request *r)
{
	struct error e;

	list_remove(&r->http->unpushed, &r->unpushed);
	if (!chunk_writer_push(&r->writer, r->fd, &e)) {
		request_lose(r);
		return;
	}
	set_blocked(r, chunk_writer_waiting(&r->writer) > 0);
	if (r->taken)
		r->taken(r);
	if (is_over(r))
		request_hand_back(r);
}

static void
on_push(struct timer *t)
{
	struct http *h = container_of(t, struct http, push);
	struct node *n;

	while ((n = list_first(&h->unpushed)))
		request_push(container_of(n, struct request, unpushed));
}

/* All that can be said will be said together. */
static void
push_soon(struct request *r)
{
	struct http *h = r->http;

	if (r->stage != STREAMING || r->is_blocked || r->unpushed.next)
		return;
	list_append(&h->unpushed, &r->unpushed);
	if (!timer_is_set(&h->push))
		loop_set(h->loop, &h->push, 0, on_push);
}

struct buf *
request_begin(struct request *r)
{
	push_soon(r);
	return chunk_writer_begin(&r->writer);
}

static void
end(struct request *r, int how)
{
	r->left = r->taken = NULL;
	r->ending = how;
	if (r->stage == STREAMING && !r->unpushed.next && is_over(r))
		request_hand_back(r);
}

void
request_close(struct request *r)
{
	end(r, WELL);
}

void
request_cut(struct request *r)
{
	r->why = "cut off";
	end(r, CUT);
}
