#include "workers/executor/docker/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/buf.h"
#include "workers/executor/docker/frames.h"
#include "workers/executor/docker/upgrade.h"

enum {
	PIECE_BYTES = 64 << 10,
	FIRST_WORDS_BYTES = 256,
};

/* A pipe into which a part of the stream is written. */
struct outlet {
	struct docker_stream *stream;
	int fd; /* -1: nobody reads it */
	struct watch writable;
};

struct docker_stream {
	struct docker_api *api;
	struct loop *loop;
	struct docker_upgrade *upgrade; /* NULL: it is done */
	int socket;			/* -1: none yet, or closed */
	struct watch talk;
	uint32_t talk_events;

	int in; /* -1: its end was passed on, or nobody takes it */
	struct watch readable;
	struct buf to_send; /* of the last piece: what was not sent yet */

	struct frames frames;
	struct outlet out, err;
	struct outlet *full; /* takes no more for now; NULL: none */
	struct buf rest;     /* of the last piece: what was not written yet */
	char first_words[FIRST_WORDS_BYTES];
	size_t first_len;

	struct timer tell; /* a callback is due */
	bool opened_is_due, is_over;
	struct error why;
	void (*opened)(void *arg);
	void (*ended)(void *arg, const struct error *e);
	void *arg;
};

static char piece[PIECE_BYTES]; /* shared: hundreds of us wait */

/* The end */

static void
close_at(struct docker_stream *s, struct watch *w, int *fd)
{
	loop_unwatch(s->loop, w);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
close_input(struct docker_stream *s)
{
	close_at(s, &s->readable, &s->in);
}

static void
close_all(struct docker_stream *s)
{
	if (s->upgrade)
		docker_upgrade_drop(s->upgrade);
	s->upgrade = NULL;
	close_at(s, &s->talk, &s->socket);
	close_input(s);
	close_at(s, &s->out.writable, &s->out.fd);
	close_at(s, &s->err.writable, &s->err.fd);
}

void
docker_stream_drop(struct docker_stream *s)
{
	close_all(s);
	loop_unset(s->loop, &s->tell);
	buf_fini(&s->to_send);
	buf_fini(&s->rest);
	free(s);
}

/* Callbacks are called from here only, so they may drop the stream. */
static void
on_tell(struct timer *t)
{
	struct docker_stream *s = container_of(t, struct docker_stream, tell);

	if (s->opened_is_due) {
		s->opened_is_due = false;
		if (s->is_over)
			loop_set(s->loop, &s->tell, 0, on_tell);
		if (s->opened)
			s->opened(s->arg);
		return;
	}
	s->ended(s->arg, s->why.code ? &s->why : NULL);
	docker_stream_drop(s);
}

/* `e` is NULL if all is well.  False, for functions that say whether the stream
 * goes on. */
static bool
end(struct docker_stream *s, const struct error *e)
{
	if (s->is_over)
		return false;
	s->is_over = true;
	if (e)
		s->why = *e;
	close_all(s);
	loop_set(s->loop, &s->tell, 0, on_tell);
	return false;
}

/* Watches */

static void on_talk(struct watch *);

/* The connection is not watched at all while a pipe is full and nothing is to
 * be sent: epoll reports a hang-up even if it is asked for no events. */
static void
watch_talk(struct docker_stream *s)
{
	uint32_t events = 0;
	struct error e;

	if (s->is_over)
		return;
	if (!s->full)
		events |= EPOLLIN;
	if (s->to_send.len)
		events |= EPOLLOUT;
	if (!events)
		loop_unwatch(s->loop, &s->talk);
	else if (s->talk.fd < 0 &&
		 !loop_watch(s->loop, &s->talk, s->socket, events, on_talk, &e))
		end(s, &e);
	else if (events != s->talk_events)
		loop_rewatch(s->loop, &s->talk, events);
	s->talk_events = events;
}

static void on_input(struct watch *);

/* The input is read when the engine has taken what was read before. */
static void
watch_input(struct docker_stream *s)
{
	struct error e;

	if (s->in < 0)
		return;
	if (s->to_send.len)
		loop_unwatch(s->loop, &s->readable);
	else if (s->readable.fd < 0 && !loop_watch(s->loop, &s->readable, s->in,
						   EPOLLIN, on_input, &e))
		end(s, &e);
}

/* To the engine */

/* How many bytes were taken.  If nobody takes any more they are all thrown
 * away; what the engine still says is heard nevertheless. */
static size_t
send_some(struct docker_stream *s, struct str bytes)
{
	ssize_t n;

	do
		n = send(s->socket, bytes.ptr, bytes.len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return (size_t)n;
	if (errno == EAGAIN)
		return 0;
	close_input(s);
	return bytes.len;
}

static void
send_rest(struct docker_stream *s)
{
	buf_drop(&s->to_send, send_some(s, buf_str(&s->to_send)));
	watch_input(s);
}

static void
on_input(struct watch *w)
{
	struct docker_stream *s =
		container_of(w, struct docker_stream, readable);
	ssize_t n = read(s->in, piece, sizeof piece);
	size_t sent;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_input(s);
		(void)shutdown(s->socket, SHUT_WR);
		return;
	}
	sent = send_some(s, (struct str){ piece, (size_t)n });
	if (sent == (size_t)n)
		return;
	buf_put(&s->to_send, (struct str){ piece + sent, (size_t)n - sent });
	watch_input(s);
	watch_talk(s);
}

/* From the engine */

static void on_writable(struct watch *);

/* How many bytes the pipe has taken; all if nobody reads it. */
static size_t
write_some(struct docker_stream *s, struct outlet *o, struct str bytes)
{
	struct error e;
	ssize_t n;

	if (o->fd < 0)
		return bytes.len;
	do
		n = write(o->fd, bytes.ptr, bytes.len);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN) {
		close_at(s, &o->writable, &o->fd);
		return bytes.len;
	}
	if (n == (ssize_t)bytes.len)
		return bytes.len;
	s->full = o;
	if (!loop_watch(s->loop, &o->writable, o->fd, EPOLLOUT, on_writable,
			&e))
		end(s, &e);
	return n < 0 ? 0 : (size_t)n;
}

static void
keep_first_words(struct docker_stream *s, struct str bytes)
{
	size_t room = sizeof s->first_words - s->first_len;
	size_t n = bytes.len < room ? bytes.len : room;

	memcpy(s->first_words + s->first_len, bytes.ptr, n);
	s->first_len += n;
}

/* Takes off what its pipe takes. */
static bool
relay_payload(struct docker_stream *s, struct str *bytes, struct str payload)
{
	int stream = frames_stream(&s->frames);
	struct error e;
	size_t n;

	if (stream == FRAME_ENGINE) {
		fail_with(&e, ERR_UNAVAILABLE, "docker: " STR_FMT,
			  STR_ARG(str_trim(payload)));
		return end(s, &e);
	}
	n = write_some(s, stream == FRAME_OUT ? &s->out : &s->err, payload);
	if (stream == FRAME_OUT)
		keep_first_words(s, (struct str){ payload.ptr, n });
	frames_used(&s->frames, bytes, n);
	return !s->is_over;
}

/* Until there are no more bytes, or a pipe is full; leaves what is left in
 * `bytes`. */
static bool
relay(struct docker_stream *s, struct str *bytes)
{
	struct str payload;
	struct error e;

	while (!s->full) {
		if (!frames_next(&s->frames, bytes, &payload, &e))
			return end(s, &e);
		if (!payload.len)
			return true;
		if (!relay_payload(s, bytes, payload))
			return false;
	}
	return true;
}

static void
relay_rest(struct docker_stream *s)
{
	struct str bytes = buf_str(&s->rest);

	if (relay(s, &bytes))
		buf_drop(&s->rest, s->rest.len - bytes.len);
	watch_talk(s);
}

static void
on_writable(struct watch *w)
{
	struct outlet *o = container_of(w, struct outlet, writable);

	loop_unwatch(o->stream->loop, w);
	o->stream->full = NULL;
	relay_rest(o->stream);
}

static void
on_hang_up(struct docker_stream *s, int error_number)
{
	struct error e;

	if (!error_number) {
		end(s, frames_end(&s->frames, &e) ? NULL : &e);
		return;
	}
	docker_was_lost(s->api);
	fail_with(&e, ERR_UNAVAILABLE,
		  "docker: the engine at %s has gone away: %s",
		  docker_socket(s->api), strerrordesc_np(error_number));
	end(s, &e);
}

static void
receive(struct docker_stream *s)
{
	ssize_t n = recv(s->socket, piece, sizeof piece, 0);
	struct str bytes = { piece, n > 0 ? (size_t)n : 0 };

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		on_hang_up(s, n ? errno : 0);
	else if (relay(s, &bytes))
		buf_put(&s->rest, bytes);
}

static void
on_talk(struct watch *w)
{
	struct docker_stream *s = container_of(w, struct docker_stream, talk);
	uint32_t events = w->events;

	if (s->to_send.len && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		send_rest(s);
	if (!s->full && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		receive(s);
	watch_talk(s);
}

/* The start */

static void
on_upgraded(void *arg, int fd, struct str first, const struct error *e)
{
	struct docker_stream *s = arg;

	s->upgrade = NULL;
	if (fd < 0) {
		end(s, e);
		return;
	}
	s->socket = fd;
	s->opened_is_due = true;
	loop_set(s->loop, &s->tell, 0, on_tell);
	if (s->in < 0)
		(void)shutdown(fd, SHUT_WR);
	watch_input(s);
	buf_put(&s->rest, first);
	relay_rest(s);
}

static bool
copy_end(int fd, int *to, struct error *e)
{
	if (fd < 0)
		return true;
	*to = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (*to < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return fail_errno(e, "pipe to a container");
	return true;
}

static bool
copy_ends(struct docker_stream *s, const struct docker_ends *ends,
	  struct error *e)
{
	return copy_end(ends->in, &s->in, e) &&
	       copy_end(ends->out, &s->out.fd, e) &&
	       copy_end(ends->err, &s->err.fd, e);
}

struct docker_stream *
docker_stream_open(struct docker_api *a, const char *path, json_t *body,
		   const struct docker_ends *ends, void (*opened)(void *arg),
		   void (*ended)(void *arg, const struct error *e), void *arg)
{
	struct docker_stream *s = xcalloc(1, sizeof *s);
	struct error e;

	s->api = a;
	s->loop = docker_loop(a);
	s->socket = s->in = s->out.fd = s->err.fd = -1;
	s->talk = s->readable = WATCH_INIT;
	s->out.writable = s->err.writable = WATCH_INIT;
	s->out.stream = s->err.stream = s;
	s->to_send = s->rest = BUF_INIT(PIECE_BYTES);
	s->opened = opened;
	s->ended = ended;
	s->arg = arg;
	s->upgrade = docker_upgrade(a, path, body, on_upgraded, s);
	if (!copy_ends(s, ends, &e))
		end(s, &e);
	return s;
}

struct str
docker_stream_first_words(const struct docker_stream *s)
{
	return (struct str){ s->first_words, s->first_len };
}
