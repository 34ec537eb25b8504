#include "gateway/http/reader.h"

#include <microhttpd.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "proto/log.h"

enum {
	POOL_BYTES = 32 << 10, /* of a connection, while it is read */
	STUCK_RUNS = 64,       /* of libmicrohttpd, in which it did nothing */
	STUCK_MS = 10,	       /* until the next run then */
	END_S = 1,	       /* in which it ends what nobody needs any more */
};

struct reader {
	struct http *http;
	struct connection *connection; /* NULL: it needs us no more */
	struct node node;	       /* in http.readers */
	struct MHD_Connection *mhd;
	bool was_told; /* that the head is there */
	bool is_used;  /* libmicrohttpd has begun a request */
	char *target;
};

/* Running it */

static void on_run(struct timer *);

static void
run_soon(struct http *h)
{
	loop_set(h->loop, &h->run, 0, on_run);
}

static bool
has_input(const struct connection *c)
{
	int bytes = 0;

	return ioctl(c->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* Who has bytes that are not taken, though there is nothing else to do. */
static void
end_stuck(struct http *h)
{
	struct error e = { 0 };

	fail_with(&e, ERR_INVALID,
		  "the body can't be read: a chunk's first line is too long");
	list_each (&h->readers, n) {
		struct reader *r = container_of(n, struct reader, node);
		struct connection *c = r->connection;

		if (c && c->is_chunked && has_input(c))
			connection_fail(c, &e);
	}
}

/* It wants to be run again at once: has it a reason? */
static void
run_again(struct http *h)
{
	h->idle_runs = h->did_something ? 0 : h->idle_runs + 1;
	if (h->idle_runs == STUCK_RUNS)
		end_stuck(h);
	loop_set(h->loop, &h->run, h->idle_runs < STUCK_RUNS ? 0 : STUCK_MS,
		 on_run);
}

static void
run(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	h->did_something = false;
	h->is_running = true;
	(void)MHD_run(h->daemon);
	h->is_running = false;
	if (MHD_get_timeout(h->daemon, &ms) == MHD_NO) {
		h->idle_runs = 0;
		loop_unset(h->loop, &h->run);
	} else if (ms == 0) {
		run_again(h);
	} else {
		loop_set(h->loop, &h->run, ms, on_run);
	}
}

static void
on_run(struct timer *t)
{
	run(container_of(t, struct http, run));
}

static void
on_ready(struct watch *w)
{
	run(container_of(w, struct http, reading));
}

/* Its connections */

static void
forget(struct connection *c)
{
	c->reader->connection = NULL;
	c->reader = NULL;
}

static void
reader_free(struct reader *r)
{
	struct connection *c = r->connection;

	list_remove(&r->http->readers, &r->node);
	if (c) {
		forget(c);
		connection_event(c, ON_GONE);
	}
	free(r->target);
	free(r);
}

static void
on_connection(void *http, struct MHD_Connection *mhd, void **reader,
	      enum MHD_ConnectionNotificationCode code)
{
	struct http *h = http;

	h->did_something = true;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*reader = h->starting;
		h->starting = NULL;
	} else if (*reader) {
		reader_free(*reader);
	}
}

/* It may be waiting for input, or for room that never comes. */
void
reader_detach(struct connection *c)
{
	if (!c->reader)
		return;
	if (c->reader->mhd)
		(void)MHD_set_connection_option(c->reader->mhd,
						MHD_CONNECTION_OPTION_TIMEOUT,
						(unsigned)END_S);
	forget(c);
	run_soon(c->http);
}

/* The request */

/* Requests that follow one another before their answers are not served, and
 * of a second one on a descriptor nobody has approved the head. */
static void *
on_request_line(void *http, const char *uri, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct reader *r = info->socket_context;

	if (r->is_used && r->connection)
		forget(r->connection);
	r->is_used = true;
	r->mhd = mhd;
	free(r->target);
	r->target = copy(str_of(uri ? uri : ""));
	return r;
}

static enum MHD_Result
keep_said(void *request, enum MHD_ValueKind kind, const char *name,
	  const char *value)
{
	struct request *r = request;
	char mark = kind == MHD_HEADER_KIND ? 'h' : 'a';

	buf_put(&r->said, (struct str){ &mark, 1 });
	buf_put(&r->said, (struct str){ name, strlen(name) + 1 });
	value = value ? value : "";
	buf_put(&r->said, (struct str){ value, strlen(value) + 1 });
	return MHD_YES;
}

static enum MHD_Result
take_head(struct reader *r, const char *method)
{
	struct request *q = r->connection->request;
	struct str arguments;

	r->was_told = true;
	free(q->method);
	q->method = copy(str_of(method));
	free(q->path);
	q->path = copy(str_cut(str_of(r->target), '?', &arguments));
	(void)MHD_get_connection_values(
		r->mhd, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, keep_said, q);
	return connection_take_head(r->connection) ? MHD_YES : MHD_NO;
}

static enum MHD_Result
take_all(struct reader *r)
{
	struct connection *c = r->connection;

	forget(c);
	connection_event(c, ON_READ);
	return MHD_NO; /* it has read all that it is here for */
}

static enum MHD_Result
on_access(void *http, struct MHD_Connection *mhd, const char *path,
	  const char *method, const char *version, const char *bytes,
	  size_t *len, void **reader)
{
	struct reader *r = *reader;
	struct str piece = { bytes, *len };

	r->http->did_something = true;
	if (!r->connection)
		return MHD_NO;
	if (!r->was_told)
		return take_head(r, method);
	if (!piece.len)
		return take_all(r);
	*len = 0;
	return connection_take_piece(r->connection, piece) ? MHD_YES : MHD_NO;
}

/* It ends a request by itself if the client goes, or sends what it refuses. */
static void
on_completed(void *http, struct MHD_Connection *mhd, void **reader,
	     enum MHD_RequestTerminationCode code)
{
	struct reader *r = *reader;
	struct connection *c = r ? r->connection : NULL;

	((struct http *)http)->did_something = true;
	if (!c)
		return;
	reader_detach(c);
	connection_event(
		c, code == MHD_REQUEST_TERMINATED_WITH_ERROR ||
				   code == MHD_REQUEST_TERMINATED_COMPLETED_OK
			   ? ON_GARBLED
			   : ON_GONE);
}

bool
reader_start(struct connection *c, struct error *e)
{
	static const struct sockaddr_in nobody = { .sin_family = AF_INET };
	struct http *h = c->http;
	int fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno(e, "copy a descriptor");
	c->reader = xcalloc(1, sizeof *c->reader);
	c->reader->http = h;
	c->reader->connection = c;
	list_append(&h->readers, &c->reader->node);
	h->starting = c->reader;
	if (MHD_add_connection(h->daemon, fd, (const struct sockaddr *)&nobody,
			       sizeof nobody) != MHD_YES) {
		struct reader *r = h->starting;

		h->starting = NULL;
		if (r) {
			forget(c);
			reader_free(r);
		}
		return fail_with(e, ERR_SYSTEM,
				 "libmicrohttpd takes no connection");
	}
	if (h->is_running)
		run_soon(h);
	else
		run(h);
	return true;
}

const char *
reader_phrase(int status)
{
	return MHD_get_reason_phrase_for((unsigned)status);
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

bool
reader_init(struct http *h, struct error *e)
{
	const union MHD_DaemonInfo *epoll;

	h->reading = WATCH_INIT;
	list_init(&h->readers);
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET |
			MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_access, h, MHD_OPTION_EXTERNAL_LOGGER,
		log_of_mhd, h, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)MAX_CONNECTIONS * 2, MHD_OPTION_CONNECTION_TIMEOUT,
		0u, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_URI_LOG_CALLBACK, on_request_line, h,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
	if (!h->daemon)
		return fail_with(e, ERR_SYSTEM, "libmicrohttpd does not start");
	epoll = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	return loop_watch(h->loop, &h->reading, epoll->epoll_fd, EPOLLIN,
			  on_ready, e);
}

void
reader_fini(struct http *h)
{
	if (!h->daemon)
		return;
	loop_unwatch(h->loop, &h->reading);
	MHD_stop_daemon(h->daemon);
	loop_unset(h->loop, &h->run);
	h->daemon = NULL;
}
