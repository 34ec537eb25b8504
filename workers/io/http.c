#include "workers/io/http.h"

#include <assert.h>

#include <curl/curl.h>

#include "proto/utf8.h"
#include "workers/io/lines.h"
#include "workers/io/multi.h"

enum {
	CONNECT_MS = 10000,
	KEPT_CONNECTIONS = 4,
};

struct http {
	struct multi multi;
	struct list calls;
	struct list news; /* calls whose callbacks are due */
	bool is_showing;  /* callbacks run, which may call http_free()... */
	bool was_freed;	  /* ...which takes effect after them */
};

struct http_call {
	struct http *http;
	struct node node, news_node;
	CURL *easy;
	struct curl_slist *headers;
	struct http_request request; /* its strings are no longer valid */
	char *host;		     /* or the socket's path: for messages */
	bool is_local;		     /* the server has a socket file */
	struct buf to_send, body;
	struct lines lines;
	struct error refusal; /* why we have broken it off; ERR_NONE: not */
	bool has_ended;
	CURLcode result;
	bool *was_dropped; /* set by http_drop(), if a callback runs */
	char words[CURL_ERROR_SIZE];
};

static void
must_set(CURLcode r)
{
	assert(r == CURLE_OK);
}

#define SET(easy, option, value) must_set(curl_easy_setopt(easy, option, value))

static int
status_of(const struct http_call *c)
{
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

/* An answer with an error status is a body, even where a stream was expected.
 */
static bool
is_stream(const struct http_call *c)
{
	return c->request.line && status_of(c) / 100 == 2;
}

static bool
add_to_lines(struct http_call *c, struct str bytes)
{
	char *room;

	if (!lines_room(&c->lines, bytes.len, &room, &c->refusal))
		return false;
	memcpy(room, bytes.ptr, bytes.len);
	lines_added(&c->lines, bytes.len);
	return true;
}

/* What curl calls: nothing is shown from here, but afterwards. */
static size_t
on_bytes(char *ptr, size_t one, size_t len, void *owner)
{
	struct http_call *c = owner;
	struct str bytes = { ptr, len };
	bool fits = is_stream(c) ? add_to_lines(c, bytes)
				 : buf_add(&c->body, bytes, &c->refusal);

	if (!fits)
		return 0;
	if (!c->news_node.next)
		list_append(&c->http->news, &c->news_node);
	return len;
}

/* The result */

/* curl does not say why it can't connect to a socket file. */
static const char *
words_of(const struct http_call *c)
{
	const char *words = NULL;
	long error_number = 0;

	curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &error_number);
	if (c->is_local && error_number)
		words = strerrordesc_np((int)error_number);
	if (!words && c->words[0] && utf8_valid(str_of(c->words)))
		words = c->words;
	return words ? words : curl_easy_strerror(c->result);
}

static bool
explain(const struct http_call *c, struct error *e)
{
	const char *words = words_of(c);

	if (c->refusal.code)
		return fail_with(e, c->refusal.code, "%s: %s", c->host,
				 c->refusal.text);
	if (c->result == CURLE_OPERATION_TIMEDOUT)
		return fail_with(e, ERR_TIMEOUT, "%s: no answer in time",
				 c->host);
	if (c->result == CURLE_COULDNT_CONNECT ||
	    c->result == CURLE_COULDNT_RESOLVE_HOST)
		return fail_with(e, ERR_UPSTREAM, "%s can't be reached: %s",
				 c->host, words);
	return fail_with(e, ERR_UPSTREAM, "%s: %s", c->host, words);
}

/* False if the callback has dropped the call. */
static bool
show_lines(struct http_call *c)
{
	bool was_dropped = false;
	struct str line;

	c->was_dropped = &was_dropped;
	while (!was_dropped && lines_next(&c->lines, &line))
		c->request.line(c->request.arg, line);
	if (!was_dropped && c->has_ended && lines_last(&c->lines, &line))
		c->request.line(c->request.arg, line);
	if (!was_dropped)
		c->was_dropped = NULL;
	return !was_dropped;
}

static void
show_end(struct http_call *c)
{
	struct http_request r = c->request;
	struct buf body = c->body;
	struct error e = { 0 };
	int status = status_of(c);

	if (c->result != CURLE_OK)
		explain(c, &e);
	c->body = BUF_INIT(0);
	http_drop(c);
	if (e.code)
		r.done(r.arg, 0, STR(""), &e);
	else
		r.done(r.arg, status, buf_str(&body), NULL);
	buf_fini(&body);
}

static void
find_ended(struct http *h)
{
	struct http_call *c;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi.handle, &left))) {
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
		c->result = m->data.result;
		c->has_ended = true;
		if (!c->news_node.next)
			list_append(&h->news, &c->news_node);
	}
}

/* Callbacks are called from here only, when curl is not at work. */
static void
show_news(struct multi *m)
{
	struct http *h = container_of(m, struct http, multi);
	struct http_call *c;
	struct node *n;

	find_ended(h);
	h->is_showing = true;
	while ((n = list_first(&h->news))) {
		c = container_of(n, struct http_call, news_node);
		list_remove(&h->news, n);
		if (show_lines(c) && c->has_ended)
			show_end(c);
	}
	h->is_showing = false;
	if (h->was_freed)
		http_free(h);
}

/* Asking */

static void
add_header(struct http_call *c, const char *line)
{
	struct curl_slist *longer = curl_slist_append(c->headers, line);

	assert(longer);
	c->headers = longer;
}

static void
set_body(struct http_call *c, struct str body)
{
	struct error e;
	bool fits;

	c->to_send = BUF_INIT(body.len);
	fits = buf_add(&c->to_send, body, &e);
	assert(fits);
	SET(c->easy, CURLOPT_POST, 1L);
	SET(c->easy, CURLOPT_POSTFIELDS, buf_str(&c->to_send).ptr);
	SET(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	add_header(c, "Expect:");
	add_header(c, "Content-Type: application/json");
}

/*
 * Only a GET may use a connection that was used before.  If the server has just
 * closed such a connection, curl sends the request a second time, even if the
 * server has received the first.
 */
static void
set_method(struct http_call *c, const struct http_request *r)
{
	bool is_get = !strcmp(r->method, "GET");

	if (r->body.len || !strcmp(r->method, "POST"))
		set_body(c, r->body);
	if (!is_get)
		SET(c->easy, CURLOPT_CUSTOMREQUEST, r->method);
	SET(c->easy, CURLOPT_FRESH_CONNECT, is_get ? 0L : 1L);
	SET(c->easy, CURLOPT_FORBID_REUSE, is_get ? 0L : 1L);
}

static void
set_constants(struct http_call *c)
{
	SET(c->easy, CURLOPT_PRIVATE, c);
	SET(c->easy, CURLOPT_ERRORBUFFER, c->words);
	SET(c->easy, CURLOPT_WRITEFUNCTION, on_bytes);
	SET(c->easy, CURLOPT_WRITEDATA, c);
	SET(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(c->easy, CURLOPT_PROXY, "");
	SET(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(c->easy, CURLOPT_USERAGENT, "cli-bridge/" VERSION);
	SET(c->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(c->easy, CURLOPT_NOSIGNAL, 1L);
	/* Otherwise a call that is dropped blocks until its name is resolved.
	 */
	SET(c->easy, CURLOPT_QUICK_EXIT, 1L);
}

static void
set_password(struct http_call *c, const struct http_request *r)
{
	if (!r->user)
		return;
	SET(c->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	SET(c->easy, CURLOPT_USERNAME, r->user);
	SET(c->easy, CURLOPT_PASSWORD, r->password ? r->password : "");
}

/* The host and port of a URL, such as "127.0.0.1:4096". */
static char *
host_of(const char *url)
{
	const char *start = strstr(url, "://");
	struct str host = str_of(start ? start + 3 : url);

	host.len = strcspn(host.ptr, "/?#");
	return copy(host);
}

static struct http_call *
call_new(struct http *h, const struct http_request *r)
{
	struct http_call *c = xcalloc(1, sizeof *c);

	c->http = h;
	c->request = *r;
	c->is_local = r->socket_path != NULL;
	c->host = c->is_local ? copy(str_of(r->socket_path)) : host_of(r->url);
	c->body = BUF_INIT(MAX_BODY);
	c->lines = LINES_INIT(MAX_LINE);
	c->easy = curl_easy_init();
	assert(c->easy);
	return c;
}

struct http_call *
http_ask(struct http *h, const struct http_request *r)
{
	struct http_call *c = call_new(h, r);
	CURLMcode code;

	set_constants(c);
	set_password(c, r);
	set_method(c, r);
	SET(c->easy, CURLOPT_URL, r->url);
	SET(c->easy, CURLOPT_UNIX_SOCKET_PATH, r->socket_path);
	SET(c->easy, CURLOPT_HTTPHEADER, c->headers);
	SET(c->easy, CURLOPT_TIMEOUT_MS, (long)r->deadline_ms);
	list_append(&h->calls, &c->node);
	code = curl_multi_add_handle(h->multi.handle, c->easy);
	assert(code == CURLM_OK);
	return c;
}

void
http_drop(struct http_call *c)
{
	if (c->was_dropped)
		*c->was_dropped = true;
	list_remove(&c->http->calls, &c->node);
	list_remove(&c->http->news, &c->news_node);
	curl_multi_remove_handle(c->http->multi.handle, c->easy);
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	buf_fini(&c->to_send);
	buf_fini(&c->body);
	lines_fini(&c->lines);
	free(c->host);
	free(c);
}

struct http *
http_new(struct loop *loop, struct error *e)
{
	struct http *h = xcalloc(1, sizeof *h);

	list_init(&h->calls);
	list_init(&h->news);
	if (multi_init(&h->multi, loop, KEPT_CONNECTIONS, show_news, e))
		return h;
	free(h);
	return NULL;
}

void
http_free(struct http *h)
{
	struct node *n;

	if (!h)
		return;
	while ((n = list_first(&h->calls)))
		http_drop(container_of(n, struct http_call, node));
	h->was_freed = true;
	if (h->is_showing)
		return;
	multi_fini(&h->multi);
	free(h);
}
