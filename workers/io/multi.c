#include "workers/io/multi.h"

#include <assert.h>

#include <curl/curl.h>

#include "proto/buf.h"

/* One of curl's sockets; freed when curl is done with it. */
struct socket {
	struct watch watch;
	struct multi *multi;
};

static void
run_curl(struct multi *m, curl_socket_t fd, int events)
{
	int running;
	CURLMcode r = curl_multi_socket_action(m->handle, fd, events, &running);

	assert(r == CURLM_OK);
	m->turned(m);
}

static void
on_ready(struct watch *w)
{
	struct socket *s = container_of(w, struct socket, watch);
	int events = 0;

	if (w->events & EPOLLIN)
		events |= CURL_CSELECT_IN;
	if (w->events & EPOLLOUT)
		events |= CURL_CSELECT_OUT;
	if (w->events & (EPOLLERR | EPOLLHUP))
		events |= CURL_CSELECT_ERR;
	run_curl(s->multi, w->fd, events);
}

static void
on_timer(struct timer *t)
{
	run_curl(container_of(t, struct multi, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int
on_curl_timer(CURLM *handle, long ms, void *owner)
{
	struct multi *m = owner;

	if (ms < 0)
		loop_unset(m->loop, &m->timer);
	else
		loop_set(m->loop, &m->timer, (uint64_t)ms, on_timer);
	return 0;
}

static struct socket *
socket_new(struct multi *m, curl_socket_t fd, uint32_t events)
{
	struct socket *s = xcalloc(1, sizeof *s);
	struct error e;

	s->multi = m;
	s->watch = WATCH_INIT;
	if (!loop_watch(m->loop, &s->watch, fd, events, on_ready, &e)) {
		free(s);
		return NULL;
	}
	curl_multi_assign(m->handle, fd, s);
	return s;
}

static void
socket_free(struct socket *s)
{
	loop_unwatch(s->multi->loop, &s->watch);
	free(s);
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *assigned)
{
	struct multi *m = owner;
	struct socket *s = assigned;
	uint32_t events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (s)
			socket_free(s);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (s)
		loop_rewatch(m->loop, &s->watch, events);
	else if (!socket_new(m, fd, events))
		return -1;
	return 0;
}

bool
multi_init(struct multi *m, struct loop *loop, long connections,
	   void (*turned)(struct multi *), struct error *e)
{
	*m = (struct multi){ .loop = loop, .turned = turned };
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fail_with(e, ERR_SYSTEM, "libcurl does not start");
	m->handle = curl_multi_init();
	if (!m->handle) {
		curl_global_cleanup();
		return fail_with(e, ERR_SYSTEM, "libcurl does not start");
	}
	curl_multi_setopt(m->handle, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(m->handle, CURLMOPT_SOCKETDATA, m);
	curl_multi_setopt(m->handle, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(m->handle, CURLMOPT_TIMERDATA, m);
	curl_multi_setopt(m->handle, CURLMOPT_MAXCONNECTS, connections);
	return true;
}

void
multi_fini(struct multi *m)
{
	if (!m->handle)
		return;
	curl_multi_cleanup(m->handle);
	loop_unset(m->loop, &m->timer);
	curl_global_cleanup();
	m->handle = NULL;
}
