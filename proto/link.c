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
	AT_ONCE = 64,	     /* messages heard before others have a turn */
	SEND_BUFFER = 256,   /* messages that NNG holds for an outlet */
	REPLY_TIME = 1000,   /* ms for an earlier reply to leave */
	RECONNECT_MIN = 5,   /* ms */
	RECONNECT_MAX = 200, /* ms */
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

static int
dial_to(nng_socket sock, const char *url)
{
	int r = nng_socket_set_ms(sock, NNG_OPT_RECONNMINT, RECONNECT_MIN);

	if (r == 0)
		r = nng_socket_set_ms(sock, NNG_OPT_RECONNMAXT, RECONNECT_MAX);
	if (r == 0)
		r = nng_dial(sock, url, NULL, NNG_FLAG_NONBLOCK);
	return r;
}

/* What every socket needs that hears: a limit, and a descriptor. */
static bool
watch_socket(struct loop *loop, struct watch *w, nng_socket sock,
	     watch_fn *ready, const char *url, struct error *e)
{
	int fd, r;

	r = nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, MAX_WIRE);
	if (r == 0)
		r = nng_socket_get_int(sock, NNG_OPT_RECVFD, &fd);
	if (r != 0)
		return fail_nng(e, r, "open", url);
	return loop_watch(loop, w, fd, EPOLLIN, ready, e);
}

/* Server */

static void
on_request(struct watch *w)
{
	struct server *s = container_of(w, struct server, watch);
	struct error e = { 0 };
	struct msg m;
	nng_msg *raw;

	if (nng_recvmsg(s->sock, &raw, NNG_FLAG_NONBLOCK) != 0)
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
	if (r == 0)
		r = nng_socket_set_ms(s->sock, NNG_OPT_SENDTIMEO, REPLY_TIME);
	if (r != 0)
		return fail_nng(e, r, "open", url);
	if (!watch_socket(loop, &s->watch, s->sock, on_request, url, e))
		return false;
	r = listen_at(s->sock, url);
	return r == 0 || fail_nng(e, r, "listen on", url);
}

void
server_fini(struct server *s)
{
	if (s->loop)
		loop_unwatch(s->loop, &s->watch);
	close_socket(&s->sock);
}

/*
 * Not NNG_FLAG_NONBLOCK: that fails while NNG is still cleaning up after the
 * reply before, which is a matter of microseconds.
 */
void
server_reply(struct server *s, enum msg_type type, const void *body)
{
	nng_msg *raw = msg_pack(type, body);
	int r;

	assert(s->owes_reply && msg_may_send(type, s->self));
	s->owes_reply = false;
	r = nng_sendmsg(s->sock, raw, 0);
	if (r == 0)
		return;
	nng_msg_free(raw);
	log_warn("no reply %s: %s", msg_name(type), nng_strerror(r));
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

static void
set_connected(struct presence *p, bool connected)
{
	if (p->connected == connected)
		return;
	p->connected = connected;
	p->changed(p);
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
	set_connected(p, (int)(came - went) > 0);
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
	loop_unwatch(p->loop, &p->watch);
	close(fd);
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
	nng_msg *raw;
	uint32_t id;

	if (nng_recvmsg(c->sock, &raw, NNG_FLAG_NONBLOCK) != 0)
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
	struct client *c = container_of(w, struct client, watch);
	nng_socket sock = c->sock;

	for (int i = 0; i < AT_ONCE; i++)
		if (!hear_reply(c) ||
		    nng_socket_id(sock) != nng_socket_id(c->sock))
			return;
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

	while (hear_reply(c))
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
	if (!watch_socket(loop, &c->watch, c->sock, on_reply, url, e))
		return false;
	r = dial_to(c->sock, url);
	return r == 0 || fail_nng(e, r, "dial", url);
}

void
client_fini(struct client *c)
{
	struct node *n;

	if (!c->loop)
		return;
	while ((n = list_first(&c->asks)))
		ask_drop(container_of(n, struct ask, node));
	loop_unwatch(c->loop, &c->watch);
	close_socket(&c->sock);
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
	if (nng_sendmsg(c->sock, raw, NNG_FLAG_NONBLOCK) == 0)
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

		if (nng_sendmsg(o->sock, w->raw, NNG_FLAG_NONBLOCK) != 0)
			return;
		drop_first(o);
	}
	loop_unwatch(o->loop, &o->watch);
}

static void
on_reader(struct presence *p)
{
	struct outlet *o = container_of(p, struct outlet, reader);

	o->changed(o);
}

void
outlet_look(struct outlet *o)
{
	presence_look(&o->reader);
}

bool
outlet_listen(struct outlet *o, struct loop *loop, const char *url,
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
		r = listen_at(o->sock, url);
	return r == 0 || fail_nng(e, r, "listen on", url);
}

void
outlet_clear(struct outlet *o)
{
	struct node *n;

	while ((n = list_first(&o->waiting))) {
		nng_msg_free(container_of(n, struct waiting, node)->raw);
		drop_first(o);
	}
	loop_unwatch(o->loop, &o->watch);
}

void
outlet_fini(struct outlet *o)
{
	if (!o->loop)
		return;
	outlet_clear(o);
	close_socket(&o->sock);
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

void
outlet_send(struct outlet *o, enum msg_type type, const void *body)
{
	assert(msg_may_send(type, o->self));
	outlet_pass(o, msg_pack(type, body));
}

void
outlet_pass(struct outlet *o, nng_msg *raw)
{
	if (list_first(&o->waiting) ||
	    nng_sendmsg(o->sock, raw, NNG_FLAG_NONBLOCK) != 0)
		wait_for_room(o, raw);
}

/* Inlet */

/* True if there was one. */
static bool
hear_event(struct inlet *i)
{
	struct error e = { 0 };
	struct msg m;
	nng_msg *raw;

	if (nng_recvmsg(i->sock, &raw, NNG_FLAG_NONBLOCK) != 0)
		return false;
	if (!msg_unpack(&m, raw, i->peer, i->self, &e)) {
		i->broken(i, &e);
		return true;
	}
	log_message("<-", &m);
	i->heard(i, &m);
	msg_fini(&m);
	return true;
}

static void
on_event(struct watch *w)
{
	struct inlet *i = container_of(w, struct inlet, watch);

	for (int n = 0; n < AT_ONCE && hear_event(i); n++)
		;
}

void
inlet_drain(struct inlet *i)
{
	while (hear_event(i))
		;
}

bool
inlet_dial(struct inlet *i, struct loop *loop, const char *url, enum role self,
	   enum role peer, void (*heard)(struct inlet *, const struct msg *),
	   void (*broken)(struct inlet *, const struct error *),
	   struct error *e)
{
	int r;

	*i = INLET_INIT;
	i->loop = loop;
	i->self = self;
	i->peer = peer;
	i->heard = heard;
	i->broken = broken;
	r = nng_pull0_open(&i->sock);
	if (r != 0)
		return fail_nng(e, r, "open", url);
	if (!watch_socket(loop, &i->watch, i->sock, on_event, url, e))
		return false;
	r = dial_to(i->sock, url);
	return r == 0 || fail_nng(e, r, "dial", url);
}

void
inlet_fini(struct inlet *i)
{
	if (i->loop)
		loop_unwatch(i->loop, &i->watch);
	close_socket(&i->sock);
}
