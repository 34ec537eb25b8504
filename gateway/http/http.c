#include "gateway/http/http.h"

#include <microhttpd.h>

#include <assert.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http/connection.h"
#include "gateway/http/lingering_close.h"
#include "gateway/http/request.h"
#include "proto/log.h"

enum {
	MEMORY = 32 << 10,	    /* of a connection, for heads */
	MAX_ANSWER_HEAD = 12 << 10, /* what is sure to fit in that */
	MAX_SWALLOWED = 1 << 20,    /* of a body that is refused */
	BODY_STEP = 64 << 10,	    /* that must come within BODY_TIME */
	BODY_TIME = 30000,	    /* ms */
	IDLE_TIME = 120, /* s, between requests, or without any progress */
};

/* MHD in the loop */

static void run_soon(struct http *);

static void
run(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	h->has_room = false;
	(void)MHD_run(h->daemon);
	if (h->has_room)
		run_soon(h);
	else if (MHD_get_timeout(h->daemon, &ms) == MHD_NO)
		loop_unset(h->loop, &h->run);
	else if (ms == 0)
		run_soon(h);
	else
		loop_set(h->loop, &h->run, ms, h->run.fire);
}

static void
on_run(struct timer *t)
{
	run(container_of(t, struct http, run));
}

static void
run_soon(struct http *h)
{
	loop_set(h->loop, &h->run, 0, on_run);
}

static void
on_ready(struct watch *w)
{
	run(container_of(w, struct http, watch));
}

/* Connections */

static int
socket_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)
		->connect_fd;
}

static void
on_connection(void *http, struct MHD_Connection *mhd, void **connection,
	      enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*connection = connection_new(http, socket_of(mhd));
	else
		connection_free(*connection);
	/* One that was full accepts again at its next run, not before. */
	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		((struct http *)http)->has_room = true;
}

/* Requests: from the request line to the end of the answer */

static struct connection *
connection_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

static void *
on_request_line(void *http, const char *uri, struct MHD_Connection *mhd)
{
	struct http *h = http;
	struct request *r = xcalloc(1, sizeof *r);
	struct str arguments;

	r->http = h;
	r->mhd = mhd;
	r->fd = socket_of(mhd);
	r->connection = connection_of(mhd);
	r->connection->request = r;
	r->began = loop_now();
	r->why = "malformed";
	r->path = copy(str_cut(str_of(uri ? uri : ""), '?', &arguments));
	r->body = BUF_INIT(h->max_body);
	r->headers = BUF_INIT(MAX_ANSWER_HEAD);
	chunk_writer_init(&r->writer);
	snprintf(r->id, sizeof r->id, "req_%016jx",
		 (uintmax_t)(h->last_id += 0x9e3779b97f4a7c15));
	list_append(&h->requests, &r->node);
	connection_wait(r->connection, HEAD_TIME);
	return r;
}

static void
log_end(const struct request *r)
{
	log_info("%s %s %s%s%s: %d, %ju bytes, %ju ms, %s", r->id,
		 r->method ? r->method : "-", log_quote(str_of(r->path)),
		 r->model ? " for " : "",
		 r->model ? log_quote(str_of(r->model)) : "", r->status,
		 (uintmax_t)r->bytes + r->writer.total,
		 (uintmax_t)(loop_now() - r->began), r->why);
}

static void
request_free(struct request *r)
{
	struct http *h = r->http;

	loop_unset(h->loop, &r->stall);
	list_remove(&h->requests, &r->node);
	list_remove(&h->unpushed, &r->unpushed);
	r->connection->request = NULL;
	connection_wait(r->connection, IDLE_TIME * 1000);
	buf_fini(&r->body);
	buf_fini(&r->headers);
	chunk_writer_fini(&r->writer);
	free(r->path);
	free(r->refusal);
	free(r->model);
	free(r);
}

static void
on_completed(void *http, struct MHD_Connection *mhd, void **request,
	     enum MHD_RequestTerminationCode code)
{
	struct http *h = http;
	struct request *r = *request;

	if (!r)
		return;
	if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK &&
	    r->stage != HANDED_BACK && r->stage != READING_HEAD)
		r->why = "client left";
	request_tell_owner(r);
	log_end(r);
	request_free(r);
	*request = NULL;
	if (h->ended)
		h->ended(h);
}

/* The head */

static bool
check_length(const struct request *r, struct error *e)
{
	const char *length = request_header(r, "Content-Length");
	const char *coding = request_header(r, "Transfer-Encoding");

	if (coding && (length || strcasecmp(coding, "chunked")))
		return fail_with(e, ERR_INVALID,
				 "Transfer-Encoding can only be chunked, and "
				 "without a Content-Length");
	if (length && strtoull(length, NULL, 10) > r->http->max_body)
		return fail_with(e, ERR_TOO_LARGE,
				 "the body of %s bytes is larger than the "
				 "allowed %zu (BRIDGE_MAX_BODY_BYTES)",
				 length, r->http->max_body);
	return true;
}

static bool
check_head(const struct request *r, struct error *e)
{
	size_t size = MHD_get_connection_info(
			      r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
			      ->header_size;

	if (size > MAX_HEAD)
		return fail_with(e, ERR_HEADERS,
				 "the headers of %zu bytes are larger than "
				 "the allowed %u",
				 size, MAX_HEAD);
	return check_length(r, e);
}

/* Reading a small body that nobody wants keeps the connection usable. */
static bool
may_swallow(const struct request *r)
{
	const char *length = request_header(r, "Content-Length");

	if (request_header(r, "Transfer-Encoding") ||
	    request_header(r, "Expect"))
		return false;
	return !length || strtoull(length, NULL, 10) <= MAX_SWALLOWED;
}

static enum MHD_Result
refuse(struct request *r, const struct error *e)
{
	r->stage = REFUSED;
	r->refusal = xcalloc(1, sizeof *e);
	*r->refusal = *e;
	if (may_swallow(r))
		return MHD_YES;
	request_cut_short(r, e);
	return MHD_NO;
}

static enum MHD_Result
take_head(struct request *r, const char *method, const char *version)
{
	struct error e = { 0 };

	r->method = method;
	r->why = "answered";
	r->writer.is_plain = strcmp(version, MHD_HTTP_VERSION_1_1) != 0;
	r->stage = READING_BODY;
	r->connection->step = 0;
	connection_wait(r->connection, BODY_TIME);
	if (!check_head(r, &e) || !r->http->judge(r, &e))
		return refuse(r, &e);
	return MHD_YES;
}

/* The body */

static enum MHD_Result
take_body(struct request *r, struct str piece)
{
	bool unwanted = r->stage == REFUSED || !r->wants_body;
	struct connection *c = r->connection;
	struct error e = { 0 };

	c->step += piece.len;
	if (c->step >= BODY_STEP) {
		c->step = 0;
		connection_wait(c, BODY_TIME);
	}
	if (unwanted)
		r->unread += piece.len;
	if (unwanted ? r->unread <= MAX_SWALLOWED
		     : buf_add(&r->body, piece, &e))
		return MHD_YES;
	if (unwanted)
		fail_with(&e, ERR_TOO_LARGE, "no body is wanted here");
	else
		fail_with(&e, ERR_TOO_LARGE,
			  "the body is larger than the allowed %zu bytes "
			  "(BRIDGE_MAX_BODY_BYTES)",
			  r->body.max);
	request_cut_short(r, &e);
	return MHD_NO;
}

static void
answer_refusal(struct request *r)
{
	struct buf body = BUF_INIT(MAX_ANSWER);

	r->why = error_slug(r->refusal->code);
	r->http->explain(r, r->refusal, &body);
	request_answer(r, error_http(r->refusal->code), &body);
}

static enum MHD_Result
take_all(struct request *r)
{
	bool refused = r->stage == REFUSED;

	loop_unset(r->http->loop, &r->connection->deadline);
	r->stage = WAITING;
	r->in_callback = true;
	if (refused)
		answer_refusal(r);
	else
		r->http->ready(r);
	if (r->stage == WAITING && r->connection->gone)
		request_lose(r); /* it went before it could be waited for */
	r->in_callback = false;
	if (r->stage == WAITING)
		MHD_suspend_connection(r->mhd);
	return r->stage == HANDED_BACK ? MHD_NO : MHD_YES;
}

static enum MHD_Result
on_access(void *http, struct MHD_Connection *mhd, const char *path,
	  const char *method, const char *version, const char *bytes,
	  size_t *len, void **request)
{
	struct request *r = *request;
	struct str piece = { bytes, *len };

	switch (r->stage) {
	case READING_HEAD:
		return take_head(r, method, version);
	case READING_BODY:
	case REFUSED:
		if (*len == 0)
			return take_all(r);
		*len = 0;
		return take_body(r, piece);
	case WAITING:
	case ANSWERED:
	case OPENING:
	case STREAMING:
	case HANDED_BACK:
		break;
	}
	return MHD_NO; /* handed back to be closed */
}

/*
 * Answers in the middle of a request, when MHD can't, and ends the
 * connection.  MHD has nothing of its own to send in that state.
 */
void
request_cut_short(struct request *r, const struct error *e)
{
	struct buf body = BUF_INIT(64 << 10), head = BUF_INIT(64 << 10);
	const char *name, *value;
	size_t at = 0;

	r->stage = HANDED_BACK;
	r->status = error_http(e->code);
	r->why = error_slug(e->code);
	r->http->explain(r, e, &body);
	request_sign(r);
	buf_print(&head, "HTTP/1.1 %d %s\r\nConnection: close\r\n", r->status,
		  MHD_get_reason_phrase_for((unsigned)r->status));
	while (request_next_header(r, &at, &name, &value))
		buf_print(&head, "%s: %s\r\n", name, value);
	buf_print(&head, "Content-Length: %zu\r\n\r\n%.*s", body.len,
		  (int)body.len, body.ptr);
	if (send(r->fd, head.ptr, head.len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		r->bytes = body.len;
	lingering_close(&r->http->lingering, r->http->loop, r->fd);
	buf_fini(&body);
	buf_fini(&head);
}

/* Answers */

const char *
request_header(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

struct said {
	const char *name, *value; /* the first one; NULL: none yet */
	bool agrees;
};

static enum MHD_Result
compare(void *said, enum MHD_ValueKind kind, const char *name,
	const char *value)
{
	struct said *s = said;

	if (strcasecmp(name, s->name) != 0)
		return MHD_YES;
	value = value ? value : "";
	s->agrees = s->agrees && (!s->value || !strcmp(value, s->value));
	s->value = value;
	return MHD_YES;
}

bool
request_header_agrees(const struct request *r, const char *name)
{
	struct said s = { .name = name, .agrees = true };

	(void)MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, compare, &s);
	return s.agrees;
}

const char *
request_argument(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->mhd, MHD_GET_ARGUMENT_KIND, name);
}

bool
request_is(const struct request *r, const char *method)
{
	return !strcmp(r->method, method);
}

bool
request_is_left(const struct request *r)
{
	return r->connection->gone;
}

void
request_hand_back(struct request *r)
{
	list_remove(&r->http->unpushed, &r->unpushed);
	loop_unset(r->http->loop, &r->stall);
	r->stage = HANDED_BACK;
	if (r->in_callback)
		return;
	MHD_resume_connection(r->mhd);
	run_soon(r->http);
}

void
request_watch_room(struct request *r, bool wanted)
{
	loop_rewatch(r->http->loop, &r->connection->watch,
		     EPOLLRDHUP | EPOLLET | (wanted ? EPOLLOUT : 0));
}

/* `r` may be gone afterwards. */
static void
queue(struct request *r, int status, struct MHD_Response *response)
{
	struct MHD_Connection *mhd = r->mhd;
	struct http *h = r->http;
	bool in_callback = r->in_callback;
	const char *name, *value;
	size_t at = 0;

	request_sign(r);
	while (request_next_header(r, &at, &name, &value))
		(void)MHD_add_response_header(response, name, value);
	if (h->closing)
		(void)MHD_add_response_header(response, "Connection", "close");
	buf_fini(&r->headers);
	buf_fini(&r->body);
	r->status = status;
	if (MHD_queue_response(mhd, (unsigned)status, response) != MHD_YES)
		log_error("an answer was not accepted");
	MHD_destroy_response(response);
	if (in_callback)
		return;
	MHD_resume_connection(mhd);
	run_soon(h);
}

void
request_answer(struct request *r, int status, struct buf *body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		body->len, body->ptr, MHD_RESPMEM_MUST_FREE);

	assert(r->stage == WAITING && response);
	r->stage = ANSWERED;
	r->left = r->taken = NULL;
	r->bytes = body->len;
	chunk_writer_clear(&r->writer);
	*body = BUF_INIT(body->max);
	queue(r, status, response);
}

/* Streams */

/*
 * MHD forgets a connection that it closes on our behalf right here, until it
 * is the one that has been idle for longest: so to end one it's given a byte
 * that it can't send.
 */
static ssize_t
end_body(struct request *r, char *bytes)
{
	if (r->ending == WELL && !r->writer.is_plain)
		return MHD_CONTENT_READER_END_OF_STREAM;
	shutdown(r->fd, SHUT_WR);
	*bytes = '\n';
	return 1;
}

/*
 * MHD asks for a piece of the body: so it has sent the head, has nothing more
 * to say, and the socket is ours until we resume the connection.
 */
static ssize_t
on_body_wanted(void *request, uint64_t at, char *bytes, size_t max)
{
	struct request *r = request;

	r->in_callback = true;
	if (r->stage == OPENING) {
		r->stage = STREAMING;
		request_push(r);
	}
	r->in_callback = false;
	if (r->stage == HANDED_BACK)
		return end_body(r, bytes);
	MHD_suspend_connection(r->mhd);
	return 0;
}

void
request_open(struct request *r, int status)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, 1, on_body_wanted, r, NULL);

	assert(r->stage == WAITING && response);
	r->stage = OPENING;
	queue(r, status, response);
}

/* Life */

static void
log_of_mhd(void *http, const char *fmt, va_list ap)
{
	char line[512];

	if (!log_is_on(LOG_DEBUG))
		return;
	vsnprintf(line, sizeof line, fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("http: %s", line);
}

static struct MHD_Daemon *
start(struct http *h, int fd, unsigned max_connections)
{
	return MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_access, h, MHD_OPTION_EXTERNAL_LOGGER,
		log_of_mhd, h, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
		MHD_OPTION_CONNECTION_LIMIT, max_connections,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIME,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_URI_LOG_CALLBACK, on_request_line, h,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
}

bool
http_init(struct http *h, struct loop *loop, int fd, const struct settings *s,
	  struct error *e)
{
	const union MHD_DaemonInfo *epoll;

	h->loop = loop;
	h->watch = WATCH_INIT;
	h->run.fire = on_run;
	h->max_body = s->max_body;
	list_init(&h->requests);
	list_init(&h->unpushed);
	list_init(&h->lingering);
	if (getrandom(&h->last_id, sizeof h->last_id, 0) < 0)
		return fail_errno(e, "getrandom");
	h->daemon = start(h, fd, (unsigned)s->max_connections);
	if (!h->daemon)
		return fail_with(e, ERR_SYSTEM,
				 "can't serve HTTP on descriptor %d", fd);
	epoll = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	run_soon(h); /* the socket is listened to from the first run on */
	return loop_watch(loop, &h->watch, epoll->epoll_fd, EPOLLIN, on_ready,
			  e);
}

void
http_close(struct http *h)
{
	int fd;

	if (h->closing)
		return;
	h->closing = true;
	fd = MHD_quiesce_daemon(h->daemon);
	if (fd >= 0)
		close(fd);
}

/* MHD dies if it is stopped while a connection is suspended. */
void
http_fini(struct http *h)
{
	if (!h->daemon)
		return;
	list_each (&h->requests, n) {
		struct request *r = container_of(n, struct request, node);

		if (request_is_ours(r))
			request_lose(r);
	}
	loop_unwatch(h->loop, &h->watch);
	MHD_stop_daemon(h->daemon);
	lingering_close_end_all(&h->lingering);
	loop_unset(h->loop, &h->run);
	loop_unset(h->loop, &h->push);
	h->daemon = NULL;
}
