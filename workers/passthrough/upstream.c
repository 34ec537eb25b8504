#include "workers/passthrough/upstream.h"

#include <assert.h>

#include <curl/curl.h>

#include "proto/utf8.h"

enum {
	CONNECT_MS = 10000,
	KEPT_CONNECTIONS = 128, /* idle, over all hosts */
	KEPT_EXCHANGES = 128,	/* with their handles and buffers */
	AT_ONCE = 256 << 10,	/* bytes gathered before they are shown */
};

/* One of curl's sockets; freed when curl is done with it. */
struct socket {
	struct watch watch;
	struct upstream *upstream;
};

static void
must_set(CURLcode r)
{
	assert(r == CURLE_OK);
}

#define SET(easy, option, value) must_set(curl_easy_setopt(easy, option, value))

static void
has_news(struct exchange *x)
{
	if (!x->news_node.next)
		list_append(&x->upstream->news, &x->news_node);
}

/* What curl calls: none of it leads out of here, news are shown later. */

static size_t
on_header(char *bytes, size_t one, size_t len, void *owner)
{
	struct exchange *x = owner;

	if (!head_line(&x->head, (struct str){ bytes, len }, &x->refusal))
		return 0;
	if (x->head.whole)
		has_news(x);
	return len;
}

static size_t
on_bytes(char *bytes, size_t one, size_t len, void *owner)
{
	struct exchange *x = owner;
	struct error e;
	bool fits;

	has_news(x);
	if (x->bytes.len >= AT_ONCE) {
		x->full = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	fits = buf_add(&x->bytes, (struct str){ bytes, len }, &e);
	assert(fits);
	return len;
}

/*
 * Before each attempt to send the request.  A GET may be sent again, and so
 * may a POST of which not a byte has left.  Here and not by denying curl the
 * means to rewind: so it can take the body as a whole, and send a small one in
 * one packet with the headers.
 */
static int
on_attempt(void *owner, char *ip, char *local_ip, int port, int local_port)
{
	struct exchange *x = owner;
	bool is_second = x->was_tried;
	long sent = 0;

	x->was_tried = true;
	if (!is_second || !x->request.body.ptr)
		return CURL_PREREQFUNC_OK;
	curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent);
	if (sent == 0)
		return CURL_PREREQFUNC_OK;
	fail_with(&x->refusal, ERR_UPSTREAM,
		  "it closed the connection without an answer");
	return CURL_PREREQFUNC_ABORT;
}

/* An exchange and its handle serve many requests; this is for all of them. */
static void
set_constants(struct exchange *x)
{
	const char *ca_file = getenv("SSL_CERT_FILE");
	const char *ca_directory = getenv("SSL_CERT_DIR");

	SET(x->easy, CURLOPT_PRIVATE, x);
	SET(x->easy, CURLOPT_ERRORBUFFER, x->words);
	SET(x->easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(x->easy, CURLOPT_HEADERDATA, x);
	SET(x->easy, CURLOPT_WRITEFUNCTION, on_bytes);
	SET(x->easy, CURLOPT_WRITEDATA, x);
	SET(x->easy, CURLOPT_PREREQFUNCTION, on_attempt);
	SET(x->easy, CURLOPT_PREREQDATA, x);
	SET(x->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(x->easy, CURLOPT_USERAGENT, "cli-bridge/" VERSION);
	SET(x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(x->easy, CURLOPT_BUFFERSIZE, (long)MAX_DELTA);
	SET(x->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(x->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(x->easy, CURLOPT_NOSIGNAL, 1L);
	/* Else a cancelled exchange waits for its name to be resolved. */
	SET(x->easy, CURLOPT_QUICK_EXIT, 1L);
	if (ca_file)
		SET(x->easy, CURLOPT_CAINFO, ca_file);
	if (ca_directory)
		SET(x->easy, CURLOPT_CAPATH, ca_directory);
}

static struct exchange *
exchange_new(struct upstream *u)
{
	struct exchange *x = xcalloc(1, sizeof *x);

	x->upstream = u;
	x->head = HEAD_INIT;
	x->bytes = BUF_INIT(AT_ONCE + CURL_MAX_WRITE_SIZE);
	x->easy = curl_easy_init();
	assert(x->easy);
	set_constants(x);
	return x;
}

static void
exchange_free(struct exchange *x)
{
	curl_easy_cleanup(x->easy);
	curl_slist_free_all(x->headers);
	head_fini(&x->head);
	buf_fini(&x->bytes);
	free(x);
}

static void
stop(struct exchange *x)
{
	struct upstream *u = x->upstream;

	list_remove(&u->active, &x->node);
	list_remove(&u->news, &x->news_node);
	loop_unset(u->loop, &x->silence);
	curl_multi_remove_handle(u->multi, x->easy);
	curl_slist_free_all(x->headers);
	x->headers = NULL;
}

static void
recycle(struct exchange *x)
{
	struct upstream *u = x->upstream;

	if (u->idle.len >= KEPT_EXCHANGES) {
		exchange_free(x);
		return;
	}
	head_reset(&x->head);
	buf_drop(&x->bytes, x->bytes.len);
	x->has_ended = x->paused = x->full = x->was_tried = false;
	x->error = x->refusal = (struct error){ 0 };
	list_append(&u->idle, &x->node);
}

void
exchange_cancel(struct exchange *x)
{
	stop(x);
	recycle(x);
}

static void on_silence(struct timer *);

static void
listen_for_it(struct exchange *x)
{
	if (x->request.silence_ms)
		loop_set(x->upstream->loop, &x->silence, x->request.silence_ms,
			 on_silence);
}

void
exchange_pause(struct exchange *x)
{
	if (x->paused)
		return;
	x->paused = true;
	loop_unset(x->upstream->loop, &x->silence);
	curl_easy_pause(x->easy, CURLPAUSE_RECV);
}

void
exchange_resume(struct exchange *x)
{
	if (!x->paused && !x->full)
		return;
	x->paused = x->full = false;
	listen_for_it(x);
	/* Hands over what curl still has, and sets its timer. */
	curl_easy_pause(x->easy, CURLPAUSE_CONT);
}

/* How it ended */

static bool
explain(const struct exchange *x, struct error *e)
{
	const char *host = x->request.host;
	bool has_words = x->words[0] && utf8_valid(str_of(x->words));
	const char *words =
		has_words ? x->words : curl_easy_strerror(x->result);

	if (x->refusal.code)
		return fail_with(e, x->refusal.code, "%s: %s", host,
				 x->refusal.text);
	switch ((CURLcode)x->result) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return fail_with(e, ERR_UPSTREAM, "%s can't be reached: %s",
				 host, words);
	case CURLE_OPERATION_TIMEDOUT:
		return fail_with(e, ERR_UPSTREAM, "%s: no answer in time: %s",
				 host, words);
	default:
		break;
	}
	if (x->head.whole)
		return fail_with(e, ERR_TRUNCATED,
				 "%s broke off its answer: %s", host, words);
	return fail_with(e, ERR_UPSTREAM, "%s failed: %s", host, words);
}

static void
show_end(struct exchange *x)
{
	stop(x);
	x->has_ended = true;
	if (x->result != CURLE_OK && !x->error.code)
		explain(x, &x->error);
	x->heard(x);
	recycle(x);
}

static void
on_silence(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, silence);

	fail_with(&x->error, ERR_TIMEOUT, "no stream output for %ju ms",
		  (uintmax_t)x->request.silence_ms);
	x->result = CURLE_OPERATION_TIMEDOUT;
	show_end(x);
}

static void
find_ended(struct upstream *u)
{
	struct exchange *x;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(u->multi, &left))) {
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
		x->result = m->data.result;
		x->has_ended = true;
		has_news(x);
	}
}

/* After each of curl's turns: the one place from which exchanges are heard. */
static void
show_news(struct upstream *u)
{
	struct exchange *x;
	struct node *n;

	find_ended(u);
	while ((n = list_first(&u->news))) {
		x = container_of(n, struct exchange, news_node);
		list_remove(&u->news, n);
		if (x->has_ended) {
			show_end(x);
			continue;
		}
		listen_for_it(x);
		x->heard(x);
	}
}

/* curl in the loop */

static void
run_curl(struct upstream *u, curl_socket_t fd, int events)
{
	int running;
	CURLMcode r = curl_multi_socket_action(u->multi, fd, events, &running);

	assert(r == CURLM_OK);
	show_news(u);
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
	run_curl(s->upstream, w->fd, events);
}

static void
on_timer(struct timer *t)
{
	run_curl(container_of(t, struct upstream, timer), CURL_SOCKET_TIMEOUT,
		 0);
}

static int
on_curl_timer(CURLM *multi, long ms, void *owner)
{
	struct upstream *u = owner;

	if (ms < 0)
		loop_unset(u->loop, &u->timer);
	else
		loop_set(u->loop, &u->timer, (uint64_t)ms, on_timer);
	return 0;
}

static struct socket *
socket_new(struct upstream *u, curl_socket_t fd, uint32_t events)
{
	struct socket *s = xcalloc(1, sizeof *s);
	struct error e;

	s->upstream = u;
	s->watch = WATCH_INIT;
	if (!loop_watch(u->loop, &s->watch, fd, events, on_ready, &e)) {
		free(s);
		return NULL;
	}
	curl_multi_assign(u->multi, fd, s);
	return s;
}

static void
socket_free(struct socket *s)
{
	loop_unwatch(s->upstream->loop, &s->watch);
	free(s);
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *assigned)
{
	struct upstream *u = owner;
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
		loop_rewatch(u->loop, &s->watch, events);
	else if (!socket_new(u, fd, events))
		return -1;
	return 0;
}

bool
upstream_init(struct upstream *u, struct loop *loop, struct error *e)
{
	*u = (struct upstream){ .loop = loop };
	list_init(&u->active);
	list_init(&u->idle);
	list_init(&u->news);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return fail_with(e, ERR_SYSTEM, "libcurl does not start");
	u->multi = curl_multi_init();
	if (!u->multi)
		return fail_with(e, ERR_SYSTEM, "libcurl does not start");
	curl_multi_setopt(u->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(u->multi, CURLMOPT_SOCKETDATA, u);
	curl_multi_setopt(u->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(u->multi, CURLMOPT_TIMERDATA, u);
	curl_multi_setopt(u->multi, CURLMOPT_MAXCONNECTS,
			  (long)KEPT_CONNECTIONS);
	return true;
}

void
upstream_fini(struct upstream *u)
{
	struct node *n;

	if (!u->loop)
		return;
	while ((n = list_first(&u->active)))
		exchange_cancel(container_of(n, struct exchange, node));
	while ((n = list_first(&u->idle))) {
		list_remove(&u->idle, n);
		exchange_free(container_of(n, struct exchange, node));
	}
	curl_multi_cleanup(u->multi);
	loop_unset(u->loop, &u->timer);
	curl_global_cleanup();
	*u = (struct upstream){ 0 };
}

/* Requests */

static void
add_header(struct exchange *x, const char *line)
{
	struct curl_slist *longer = curl_slist_append(x->headers, line);

	assert(longer);
	x->headers = longer;
}

static void
set_headers(struct exchange *x, const struct request *r)
{
	auto_free char *bearer = NULL;

	if (r->key) {
		bearer = copy_format("Authorization: Bearer %s", r->key);
		add_header(x, bearer);
	}
	add_header(x, r->wants_events
			      ? "Accept: text/event-stream, application/json"
			      : "Accept: application/json");
	if (r->body.ptr) {
		add_header(x, "Content-Type: application/json");
		add_header(x, "Expect:");
	}
	SET(x->easy, CURLOPT_HTTPHEADER, x->headers);
}

static void
set_method(struct exchange *x, const struct request *r)
{
	if (!r->body.ptr) {
		SET(x->easy, CURLOPT_HTTPGET, 1L);
		return;
	}
	SET(x->easy, CURLOPT_POST, 1L);
	SET(x->easy, CURLOPT_POSTFIELDS, r->body.ptr);
	SET(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
}

/*
 * HTTP/2 is agreed on with TLS; a server without it is not asked, for then
 * the first requests would wait for one another's connection to see.
 */
static void
set_version(struct exchange *x, const struct request *r)
{
	bool is_tls = str_starts(str_of(r->url), STR("https:"));

	SET(x->easy, CURLOPT_HTTP_VERSION,
	    is_tls ? (long)CURL_HTTP_VERSION_2TLS
		   : (long)CURL_HTTP_VERSION_1_1);
	SET(x->easy, CURLOPT_PIPEWAIT, is_tls ? 1L : 0L);
}

static struct exchange *
take_idle(struct upstream *u)
{
	struct node *n = list_last(&u->idle);

	if (!n)
		return exchange_new(u);
	list_remove(&u->idle, n);
	return container_of(n, struct exchange, node);
}

struct exchange *
exchange_start(struct upstream *u, const struct request *r, exchange_fn *heard,
	       void *owner)
{
	struct exchange *x = take_idle(u);
	CURLMcode code;

	x->request = *r;
	x->heard = heard;
	x->owner = owner;
	x->words[0] = '\0';
	SET(x->easy, CURLOPT_URL, r->url);
	SET(x->easy, CURLOPT_TIMEOUT_MS, (long)r->total_ms);
	SET(x->easy, CURLOPT_PROXY, r->is_direct ? "" : NULL);
	set_version(x, r);
	set_headers(x, r);
	set_method(x, r);
	list_append(&u->active, &x->node);
	listen_for_it(x);
	code = curl_multi_add_handle(u->multi, x->easy);
	assert(code == CURLM_OK);
	return x;
}
