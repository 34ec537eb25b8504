#include "proto/pipeline.h"

#include <assert.h>

#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include "proto/log.h"

enum {
	SEND_BUFFER = 256, /* batches that NNG holds for an outlet */
	LATE_MS = 50,	   /* how long an event may wait for others */
	REOPEN_MS = 1000,
	RECEIVED_MAX = 1, /* bytes of a message that an outlet would receive */
};

struct waiting {
	struct node node;
	nng_msg *raw;
};

static void
drop_first(struct outlet *o)
{
	struct waiting *w =
		container_of(list_first(&o->waiting), struct waiting, node);

	list_remove(&o->waiting, &w->node);
	free(w);
}

/* False: there is no room.  What can't be sent any more is dropped. */
static bool
send_raw(struct outlet *o, nng_msg *raw)
{
	int r = presence_send(&o->reader, o->sock, o->sending, raw);

	if (r == NNG_ECLOSED)
		nng_msg_free(raw);
	o->has_sent |= r == 0;
	return r == 0 || r == NNG_ECLOSED;
}

static void
on_room(struct watch *watch)
{
	struct outlet *o = container_of(watch, struct outlet, watch);
	struct node *n;

	while ((n = list_first(&o->waiting))) {
		struct waiting *w = container_of(n, struct waiting, node);

		if (!send_raw(o, w->raw))
			return;
		drop_first(o);
	}
	loop_unwatch(o->loop, &o->watch);
}

static void
on_reader(struct presence *p)
{
	struct outlet *o = container_of(p, struct outlet, reader);

	if (o->changed)
		o->changed(o);
}

static void
on_spent(struct presence *p)
{
	outlet_renew(container_of(p, struct outlet, reader));
}

/* Returns NNG's codes. */
static int
start_socket(struct outlet *o)
{
	int r = nng_push0_open(&o->sock);

	if (r == 0)
		r = presence_watch(o->sock, &o->reader);
	if (r == 0)
		r = presence_guard(o->sock, &o->reader);
	if (r == 0) /* a peer sends nothing, but may claim that it will */
		r = nng_socket_set_size(o->sock, NNG_OPT_RECVMAXSZ,
					RECEIVED_MAX);
	if (r == 0)
		r = nng_socket_set_int(o->sock, NNG_OPT_SENDBUF, SEND_BUFFER);
	if (r == 0)
		r = nng_socket_get_int(o->sock, NNG_OPT_SENDFD, &o->room_fd);
	if (r == 0)
		r = o->listens ? socket_listen(o->sock, o->url)
			       : presence_dial(&o->reader, o->sock, o->url);
	return r;
}

static bool
open_socket(struct outlet *o, struct error *e)
{
	int r;

	o->has_sent = false;
	if (!presence_init(&o->reader, o->loop, on_reader, e) ||
	    !socket_prepare(e))
		return false;
	presence_serve_one(&o->reader, on_spent);
	r = start_socket(o);
	return r == 0 ||
	       socket_fail(e, r, o->listens ? "listen on" : "dial", o->url);
}

static void
close_socket(struct outlet *o)
{
	socket_close(&o->sock);
	presence_fini(&o->reader);
}

static bool
outlet_open(struct outlet *o, struct loop *loop, const char *url,
	    enum role self, void (*changed)(struct outlet *), struct error *e)
{
	int r = sending_init(&o->sending, NNG_DURATION_ZERO);

	list_init(&o->waiting);
	o->loop = loop;
	o->self = self;
	o->changed = changed;
	o->url = copy(str_of(url));
	return r == 0 ? open_socket(o, e) : socket_fail(e, r, "open", url);
}

bool
outlet_listen(struct outlet *o, struct loop *loop, const char *url,
	      enum role self, void (*changed)(struct outlet *), struct error *e)
{
	*o = OUTLET_INIT;
	o->listens = true;
	return outlet_open(o, loop, url, self, changed, e);
}

bool
outlet_dial(struct outlet *o, struct loop *loop, const char *url,
	    enum role self, void (*changed)(struct outlet *), struct error *e)
{
	*o = OUTLET_INIT;
	return outlet_open(o, loop, url, self, changed, e);
}

void
outlet_clear(struct outlet *o)
{
	struct node *n;

	while ((n = list_first(&o->waiting))) {
		nng_msg_free(container_of(n, struct waiting, node)->raw);
		drop_first(o);
	}
	if (o->batch)
		nng_msg_free(o->batch);
	o->batch = NULL;
	loop_drop(o->loop, &o->flush);
	loop_unset(o->loop, &o->late);
	loop_unwatch(o->loop, &o->watch);
}

/* What waits is sent once there is a socket, and NNG has room. */
static void
watch_room(struct outlet *o)
{
	struct error e;

	if (list_first(&o->waiting) && o->watch.fd < 0 &&
	    !timer_is_set(&o->reopen) &&
	    !loop_watch(o->loop, &o->watch, o->room_fd, EPOLLIN, on_room, &e))
		log_error("%s", e.text);
}

static void reopen(struct outlet *);

static void
on_reopen(struct timer *t)
{
	reopen(container_of(t, struct outlet, reopen));
}

static void
reopen(struct outlet *o)
{
	struct error e = { 0 };

	close_socket(o);
	loop_unset(o->loop, &o->reopen);
	if (open_socket(o, &e)) {
		watch_room(o);
		return;
	}
	log_error("%s; tried again in %d ms", e.text, REOPEN_MS);
	close_socket(o);
	loop_set(o->loop, &o->reopen, REOPEN_MS, on_reopen);
}

void
outlet_renew(struct outlet *o)
{
	outlet_clear(o);
	if (o->has_sent || presence_is_taken(&o->reader))
		reopen(o);
}

void
outlet_fini(struct outlet *o)
{
	if (!o->loop)
		return;
	outlet_clear(o);
	loop_unset(o->loop, &o->reopen);
	close_socket(o);
	sending_fini(&o->sending);
	free(o->url);
	*o = OUTLET_INIT;
}

static void
wait_for_room(struct outlet *o, nng_msg *raw)
{
	struct waiting *w = xcalloc(1, sizeof *w);

	w->raw = raw;
	list_append(&o->waiting, &w->node);
	watch_room(o);
}

static void
send_batch(struct outlet *o)
{
	nng_msg *raw = o->batch;

	o->batch = NULL;
	loop_drop(o->loop, &o->flush);
	loop_unset(o->loop, &o->late);
	if (raw && (list_first(&o->waiting) || timer_is_set(&o->reopen) ||
		    !send_raw(o, raw)))
		wait_for_room(o, raw);
}

static void
on_flush(struct chore *c)
{
	send_batch(container_of(c, struct outlet, flush));
}

static void
on_late(struct timer *t)
{
	send_batch(container_of(t, struct outlet, late));
}

/* A batch without room for the new event is sent first. */
static void
add_to_batch(struct outlet *o, nng_msg *raw)
{
	size_t more = nng_msg_len(raw);

	if (o->batch && nng_msg_len(o->batch) + more > MAX_BATCH)
		send_batch(o);
	if (!o->batch) {
		o->batch = raw;
		return;
	}
	if (nng_msg_append(o->batch, nng_msg_body(raw), nng_msg_len(raw)) != 0)
		abort();
	nng_msg_free(raw);
}

void
outlet_pass(struct outlet *o, nng_msg *raw)
{
	add_to_batch(o, raw);
	loop_put_off(o->loop, &o->flush, on_flush);
}

void
outlet_pass_late(struct outlet *o, nng_msg *raw)
{
	add_to_batch(o, raw);
	if (!o->flush.node.next && !timer_is_set(&o->late))
		loop_set(o->loop, &o->late, LATE_MS, on_late);
}

void
outlet_send(struct outlet *o, enum msg_type type, const void *body)
{
	assert(msg_may_send(type, o->self));
	outlet_pass(o, msg_pack(type, body));
}

/* Inlet */

static enum msg_verdict
hear_one(struct inlet *i, struct str *left)
{
	struct error e = { 0 };
	struct msg m;
	enum msg_verdict verdict = msg_next(&m, left, i->peer, i->self, &e);

	if (left->len)
		i->taking = NULL;
	if (verdict == MSG_GOOD) {
		socket_log("<-", &m);
		i->heard(i, &m);
	} else if (verdict == MSG_BAD && i->bad) {
		i->bad(i, &m, &e);
	} else {
		i->broken(i, &e);
		verdict = MSG_BROKEN;
	}
	return verdict;
}

/*
 * Handles all events of one NNG message.  A handler may end the inlet, or take
 * the message if it holds one event only.
 */
static void
hear_batch(struct inlet *i, nng_msg *raw)
{
	struct str left = { nng_msg_body(raw), nng_msg_len(raw) };
	bool is_first = true;

	while (i->loop && left.len) {
		i->taking = is_first ? &raw : NULL;
		if (hear_one(i, &left) == MSG_BROKEN)
			break;
		is_first = false;
	}
	if (i->loop)
		i->taking = NULL;
	if (raw)
		nng_msg_free(raw);
}

nng_msg *
inlet_take(struct inlet *i)
{
	nng_msg *raw = i->taking ? *i->taking : NULL;

	if (raw)
		*i->taking = NULL;
	return raw;
}

/* False: there was no message. */
static bool
hear_event(struct inlet *i)
{
	nng_msg *raw = mailbox_take(&i->box);

	if (!raw)
		return false;
	if (presence_is_void(&i->writer,
			     (uint32_t)nng_pipe_id(nng_msg_get_pipe(raw))))
		nng_msg_free(raw);
	else
		hear_batch(i, raw);
	return true;
}

static void
on_event(struct watch *w)
{
	struct inlet *i = container_of(w, struct inlet, box.watch);
	uint64_t until = loop_now() + AT_ONCE_MS;

	mailbox_clear(&i->box);
	for (int n = 0; n < AT_ONCE && loop_now() < until; n++)
		if (!i->loop || !hear_event(i))
			return;
	if (i->loop)
		mailbox_signal(&i->box);
}

void
inlet_drain(struct inlet *i)
{
	while (i->loop && hear_event(i))
		;
}

void
inlet_renew(struct inlet *i)
{
	inlet_drain(i);
	if (i->loop)
		presence_void(&i->writer);
}

static void
on_writer(struct presence *p)
{
	struct inlet *i = container_of(p, struct inlet, writer);

	inlet_drain(i);
	if (i->loop && i->changed)
		i->changed(i);
}

static bool
inlet_open(struct inlet *i, struct loop *loop, const char *url,
	   const struct hearing *h, struct error *e)
{
	int r;

	*i = INLET_INIT;
	i->loop = loop;
	i->self = h->self;
	i->peer = h->peer;
	i->heard = h->heard;
	i->bad = h->bad;
	i->broken = h->broken;
	i->changed = h->changed;
	if (!presence_init(&i->writer, loop, on_writer, e) ||
	    !socket_prepare(e))
		return false;
	r = nng_pull0_open(&i->sock);
	if (r == 0)
		r = presence_watch(i->sock, &i->writer);
	if (r == 0)
		r = presence_guard(i->sock, &i->writer);
	if (r != 0)
		return socket_fail(e, r, "open", url);
	return mailbox_init(&i->box, loop, i->sock, on_event, url, e);
}

bool
inlet_listen(struct inlet *i, struct loop *loop, const char *url,
	     const struct hearing *h, struct error *e)
{
	int r;

	if (!inlet_open(i, loop, url, h, e))
		return false;
	r = socket_listen(i->sock, url);
	if (r != 0)
		return socket_fail(e, r, "listen on", url);
	mailbox_ask(&i->box);
	return true;
}

bool
inlet_dial(struct inlet *i, struct loop *loop, const char *url,
	   const struct hearing *h, struct error *e)
{
	int r;

	if (!inlet_open(i, loop, url, h, e))
		return false;
	r = presence_dial(&i->writer, i->sock, url);
	if (r != 0)
		return socket_fail(e, r, "dial", url);
	mailbox_ask(&i->box);
	return true;
}

void
inlet_fini(struct inlet *i)
{
	if (!i->loop)
		return;
	mailbox_fini(&i->box);
	socket_close(&i->sock);
	presence_fini(&i->writer);
	*i = INLET_INIT;
}
