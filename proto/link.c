#include "proto/link.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "proto/log.h"

enum { REPLIES = 64 /* replies that NNG may hold for sending */ };

#define REQUEST_BIT 0x80000000u /* NNG's mark of the last id in a header */

/*
 * URLs of sockets.  The path of a socket is limited to 107 bytes: a directory
 * with a longer path is reached through a descriptor, which stays open as long
 * as the process lives.
 */

static bool
is_too_long(const char *path)
{
	struct sockaddr_un address;

	return strlen(path) >= sizeof address.sun_path;
}

/*
 * A process knows one directory only.  A directory that can't be opened keeps
 * its name, and the caller fails when it uses it.
 */
static char *
shorter(const char *directory)
{
	static char *known;
	static int fd = -1;

	if (!known || strcmp(known, directory) != 0) {
		if (fd >= 0)
			close(fd);
		free(known);
		known = copy(str_of(directory));
		fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? copy(str_of(directory))
		      : copy_format("/proc/self/fd/%d", fd);
}

char *
link_url(const char *directory, const char *name, const char *what)
{
	auto_free char *path = copy_format("%s/%s.%s", directory, name, what);
	auto_free char *alias = is_too_long(path) ? shorter(directory) : NULL;

	if (alias)
		return copy_format("ipc://%s/%s.%s", alias, name, what);
	return copy_format("ipc://%s", path);
}

/* Server */

/* The header of a request names the connection and the request. */
static bool
keep_way_back(struct server *s, nng_msg *raw)
{
	size_t len = nng_msg_header_len(raw);

	if (len > sizeof s->way_back)
		return false;
	memcpy(s->way_back, nng_msg_header(raw), len);
	s->way_back_bytes = len;
	return true;
}

static void
on_request(struct watch *w)
{
	struct server *s = container_of(w, struct server, box.watch);
	struct error e = { 0 };
	struct msg m;
	nng_msg *raw;

	mailbox_clear(&s->box);
	raw = mailbox_take(&s->box);
	if (!raw)
		return;
	if (!keep_way_back(s, raw)) {
		nng_msg_free(raw);
		mailbox_ask(&s->box);
		return;
	}
	s->owes_reply = true;
	if (!msg_unpack(&m, raw, s->peers, s->self, &e)) {
		log_warn("refused: %s", e.text);
		server_refuse(s, &e);
		return;
	}
	socket_log("<-", &m);
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
	if (!socket_prepare(e))
		return false;
	r = nng_rep0_open_raw(&s->sock);
	if (r == 0 && !(peers & COMMAND))
		r = presence_guard(s->sock, NULL);
	if (r == 0)
		r = nng_socket_set_int(s->sock, NNG_OPT_SENDBUF, REPLIES);
	if (r != 0)
		return socket_fail(e, r, "open", url);
	if (!mailbox_init(&s->box, loop, s->sock, on_request, url, e))
		return false;
	s->box.single = true;
	r = sending_init(&s->box.sending, NNG_DURATION_ZERO);
	if (r == 0)
		r = socket_listen(s->sock, url);
	if (r != 0)
		return socket_fail(e, r, "listen on", url);
	mailbox_ask(&s->box);
	return true;
}

void
server_fini(struct server *s)
{
	if (!s->loop)
		return;
	mailbox_fini(&s->box);
	socket_close(&s->sock);
	*s = SERVER_INIT;
}

/*
 * A client that does not read its replies loses them.  The server takes the
 * next request only now.
 */
void
server_reply(struct server *s, enum msg_type type, const void *body)
{
	nng_msg *raw = msg_pack(type, body);
	int r;

	assert(s->owes_reply && msg_may_send(type, s->self));
	s->owes_reply = false;
	if (nng_msg_header_append(raw, s->way_back, s->way_back_bytes) != 0)
		abort();
	r = socket_send(s->sock, s->box.sending, raw);
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

/* For the caller REFUSED is an error, not a reply. */
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
	socket_log("<-", &m);
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

/* False: there was no reply. */
static bool
hear_reply(struct client *c)
{
	struct ask *a;
	nng_msg *raw = mailbox_take(&c->box);
	uint32_t id;

	if (!raw)
		return false;
	if (nng_msg_header_trim_u32(raw, &id) != 0 || !(a = find_ask(c, id)))
		nng_msg_free(raw); /* the request was dropped */
	else
		take_reply(c, a, raw);
	return true;
}

static void
on_reply(struct watch *w)
{
	struct client *c = container_of(w, struct client, box.watch);
	uint64_t until = loop_now() + AT_ONCE_MS;

	mailbox_clear(&c->box);
	for (int i = 0; i < AT_ONCE && loop_now() < until; i++)
		if (!c->loop || !hear_reply(c))
			return;
	if (!c->loop)
		return;
	mailbox_signal(&c->box);
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

/* Replies that the server sent before it went away still count. */
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
		r = presence_watch(c->sock, &c->server);
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
	if (!presence_init(&c->server, loop, on_server, e) ||
	    !socket_prepare(e))
		return false;
	r = open_client(c, url);
	if (r != 0)
		return socket_fail(e, r, "open", url);
	if (!mailbox_init(&c->box, loop, c->sock, on_reply, url, e))
		return false;
	r = sending_init(&c->box.sending, NNG_DURATION_ZERO);
	if (r == 0)
		r = presence_dial(&c->server, c->sock, url);
	if (r != 0)
		return socket_fail(e, r, "dial", url);
	mailbox_ask(&c->box);
	return true;
}

void
client_renew(struct client *c)
{
	if (!c->loop)
		return;
	presence_renew(&c->server);
	on_server(&c->server);
}

void
client_fini(struct client *c)
{
	struct node *n;

	if (!c->loop)
		return;
	while ((n = list_first(&c->asks)))
		ask_drop(container_of(n, struct ask, node));
	mailbox_fini(&c->box);
	socket_close(&c->sock);
	presence_fini(&c->server);
	*c = CLIENT_INIT;
}

/*
 * This process may have been busy itself, so replies that have arrived by now
 * count.  `answered` may free anything, the request and its client included.
 */
static void
on_deadline(struct timer *t)
{
	struct ask *a = container_of(t, struct ask, deadline);
	struct client *c = a->client;
	uint32_t id = a->id;
	struct error e = { 0 };

	while (c->loop && hear_reply(c))
		;
	a = c->loop ? find_ask(c, id) : NULL;
	if (!a)
		return;
	if (client_is_connected(c))
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
	if (socket_send(c->sock, c->box.sending, raw) == 0)
		return;
	nng_msg_free(raw);
	log_warn("%s: not sent, its reader is too slow", msg_name(type));
	if (a)
		loop_set(c->loop, &a->deadline, 0, on_deadline);
}
