#include "workers/io/upstream.h"

#include <assert.h>

#include <curl/curl.h>

#include "proto/utf8.h"
#include "proto/variables.h"

enum {
	CONNECT_MS = 10000,
	KEPT_CONNECTIONS = 128,	   /* idle, over all hosts */
	KEPT_EXCHANGES = 128,	   /* with their handles and buffers */
	AT_ONCE_BYTES = 256 << 10, /* gathered before they are shown */
	SMALL_BYTES = 32 << 10,	   /* of a body that leaves at once, with the
				    * headers: no progress can be seen */
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

/* The first reason counts: what follows from it does not explain it. */
static void
fail(struct exchange *x, enum error_code code, const char *what)
{
	if (x->failure)
		return;
	x->failure = xcalloc(1, sizeof *x->failure);
	fail_with(x->failure, code, "%s %s", x->request.host, what);
}

/* Silence */

static void on_silence(struct timer *);

static void
listen_for_silence(struct exchange *x)
{
	if (x->request.silence_ms)
		loop_set(x->upstream->loop, &x->silence, x->request.silence_ms,
			 on_silence);
}

/* Signs of life are many, so they only leave a note for the timer. */
static void
lives(struct exchange *x)
{
	x->lived_at = loop_now();
}

static const char *
words_for_silence(enum stage stage)
{
	switch (stage) {
	case CONNECTING:
	case SENDING:
		return "took no more of the request";
	case THINKING:
		return "did not begin to answer";
	case ANSWERING:
		break;
	}
	return "said no more";
}

/* What curl calls.  None of it calls an owner: show_news() does, later. */

static size_t
on_header(char *bytes, size_t one, size_t len, void *owner)
{
	struct exchange *x = owner;
	struct error e;

	lives(x);
	x->stage = ANSWERING;
	if (!head_line(&x->head, (struct str){ bytes, len }, &e)) {
		fail(x, e.code, e.text);
		return 0;
	}
	if (x->head.whole)
		has_news(x);
	return len;
}

/* Only after a head: "101 Switching Protocols" is none that we asked for. */
static size_t
on_bytes(char *bytes, size_t one, size_t len, void *owner)
{
	struct exchange *x = owner;
	struct error e;
	bool fits;

	if (!x->head.whole) {
		fail(x, ERR_UPSTREAM, "sent no complete head of an answer");
		return 0;
	}
	lives(x);
	has_news(x);
	if (x->bytes.len >= AT_ONCE_BYTES) {
		x->full = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	fits = buf_add(&x->bytes, (struct str){ bytes, len }, &e);
	assert(fits);
	x->came += len;
	return len;
}

/* Only of a large body: every byte of it that is taken is a sign of life. */
static int
on_progress(void *owner, curl_off_t to_come, curl_off_t came,
	    curl_off_t to_send, curl_off_t sent)
{
	struct exchange *x = owner;

	if ((uint64_t)sent > x->sent)
		lives(x);
	x->sent = (uint64_t)sent;
	if (x->stage == SENDING && x->sent >= x->request.body.len) {
		x->stage = THINKING;
		has_news(x);
	}
	return 0;
}

/*
 * It is connected, and the request is about to be sent.  A GET may be sent
 * again, and so may a POST of which not a byte has left.  Here and not by
 * denying curl the means to rewind: so it can take the body as a whole, and
 * send a small one in one packet with the headers.
 */
static int
on_attempt(void *owner, char *ip, char *local_ip, int port, int local_port)
{
	struct exchange *x = owner;
	bool is_second = x->was_tried;
	long sent = 0;

	x->was_tried = true;
	x->stage = x->request.body.len > SMALL_BYTES ? SENDING : THINKING;
	lives(x);
	listen_for_silence(x);
	if (!is_second || !x->request.body.ptr)
		return CURL_PREREQFUNC_OK;
	curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent);
	if (sent == 0)
		return CURL_PREREQFUNC_OK;
	fail(x, ERR_UPSTREAM, "closed the connection without an answer");
	return CURL_PREREQFUNC_ABORT;
}

/* An exchange and its handle serve many requests: these options are the same
 * for all of them. */
static void
set_constants(struct exchange *x)
{
	auto_free char *ca_file = copy(variable_value("SSL_CERT_FILE"));
	auto_free char *ca_directory = copy(variable_value("SSL_CERT_DIR"));

	SET(x->easy, CURLOPT_PRIVATE, x);
	SET(x->easy, CURLOPT_ERRORBUFFER, x->words);
	SET(x->easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(x->easy, CURLOPT_HEADERDATA, x);
	SET(x->easy, CURLOPT_WRITEFUNCTION, on_bytes);
	SET(x->easy, CURLOPT_WRITEDATA, x);
	SET(x->easy, CURLOPT_PREREQFUNCTION, on_attempt);
	SET(x->easy, CURLOPT_PREREQDATA, x);
	SET(x->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(x->easy, CURLOPT_XFERINFODATA, x);
	SET(x->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(x->easy, CURLOPT_USERAGENT, "cli-bridge/" VERSION);
	SET(x->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(x->easy, CURLOPT_BUFFERSIZE, (long)MAX_DELTA);
	SET(x->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(x->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(x->easy, CURLOPT_NOSIGNAL, 1L);
	/* Otherwise a cancelled exchange waits for its name to be resolved. */
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
	x->bytes = BUF_INIT(AT_ONCE_BYTES + CURL_MAX_WRITE_SIZE);
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
	free(x->failure);
	free(x);
}

static void
stop(struct exchange *x)
{
	struct upstream *u = x->upstream;

	list_remove(&u->active, &x->node);
	list_remove(&u->news, &x->news_node);
	loop_unset(u->loop, &x->silence);
	curl_multi_remove_handle(u->multi.handle, x->easy);
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
	x->stage = CONNECTING;
	x->sent = x->came = 0;
	free(x->failure);
	x->failure = NULL;
	list_append(&u->idle, &x->node);
}

void
exchange_cancel(struct exchange *x)
{
	stop(x);
	recycle(x);
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
	lives(x);
	listen_for_silence(x);
	/* curl hands over what it still has, and sets its timer. */
	curl_easy_pause(x->easy, CURLPAUSE_CONT);
}

/* Endings */

/* The error buffer may quote what a server has sent. */
static const char *
curls_words(const struct exchange *x)
{
	return x->words[0] && utf8_valid(str_of(x->words))
		       ? x->words
		       : curl_easy_strerror(x->result);
}

static void
explain(struct exchange *x)
{
	auto_free char *what = NULL;

	if (x->stage == CONNECTING) {
		what = copy_format("can't be reached: %s", curls_words(x));
		fail(x, ERR_UPSTREAM, what);
	} else if (x->head.whole) {
		what = copy_format("broke off its answer: %s", curls_words(x));
		fail(x, ERR_TRUNCATED, what);
	} else if (x->result == CURLE_OUT_OF_MEMORY) { /* as it calls that */
		fail(x, ERR_UPSTREAM, "sent a header that is too long");
	} else if (x->result == CURLE_GOT_NOTHING ||
		   x->result == CURLE_RECV_ERROR ||
		   x->result == CURLE_SEND_ERROR) {
		what = copy_format("closed the connection without an answer: "
				   "%s",
				   curls_words(x));
		fail(x, ERR_UPSTREAM, what);
	} else {
		what = copy_format("gave no answer: %s", curls_words(x));
		fail(x, ERR_UPSTREAM, what);
	}
}

static void
show_end(struct exchange *x)
{
	stop(x);
	x->has_ended = true;
	if (x->result != CURLE_OK)
		explain(x);
	else if (!x->head.whole)
		fail(x, ERR_UPSTREAM, "sent no complete head of an answer");
	x->heard(x);
	recycle(x);
}

static void
on_silence(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, silence);
	uint64_t ms = x->request.silence_ms, silent = loop_now() - x->lived_at;
	auto_free char *what = NULL;

	if (silent < ms) {
		loop_set(x->upstream->loop, t, ms - silent, on_silence);
		return;
	}
	what = copy_format("%s for %ju ms", words_for_silence(x->stage),
			   (uintmax_t)ms);
	fail(x, ERR_TIMEOUT, what);
	x->result = CURLE_OPERATION_TIMEDOUT;
	show_end(x);
}

static void
find_ended(struct upstream *u)
{
	struct exchange *x;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(u->multi.handle, &left))) {
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
		x->result = m->data.result;
		x->has_ended = true;
		has_news(x);
	}
}

/*
 * Of a small body curl has a copy, but would need the original to send it anew
 * where nothing had left: that is over with the first line of the answer.
 */
bool
exchange_has_sent_body(const struct exchange *x)
{
	if (x->request.body.len > SMALL_BYTES)
		return x->sent >= x->request.body.len;
	return x->stage == ANSWERING;
}

/*
 * The whole answer is there, though the server has not taken all of the request
 * and may never do so: curl would go on sending.
 */
static bool
is_answered_early(const struct exchange *x)
{
	curl_off_t length = -1;

	if (!x->head.whole || exchange_has_sent_body(x))
		return false;
	curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return length >= 0 && x->came >= (uint64_t)length;
}

/* Runs after each of curl's turns.  No other place calls the owners. */
static void
show_news(struct multi *m)
{
	struct upstream *u = container_of(m, struct upstream, multi);
	struct exchange *x;
	struct node *n;

	find_ended(u);
	while ((n = list_first(&u->news))) {
		x = container_of(n, struct exchange, news_node);
		list_remove(&u->news, n);
		if (!x->has_ended && is_answered_early(x)) {
			x->has_ended = true;
			x->result = CURLE_OK;
		}
		if (x->has_ended)
			show_end(x);
		else
			x->heard(x);
	}
}

bool
upstream_init(struct upstream *u, struct loop *loop, struct error *e)
{
	*u = (struct upstream){ .loop = loop };
	list_init(&u->active);
	list_init(&u->idle);
	list_init(&u->news);
	return multi_init(&u->multi, loop, KEPT_CONNECTIONS, show_news, e);
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
	multi_fini(&u->multi);
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
	auto_free char *authorization = NULL, *idempotency_key = NULL;

	if (r->authorization)
		authorization =
			copy_format("Authorization: %s", r->authorization);
	else if (r->key)
		authorization = copy_format("Authorization: Bearer %s", r->key);
	if (authorization)
		add_header(x, authorization);
	if (r->idempotency_key) {
		idempotency_key =
			copy_format("Idempotency-Key: %s", r->idempotency_key);
		add_header(x, idempotency_key);
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
 * HTTP/2 is negotiated with TLS.  Without TLS it is not tried, for then the
 * first requests would wait for each other's connection.
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
	SET(x->easy, CURLOPT_NOPROGRESS, r->body.len > SMALL_BYTES ? 0L : 1L);
	SET(x->easy, CURLOPT_PROXY, r->is_direct ? "" : NULL);
	set_version(x, r);
	set_headers(x, r);
	set_method(x, r);
	list_append(&u->active, &x->node);
	code = curl_multi_add_handle(u->multi.handle, x->easy);
	assert(code == CURLM_OK);
	return x;
}
