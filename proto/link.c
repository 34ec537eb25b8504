#include "proto/link.h"

#include <assert.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "proto/log.h"

enum {
	AT_ONCE = 64,	    /* messages heard before others have a turn */
	SEND_BUFFER = 256,  /* messages that NNG holds for an outlet */
	REPLY_TIME = 1000,  /* ms for an earlier reply to leave */
	RECONNECT_MIN = 5,  /* ms */
	REDIAL_TIME = 300,  /* ms */
	RECONNECT_MAX = 50, /* ms */
};

#define REQUEST_BIT 0x80000000u /* NNG's mark of the last id in a header */

static bool
fail_nng(struct error *e, int code, const char *what, const char *url)
{
	return fail_with(e, ERR_SYSTEM, "%s %s: %s", what, url,
			 nng_strerror(code));
}

char *
link_url(const char *directory, const char *name, const char *what)
{
	return copy_format("ipc://%s/%s.%s", directory, name, what);
}

static void
log_message(const char *way, const struct msg *m)
{
	struct buf line = BUF_INIT(64 << 10);

	if (!log_is_on(LOG_DEBUG))
		return;
	msg_print(&line, m);
	log_debug("%s %.*s", way, (int)line.len, line.ptr);
	buf_fini(&line);
}

static void
close_socket(nng_socket *sock)
{
	if (nng_socket_id(*sock) > 0)
		(void)nng_close(*sock);
	*sock = (nng_socket)NNG_SOCKET_INITIALIZER;
}

/* The path may be new: only we may connect to it. */
static int
listen_at(nng_socket sock, const char *url)
{
	nng_listener l;
	int r = nng_listener_create(&l, sock, url);

	if (r == 0)
		r = nng_listener_set_int(l, NNG_OPT_IPC_PERMISSIONS, 0600);
	if (r == 0)
		r = nng_listener_start(l, 0);
	return r;
}

/*
 * Sending.  With one aio for ever, and not with nng_sendmsg(), which makes
 * one for each message; it is done when this returns, or refused.
 */
static int
send_now(nng_socket sock, nng_aio *aio, nng_msg *raw)
{
	nng_aio_set_msg(aio, raw);
	nng_send_aio(sock, aio);
	nng_aio_wait(aio);
	return nng_aio_result(aio);
}

static int
make_sending(nng_aio **aio, nng_duration patience)
{
	int r = nng_aio_alloc(aio, NULL, NULL);

	if (r == 0)
		nng_aio_set_timeout(*aio, patience);
	return r;
}

static void
free_aio(nng_aio **aio)
{
	if (*aio)
		nng_aio_free(*aio); /* waits for its callback */
	*aio = NULL;
}

/* Mailbox */

/* In a thread of NNG's. */
static void
on_received(void *arg)
{
	struct mailbox *b = arg;
	uint64_t one = 1;
	bool ring;

	if (nng_aio_result(b->receiving) != 0)
		return; /* the socket is being closed */
	pthread_mutex_lock(&b->lock);
	b->mail[(b->first + b->len++) % MAX_MAIL] =
		nng_aio_get_msg(b->receiving);
	b->full = b->single || b->len == MAX_MAIL;
	ring = !b->rung;
	b->rung = true;
	if (!b->full)
		nng_recv_aio(b->sock, b->receiving);
	pthread_mutex_unlock(&b->lock);
	if (ring)
		(void)!write(b->watch.fd, &one, sizeof one);
}

static nng_msg *
mailbox_take(struct mailbox *b)
{
	nng_msg *raw = NULL;

	pthread_mutex_lock(&b->lock);
	if (b->len) {
		raw = b->mail[b->first];
		b->first = (b->first + 1) % MAX_MAIL;
		b->len--;
	}
	if (b->full && !b->single && b->len < MAX_MAIL / 2) {
		b->full = false;
		nng_recv_aio(b->sock, b->receiving);
	}
	pthread_mutex_unlock(&b->lock);
	return raw;
}

/* To be called before what there is is taken. */
static void
mailbox_hush(struct mailbox *b)
{
	uint64_t n;

	(void)!read(b->watch.fd, &n, sizeof n);
	pthread_mutex_lock(&b->lock);
	b->rung = false;
	pthread_mutex_unlock(&b->lock);
}

/* What was left in it is looked at when others have had their turn. */
static void
mailbox_ring(struct mailbox *b)
{
	uint64_t one = 1;

	(void)!write(b->watch.fd, &one, sizeof one);
}

static void
mailbox_ask(struct mailbox *b)
{
	nng_recv_aio(b->sock, b->receiving);
}

static bool
mailbox_init(struct mailbox *b, struct loop *loop, nng_socket sock,
	     watch_fn *ready, const char *url, struct error *e)
{
	int r = nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, MAX_WIRE), fd;

	*b = (struct mailbox){ .loop = loop,
			       .watch = WATCH_INIT,
			       .sock = sock };
	pthread_mutex_init(&b->lock, NULL);
	if (r == 0)
		r = nng_aio_alloc(&b->receiving, on_received, b);
	if (r != 0)
		return fail_nng(e, r, "open", url);
	nng_aio_set_timeout(b->receiving, NNG_DURATION_INFINITE);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return fail_errno(e, "eventfd");
	if (loop_watch(loop, &b->watch, fd, EPOLLIN, ready, e))
		return true;
	close(fd);
	return false;
}

/* After the socket is closed. */
static void
mailbox_fini(struct mailbox *b)
{
	int fd = b->watch.fd;

	free_aio(&b->receiving);
	free_aio(&b->sending);
	for (; b->len; b->len--, b->first++)
		nng_msg_free(b->mail[b->first % MAX_MAIL]);
	if (fd < 0)
		return;
	loop_unwatch(b->loop, &b->watch);
	close(fd);
	pthread_mutex_destroy(&b->lock);
}

/* Server */

static void
on_request(struct watch *w)
{
	struct server *s = container_of(w, struct server, box.watch);
	struct error e = { 0 };
	struct msg m;
	nng_msg *raw;

	mailbox_hush(&s->box);
	raw = mailbox_take(&s->box);
	if (!raw)
		return;
	s->owes_reply = true;
	if (!msg_unpack(&m, raw, s->peers, s->self, &e)) {
		log_warn("refused: %s", e.text);
		server_refuse(s, &e);
		return;
	}
	log_message("<-", &m);
	s->request(s, &m);
	assert(!s->owes_reply);
	msg_fini(&m);
}

bool
server_listen(struct server *s, struct loop *loop, const char *url,
	      enum role self, enum role peers,
	      void (*request)(struct server *, const struct msg *),
	      struct error *e)
{
	int r;

	*s = SERVER_INIT;
	s->loop = loop;
	s->self = self;
	s->peers = peers;
	s->request = request;
	r = nng_rep0_open(&s->sock);
	if (r != 0)
		return fail_nng(e, r, "open", url);
	if (!mailbox_init(&s->box, loop, s->sock, on_request, url, e))
		return false;
	s->box.single = true;
	r = make_sending(&s->box.sending, REPLY_TIME);
	if (r == 0)
		r = listen_at(s->sock, url);
	if (r != 0)
		return fail_nng(e, r, "listen on", url);
	mailbox_ask(&s->box);
	return true;
}

void
server_fini(struct server *s)
{
	if (!s->loop)
		return;
	close_socket(&s->sock);
	mailbox_fini(&s->box);
	*s = SERVER_INIT;
}

/*
 * Not without any patience: NNG may still be cleaning up after the reply
 * before, which is a matter of microseconds.  Only then it hears again.
 */
void
server_reply(struct server *s, enum msg_type type, const void *body)
{
	nng_msg *raw = msg_pack(type, body);
	int r;

	assert(s->owes_reply && msg_may_send(type, s->self));
	s->owes_reply = false;
	r = send_now(s->sock, s->box.sending, raw);
	if (r != 0) {
		nng_msg_free(raw);
		log_warn("no reply %s: %s", msg_name(type), nng_strerror(r));
	}
	mailbox_ask(&s->box);
}

void
server_refuse(struct server *s, const struct error *e)
{
	const struct msg_refused m = {
		.code = e->code,
		.why = str_of(e->text),
		.retry_ms = e->retry_ms,
	};

	server_reply(s, MSG_REFUSED, &m);
}

/* Presence */

/* In a thread of NNG's. */
static void
on_pipe(nng_pipe pipe, nng_pipe_ev what, void *arg)
{
	struct presence *p = arg;
	uint64_t one = 1;

	atomic_fetch_add(what == NNG_PIPE_EV_ADD_POST ? &p->came : &p->went, 1);
	(void)!write(p->watch.fd, &one, sizeof one);
}

/*
 * NNG's dialer goes on dialling by itself, but in 1.5.2 it forgets to when a
 * connection breaks in the very moment in which it is made.  So one that has
 * not come to anything for a while is replaced by a new one.
 */
static void on_redial(struct timer *);

static void
redial(struct presence *p)
{
	int r;

	loop_set(p->loop, &p->redial, REDIAL_TIME, on_redial);
	(void)nng_dialer_close(p->dialer);
	r = nng_dial(p->sock, p->url, &p->dialer, NNG_FLAG_NONBLOCK);
	if (r != 0)
		log_warn("dial %s: %s", p->url, nng_strerror(r));
}

static void
on_redial(struct timer *t)
{
	redial(container_of(t, struct presence, redial));
}

static void
presence_renew(struct presence *p)
{
	p->void_up_to = atomic_load(&p->came);
	p->connected = false;
	redial(p);
}

static void
set_connected(struct presence *p, bool connected)
{
	if (p->connected == connected)
		return;
	p->connected = connected;
	if (connected)
		loop_unset(p->loop, &p->redial);
	else if (p->url)
		loop_set(p->loop, &p->redial, REDIAL_TIME, on_redial);
	p->changed(p);
}

static int
dial_to(struct presence *p, nng_socket sock, const char *url)
{
	int r = nng_socket_set_ms(sock, NNG_OPT_RECONNMINT, RECONNECT_MIN);

	if (r == 0)
		r = nng_socket_set_ms(sock, NNG_OPT_RECONNMAXT, RECONNECT_MAX);
	if (r != 0)
		return r;
	p->sock = sock;
	p->url = copy(str_of(url));
	loop_set(p->loop, &p->redial, REDIAL_TIME, on_redial);
	return nng_dial(sock, url, &p->dialer, NNG_FLAG_NONBLOCK);
}

/* One that came and went between two looks is shown as both. */
static void
presence_look(struct presence *p)
{
	unsigned went = atomic_load(&p->went), came = atomic_load(&p->came);

	if (went != p->went_seen) {
		p->went_seen = went;
		set_connected(p, false);
	}
	set_connected(p, (int)(came - went) > 0 &&
				 (int)(came - p->void_up_to) > 0);
}

static void
on_presence(struct watch *w)
{
	struct presence *p = container_of(w, struct presence, watch);
	uint64_t n;

	(void)!read(w->fd, &n, sizeof n);
	presence_look(p);
}

static bool
presence_init(struct presence *p, struct loop *loop,
	      void (*changed)(struct presence *), struct error *e)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	p->loop = loop;
	p->changed = changed;
	if (fd < 0)
		return fail_errno(e, "eventfd");
	if (loop_watch(loop, &p->watch, fd, EPOLLIN, on_presence, e))
		return true;
	close(fd);
	return false;
}

/* After the socket is closed: then its callbacks are over. */
static void
presence_fini(struct presence *p)
{
	int fd = p->watch.fd;

	if (fd < 0)
		return;
	loop_unset(p->loop, &p->redial);
	loop_unwatch(p->loop, &p->watch);
	close(fd);
	free(p->url);
	p->url = NULL;
}

static int
notify(nng_socket sock, struct presence *p)
{
	int r = nng_pipe_notify(sock, NNG_PIPE_EV_ADD_POST, on_pipe, p);

	return r ? r : nng_pipe_notify(sock, NNG_PIPE_EV_REM_POST, on_pipe, p);
}

/* Client */

static void
answer(struct ask *a, const struct msg *reply, const struct error *e)
{
	ask_drop(a);
	a->answered(a, reply, e);
}

void
ask_drop(struct ask *a)
{
	if (!a->node.next)
		return;
	list_remove(&a->client->asks, &a->node);
	loop_unset(a->client->loop, &a->deadline);
}

static struct ask *
find_ask(struct client *c, uint32_t id)
{
	list_each (&c->asks, n) {
		struct ask *a = container_of(n, struct ask, node);

		if (a->id == id)
			return a;
	}
	return NULL;
}

/* REFUSED is not a reply for the asker to understand, but an error. */
static void
take_reply(struct client *c, struct ask *a, nng_msg *raw)
{
	struct error e = { 0 };
	struct msg m;

	if (!msg_unpack(&m, raw, c->peer, c->self, &e)) {
		log_warn("reply: %s", e.text);
		answer(a, NULL, &e);
		return;
	}
	log_message("<-", &m);
	if (m.type == MSG_REFUSED) {
		fail_with(&e, (enum error_code)m.body.refused.code, STR_FMT,
			  STR_ARG(m.body.refused.why));
		e.retry_ms = (uint32_t)m.body.refused.retry_ms;
		answer(a, NULL, &e);
	} else {
		answer(a, &m, NULL);
	}
	msg_fini(&m);
}

/* True if there was one. */
static bool
hear_reply(struct client *c)
{
	struct ask *a;
	nng_msg *raw = mailbox_take(&c->box);
	uint32_t id;

	if (!raw)
		return false;
	if (nng_msg_header_trim_u32(raw, &id) != 0 || !(a = find_ask(c, id)))
		nng_msg_free(raw); /* nobody cares any more */
	else
		take_reply(c, a, raw);
	return true;
}

static void
on_reply(struct watch *w)
{
	struct client *c = container_of(w, struct client, box.watch);

	mailbox_hush(&c->box);
	for (int i = 0; i < AT_ONCE; i++)
		if (!c->loop || !hear_reply(c))
			return;
	mailbox_ring(&c->box);
}

static void
fail_all(struct client *c)
{
	struct error e = { 0 };
	struct node *n;

	fail_with(&e, ERR_WORKER_LOST, "the process went away");
	while ((n = list_first(&c->asks)))
		answer(container_of(n, struct ask, node), NULL, &e);
}

/* What it said before it went still counts. */
static void
on_server(struct presence *p)
{
	struct client *c = container_of(p, struct client, server);

	while (c->loop && hear_reply(c))
		;
	if (!p->connected)
		fail_all(c);
	if (c->changed)
		c->changed(c);
}

static int
open_client(struct client *c, const char *url)
{
	int r = nng_req0_open_raw(&c->sock);

	if (r == 0)
		r = nng_socket_set_int(c->sock, NNG_OPT_SENDBUF, MAX_TURNS);
	if (r == 0)
		r = notify(c->sock, &c->server);
	return r;
}

bool
client_dial(struct client *c, struct loop *loop, const char *url,
	    enum role self, enum role peer, void (*changed)(struct client *),
	    struct error *e)
{
	int r;

	*c = CLIENT_INIT;
	list_init(&c->asks);
	c->loop = loop;
	c->self = self;
	c->peer = peer;
	c->changed = changed;
	if (!presence_init(&c->server, loop, on_server, e))
		return false;
	r = open_client(c, url);
	if (r != 0)
		return fail_nng(e, r, "open", url);
	if (!mailbox_init(&c->box, loop, c->sock, on_reply, url, e))
		return false;
	r = make_sending(&c->box.sending, NNG_DURATION_ZERO);
	if (r == 0)
		r = dial_to(&c->server, c->sock, url);
	if (r != 0)
		return fail_nng(e, r, "dial", url);
	mailbox_ask(&c->box);
	return true;
}

void
client_fini(struct client *c)
{
	struct node *n;

	if (!c->loop)
		return;
	while ((n = list_first(&c->asks)))
		ask_drop(container_of(n, struct ask, node));
	close_socket(&c->sock);
	mailbox_fini(&c->box);
	presence_fini(&c->server);
	*c = CLIENT_INIT;
}

static void
on_deadline(struct timer *t)
{
	struct ask *a = container_of(t, struct ask, deadline);
	struct error e = { 0 };

	if (client_is_connected(a->client))
		fail_with(&e, ERR_TIMEOUT, "no reply in time");
	else
		fail_with(&e, ERR_UNAVAILABLE, "the process is not running");
	answer(a, NULL, &e);
}

static void
enlist(struct client *c, struct ask *a, uint64_t ms, answer_fn *answered)
{
	assert(!a->node.next);
	a->client = c;
	a->id = c->last_id;
	a->answered = answered;
	list_append(&c->asks, &a->node);
	loop_set(c->loop, &a->deadline, ms, on_deadline);
}

void
client_ask(struct client *c, enum msg_type type, const void *body,
	   struct ask *a, uint64_t ms, answer_fn *answered)
{
	nng_msg *raw;

	assert(msg_may_send(type, c->self));
	c->last_id = (c->last_id + 1) | REQUEST_BIT;
	if (a)
		enlist(c, a, client_is_connected(c) ? ms : 0, answered);
	if (!client_is_connected(c))
		return;
	raw = msg_pack(type, body);
	if (nng_msg_header_append_u32(raw, c->last_id) != 0)
		abort();
	if (send_now(c->sock, c->box.sending, raw) == 0)
		return;
	nng_msg_free(raw);
	log_warn("%s: not sent, its reader is too slow", msg_name(type));
	if (a)
		loop_set(c->loop, &a->deadline, 0, on_deadline);
}

/* Outlet */

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

static void
on_room(struct watch *watch)
{
	struct outlet *o = container_of(watch, struct outlet, watch);
	struct node *n;

	while ((n = list_first(&o->waiting))) {
		struct waiting *w = container_of(n, struct waiting, node);

		if (send_now(o->sock, o->sending, w->raw) != 0)
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

static bool
outlet_open(struct outlet *o, struct loop *loop, const char *url,
	    enum role self, void (*changed)(struct outlet *), struct error *e)
{
	int r;

	*o = OUTLET_INIT;
	list_init(&o->waiting);
	o->loop = loop;
	o->self = self;
	o->changed = changed;
	if (!presence_init(&o->reader, loop, on_reader, e))
		return false;
	r = nng_push0_open(&o->sock);
	if (r == 0)
		r = notify(o->sock, &o->reader);
	if (r == 0)
		r = nng_socket_set_int(o->sock, NNG_OPT_SENDBUF, SEND_BUFFER);
	if (r == 0)
		r = nng_socket_get_int(o->sock, NNG_OPT_SENDFD, &o->room_fd);
	if (r == 0)
		r = make_sending(&o->sending, NNG_DURATION_ZERO);
	return r == 0 || fail_nng(e, r, "open", url);
}

bool
outlet_listen(struct outlet *o, struct loop *loop, const char *url,
	      enum role self, void (*changed)(struct outlet *), struct error *e)
{
	int r;

	if (!outlet_open(o, loop, url, self, changed, e))
		return false;
	r = listen_at(o->sock, url);
	return r == 0 || fail_nng(e, r, "listen on", url);
}

bool
outlet_dial(struct outlet *o, struct loop *loop, const char *url,
	    enum role self, void (*changed)(struct outlet *), struct error *e)
{
	int r;

	if (!outlet_open(o, loop, url, self, changed, e))
		return false;
	r = dial_to(&o->reader, o->sock, url);
	return r == 0 || fail_nng(e, r, "dial", url);
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
	loop_unwatch(o->loop, &o->watch);
}

void
outlet_renew(struct outlet *o)
{
	outlet_clear(o);
	presence_renew(&o->reader);
}

void
outlet_fini(struct outlet *o)
{
	if (!o->loop)
		return;
	outlet_clear(o);
	close_socket(&o->sock);
	free_aio(&o->sending);
	presence_fini(&o->reader);
	*o = OUTLET_INIT;
}

static void
wait_for_room(struct outlet *o, nng_msg *raw)
{
	struct waiting *w = xcalloc(1, sizeof *w);
	struct error e;

	w->raw = raw;
	list_append(&o->waiting, &w->node);
	if (o->watch.fd < 0 &&
	    !loop_watch(o->loop, &o->watch, o->room_fd, EPOLLIN, on_room, &e))
		log_error("%s", e.text);
}

static void
send_batch(struct outlet *o)
{
	nng_msg *raw = o->batch;

	o->batch = NULL;
	loop_drop(o->loop, &o->flush);
	if (raw && (list_first(&o->waiting) ||
		    send_now(o->sock, o->sending, raw) != 0))
		wait_for_room(o, raw);
}

static void
on_flush(struct chore *c)
{
	send_batch(container_of(c, struct outlet, flush));
}

/* What came before is on its way before anything large is. */
static void
make_room(struct outlet *o, size_t more)
{
	if (o->batch && nng_msg_len(o->batch) + more > MAX_BATCH)
		send_batch(o);
	loop_put_off(o->loop, &o->flush, on_flush);
}

void
outlet_pass(struct outlet *o, nng_msg *raw)
{
	make_room(o, nng_msg_len(raw));
	if (!o->batch) {
		o->batch = raw;
		return;
	}
	if (nng_msg_append(o->batch, nng_msg_body(raw), nng_msg_len(raw)) != 0)
		abort();
	nng_msg_free(raw);
}

void
outlet_send(struct outlet *o, enum msg_type type, const void *body)
{
	assert(msg_may_send(type, o->self));
	outlet_pass(o, msg_pack(type, body));
}

/* Inlet */

/* All the events in one message of NNG's; handlers may end the inlet. */
static void
hear_batch(struct inlet *i, nng_msg *raw)
{
	struct str left = { nng_msg_body(raw), nng_msg_len(raw) };
	struct error e = { 0 };
	struct msg m;

	while (i->loop && left.len) {
		if (!msg_next(&m, &left, i->peer, i->self, &e)) {
			i->broken(i, &e);
			break;
		}
		log_message("<-", &m);
		i->heard(i, &m);
	}
	nng_msg_free(raw);
}

/* True if there was one. */
static bool
hear_event(struct inlet *i)
{
	nng_msg *raw = mailbox_take(&i->box);

	if (raw)
		hear_batch(i, raw);
	return raw != NULL;
}

static void
on_event(struct watch *w)
{
	struct inlet *i = container_of(w, struct inlet, box.watch);

	mailbox_hush(&i->box);
	for (int n = 0; n < AT_ONCE; n++)
		if (!i->loop || !hear_event(i))
			return;
	mailbox_ring(&i->box);
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
		presence_renew(&i->writer);
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
	i->broken = h->broken;
	i->changed = h->changed;
	if (!presence_init(&i->writer, loop, on_writer, e))
		return false;
	r = nng_pull0_open(&i->sock);
	if (r == 0)
		r = notify(i->sock, &i->writer);
	if (r != 0)
		return fail_nng(e, r, "open", url);
	return mailbox_init(&i->box, loop, i->sock, on_event, url, e);
}

bool
inlet_listen(struct inlet *i, struct loop *loop, const char *url,
	     const struct hearing *h, struct error *e)
{
	int r;

	if (!inlet_open(i, loop, url, h, e))
		return false;
	r = listen_at(i->sock, url);
	if (r != 0)
		return fail_nng(e, r, "listen on", url);
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
	r = dial_to(&i->writer, i->sock, url);
	if (r != 0)
		return fail_nng(e, r, "dial", url);
	mailbox_ask(&i->box);
	return true;
}

void
inlet_fini(struct inlet *i)
{
	if (!i->loop)
		return;
	close_socket(&i->sock);
	mailbox_fini(&i->box);
	presence_fini(&i->writer);
	*i = INLET_INIT;
}
