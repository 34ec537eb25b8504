#include "proto/socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/stream.h"

enum { MAX_DOUBLINGS = 5 };

/* The threads that NNG 1.5.2 starts with its first socket, and a few more. */
enum { THREADS = 9, THREADS_A_CORE = 3 };

enum {			     /* milliseconds */
       RECONNECT_MIN_MS = 5, /* doubled after each failure */
       RECONNECT_MAX_MS = 1000,
       REDIAL_MS = 3000, /* doubled after each try */
       HURRY_MS = 500,	 /* the same, when the peer is known to listen */
};

bool
socket_fail(struct error *e, int code, const char *what, const char *url)
{
	return fail_with(e, ERR_SYSTEM, "%s %s: %s", what, url,
			 nng_strerror(code));
}

/* A thread that lives as long as the lock is held. */
static void *
wait_for_lock(void *lock)
{
	pthread_mutex_lock(lock);
	pthread_mutex_unlock(lock);
	return NULL;
}

/* How many of `count` threads can exist at once. */
static size_t
try_threads(pthread_t *threads, size_t count)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	size_t n = 0;

	pthread_mutex_lock(&lock);
	while (n < count &&
	       pthread_create(&threads[n], NULL, wait_for_lock, &lock) == 0)
		n++;
	pthread_mutex_unlock(&lock);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return n;
}

bool
socket_prepare(struct error *e)
{
	static bool is_prepared;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count =
		THREADS + THREADS_A_CORE * (size_t)(cores > 0 ? cores : 1);
	auto_free pthread_t *threads = xcalloc(count, sizeof *threads);
	size_t n = is_prepared ? count : try_threads(threads, count);

	if (n < count)
		return fail_with(
			e, ERR_SYSTEM,
			"only %zu of %zu threads can be started: raise "
			"the limits of processes (ulimit -u, "
			"TasksMax=) and of memory (ulimit -v, "
			"MemoryMax=)",
			n, count);
	is_prepared = true;
	return true;
}

void
socket_log(const char *way, const struct msg *m)
{
	struct buf line = BUF_INIT(64 << 10);

	if (!log_is_on(LOG_DEBUG))
		return;
	msg_print(&line, m);
	log_debug("%s %.*s", way, (int)line.len, line.ptr);
	buf_fini(&line);
}

void
socket_close(nng_socket *sock)
{
	if (nng_socket_id(*sock) > 0)
		(void)nng_close(*sock);
	*sock = (nng_socket)NNG_SOCKET_INITIALIZER;
}

/* The path may be new: no other user may connect to it. */
int
socket_listen(nng_socket sock, const char *url)
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
 * Sending.  One aio is used for every message, while nng_sendmsg() makes a new
 * one each time.  The message is sent or refused when this returns.
 */
int
socket_send(nng_socket sock, nng_aio *aio, nng_msg *raw)
{
	nng_aio_set_msg(aio, raw);
	nng_send_aio(sock, aio);
	nng_aio_wait(aio);
	return nng_aio_result(aio);
}

int
sending_init(nng_aio **aio, nng_duration timeout)
{
	int r = nng_aio_alloc(aio, NULL, NULL);

	if (r == 0)
		nng_aio_set_timeout(*aio, timeout);
	return r;
}

void
sending_fini(nng_aio **aio)
{
	if (*aio)
		nng_aio_free(*aio); /* waits for its callback */
	*aio = NULL;
}

/* Mailbox */

/* Runs in a thread of NNG's. */
static void
on_received(void *arg)
{
	struct mailbox *b = arg;
	uint64_t one = 1;
	bool signal;

	if (nng_aio_result(b->receiving) != 0)
		return; /* the socket is being closed */
	pthread_mutex_lock(&b->lock);
	b->mail[(b->first + b->len++) % MAX_MAIL] =
		nng_aio_get_msg(b->receiving);
	b->full = b->single || b->len == MAX_MAIL;
	signal = !b->signalled;
	b->signalled = true;
	if (!b->full)
		nng_recv_aio(b->sock, b->receiving);
	pthread_mutex_unlock(&b->lock);
	if (signal)
		(void)!write(b->watch.fd, &one, sizeof one);
}

nng_msg *
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

/*
 * Call this before taking messages: one that arrives meanwhile signals again.
 */
void
mailbox_clear(struct mailbox *b)
{
	uint64_t n;

	(void)!read(b->watch.fd, &n, sizeof n);
	pthread_mutex_lock(&b->lock);
	b->signalled = false;
	pthread_mutex_unlock(&b->lock);
}

/* Has the rest of the messages handled after other callbacks had a turn. */
void
mailbox_signal(struct mailbox *b)
{
	uint64_t one = 1;

	(void)!write(b->watch.fd, &one, sizeof one);
}

void
mailbox_ask(struct mailbox *b)
{
	nng_recv_aio(b->sock, b->receiving);
}

bool
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
		return socket_fail(e, r, "open", url);
	nng_aio_set_timeout(b->receiving, NNG_DURATION_INFINITE);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return fail_errno(e, "eventfd");
	if (loop_watch(loop, &b->watch, fd, EPOLLIN, ready, e))
		return true;
	close(fd);
	return false;
}

void
mailbox_fini(struct mailbox *b)
{
	int fd = b->watch.fd;

	sending_fini(&b->receiving); /* nothing is received from here on */
	sending_fini(&b->sending);
	for (; b->len; b->len--, b->first++)
		nng_msg_free(b->mail[b->first % MAX_MAIL]);
	if (fd < 0)
		return;
	loop_unwatch(b->loop, &b->watch);
	close(fd);
	pthread_mutex_destroy(&b->lock);
}

/* Presence */

static struct pipe *
find_pipe(struct presence *p, uint32_t id)
{
	for (size_t i = 0; i < MAX_PIPES; i++)
		if (p->pipes[i].id == id)
			return &p->pipes[i];
	return NULL;
}

/* NULL: there are too many pipes, or there has been the only one. */
static struct pipe *
place_for_pipe(struct presence *p)
{
	struct pipe *place =
		p->serves_one && p->is_taken ? NULL : find_pipe(p, 0);

	p->is_taken |= place != NULL;
	return place;
}

/*
 * A pipe is noted before it is used, and counts from when it is.  If it ends
 * in that very moment, NNG tells its end first and its beginning then: such a
 * pipe never counts.  False: there are too many.
 */
static bool
note_pipe(struct presence *p, uint32_t id, nng_pipe_ev what)
{
	bool is_new = what == NNG_PIPE_EV_ADD_PRE;
	struct pipe *pipe;

	pthread_mutex_lock(&p->lock);
	pipe = is_new ? place_for_pipe(p) : find_pipe(p, id);
	if (pipe && is_new) {
		*pipe = (struct pipe){ .id = id };
	} else if (pipe && what == NNG_PIPE_EV_ADD_POST) {
		pipe->is_open = true;
		atomic_fetch_add(&p->came, 1);
	} else if (pipe) {
		p->is_spent = p->serves_one;
		atomic_fetch_add(&p->went, pipe->is_open);
		*pipe = (struct pipe){ 0 };
	}
	pthread_mutex_unlock(&p->lock);
	return pipe || !is_new;
}

/*
 * Runs in a thread of NNG's.  NNG reports also the end of refused connections,
 * which were not noted.
 */
static void
on_pipe(nng_pipe pipe, nng_pipe_ev what, void *arg)
{
	struct presence *p = arg;
	uint64_t one = 1;

	if (note_pipe(p, (uint32_t)nng_pipe_id(pipe), what))
		(void)!write(p->watch.fd, &one, sizeof one);
	else
		nng_pipe_close(pipe);
}

/* 0: unknown. */
static pid_t
parent_of(pid_t pid)
{
	char path[32], line[512], *end;
	int fd, parent = 0;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, line, sizeof line - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	end = strrchr(line, ')'); /* the name before it may contain a ')' */
	if (!end || sscanf(end, ") %*c %d", &parent) != 1)
		return 0;
	return parent;
}

/* In a namespace of process numbers /proc may still show those of another. */
static bool
proc_shows_us(void)
{
	char self[16];
	ssize_t n = readlink("/proc/self", self, sizeof self - 1);

	self[n > 0 ? n : 0] = '\0';
	return strtol(self, NULL, 10) == getpid();
}

/* Where /proc tells nothing of us, the user and the directory must do. */
static bool
is_kin(pid_t pid, pid_t parent)
{
	return pid == getpid() || pid == getppid() ||
	       (parent && parent == getppid()) || !proc_shows_us();
}

/*
 * Runs in a thread of NNG's.  A process that reads a pipeline takes events from
 * their reader, so it is not enough that it belongs to the same user.
 */
static void
on_stranger(nng_pipe pipe, nng_pipe_ev what, void *arg)
{
	struct presence *p = arg;
	uint64_t pid = 0, one = 1;
	pid_t parent = 0;

	if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &pid) == 0)
		parent = parent_of((pid_t)pid);
	if (pid && is_kin((pid_t)pid, parent)) {
		if (p)
			on_pipe(pipe, what, p);
		return;
	}
	nng_pipe_close(pipe);
	if (!p || (pid && !parent)) /* it has ended: perhaps one of ours */
		return;
	atomic_store(&p->stranger, (int)pid);
	(void)!write(p->watch.fd, &one, sizeof one);
}

int
presence_guard(nng_socket sock, struct presence *p)
{
	return nng_pipe_notify(sock, NNG_PIPE_EV_ADD_PRE, on_stranger, p);
}

/*
 * NNG's dialer dials again by itself, but waits up to RECONNECT_MAX_MS, and its
 * peer may be hung.  So a dialer without a connection is replaced after a
 * while. Not often: 1.5.2 holds the descriptor of a failed attempt for a while,
 * and closing the socket waits for all of them.
 */
static void on_redial(struct timer *);

static void
redial(struct presence *p)
{
	int r;

	if (p->redials < MAX_DOUBLINGS)
		p->redials++;
	loop_set(p->loop, &p->redial, (uint64_t)REDIAL_MS << p->redials,
		 on_redial);
	(void)nng_dialer_close(p->dialer);
	r = nng_dial(p->sock, p->url, &p->dialer, NNG_FLAG_NONBLOCK);
	if (r != 0)
		log_warn("dial %s: %s", p->url, nng_strerror(r));
}

/* May be so before the loop has looked. */
static bool
has_connection(const struct presence *p)
{
	unsigned came = atomic_load(&p->came), went = atomic_load(&p->went);

	return (int)(came - went) > 0 && (int)(came - p->void_up_to) > 0;
}

/* A connection that has just come is not to be closed with its dialer. */
static void
on_redial(struct timer *t)
{
	struct presence *p = container_of(t, struct presence, redial);

	if (has_connection(p))
		loop_set(p->loop, t, REDIAL_MS, on_redial);
	else
		redial(p);
}

/*
 * Not at once: the peer may be shaking hands with the dialer that there is.
 */
void
presence_hurry(struct presence *p)
{
	if (p->connected || !p->url)
		return;
	p->redials = 0;
	loop_set(p->loop, &p->redial, HURRY_MS, on_redial);
}

void
presence_renew(struct presence *p)
{
	presence_void(p);
	if ((int)(p->void_up_to - atomic_load(&p->went)) > 0)
		redial(p);
}

void
presence_void(struct presence *p)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < MAX_PIPES; i++)
		p->void_pipes[i] = p->pipes[i].is_open ? p->pipes[i].id : 0;
	pthread_mutex_unlock(&p->lock);
	p->void_up_to = atomic_load(&p->came);
	p->connected = false;
	loop_set(p->loop, &p->redial, REDIAL_MS, on_redial);
}

bool
presence_is_void(const struct presence *p, uint32_t pipe)
{
	for (size_t i = 0; i < MAX_PIPES; i++)
		if (p->void_pipes[i] && p->void_pipes[i] == pipe)
			return true;
	return false;
}

void
presence_serve_one(struct presence *p, void (*spent)(struct presence *))
{
	p->serves_one = true;
	p->spent = spent;
}

/*
 * NNG tells the end of a pipe before it frees it, and waits until it has been
 * told: with the lock a message is sent before that, or not at all.
 */
int
presence_send(struct presence *p, nng_socket sock, nng_aio *aio, nng_msg *raw)
{
	int r;

	pthread_mutex_lock(&p->lock);
	r = p->is_spent ? NNG_ECLOSED : socket_send(sock, aio, raw);
	pthread_mutex_unlock(&p->lock);
	return r;
}

bool
presence_is_taken(struct presence *p)
{
	bool is_taken;

	pthread_mutex_lock(&p->lock);
	is_taken = p->is_taken;
	pthread_mutex_unlock(&p->lock);
	return is_taken;
}

static bool
is_spent(struct presence *p)
{
	bool is_spent;

	pthread_mutex_lock(&p->lock);
	is_spent = p->is_spent;
	pthread_mutex_unlock(&p->lock);
	return is_spent;
}

static void
warn_if_unguarded(void)
{
	static bool is_known;

	if (!is_known && !stream_is_guarded())
		log_warn("this build of NNG's library does not call our "
			 "nng_stream_recv(): if a connection ends in the "
			 "middle of a message, this process may hang");
	is_known = true;
}

static void
set_connected(struct presence *p, bool connected)
{
	if (p->connected == connected)
		return;
	p->connected = connected;
	p->redials = 0;
	if (connected)
		warn_if_unguarded();
	if (connected)
		loop_unset(p->loop, &p->redial);
	else if (p->url)
		loop_set(p->loop, &p->redial, REDIAL_MS, on_redial);
	p->changed(p);
}

int
presence_dial(struct presence *p, nng_socket sock, const char *url)
{
	int r = nng_socket_set_ms(sock, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);

	if (r == 0)
		r = nng_socket_set_ms(sock, NNG_OPT_RECONNMAXT,
				      RECONNECT_MAX_MS);
	if (r != 0)
		return r;
	p->sock = sock;
	p->url = copy(str_of(url));
	loop_set(p->loop, &p->redial, REDIAL_MS, on_redial);
	return nng_dial(sock, url, &p->dialer, NNG_FLAG_NONBLOCK);
}

/* A peer that came and went between two looks is reported as both. */
static void
presence_look(struct presence *p)
{
	unsigned went = atomic_load(&p->went);
	int stranger = atomic_exchange(&p->stranger, 0);

	if (stranger)
		log_warn("process %d is none of ours, and may not talk with "
			 "us: its connection was refused",
			 stranger);
	if (went != p->went_seen) {
		p->went_seen = went;
		set_connected(p, false);
	}
	set_connected(p, has_connection(p));
	if (is_spent(p)) /* it may have ended since */
		set_connected(p, false);
	if (is_spent(p)) /* `changed` may have opened a new socket */
		p->spent(p);
}

static void
on_presence(struct watch *w)
{
	struct presence *p = container_of(w, struct presence, watch);
	uint64_t n;

	(void)!read(w->fd, &n, sizeof n);
	presence_look(p);
}

bool
presence_init(struct presence *p, struct loop *loop,
	      void (*changed)(struct presence *), struct error *e)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	p->loop = loop;
	p->changed = changed;
	pthread_mutex_init(&p->lock, NULL);
	if (fd < 0)
		return fail_errno(e, "eventfd");
	if (loop_watch(loop, &p->watch, fd, EPOLLIN, on_presence, e))
		return true;
	close(fd);
	return false;
}

/* Call this after the socket is closed: then no callback of NNG's runs. */
void
presence_fini(struct presence *p)
{
	int fd = p->watch.fd;

	if (fd < 0)
		return;
	loop_unset(p->loop, &p->redial);
	loop_unwatch(p->loop, &p->watch);
	close(fd);
	pthread_mutex_destroy(&p->lock);
	free(p->url);
	*p = PRESENCE_INIT;
}

int
presence_watch(nng_socket sock, struct presence *p)
{
	int r = nng_pipe_notify(sock, NNG_PIPE_EV_ADD_PRE, on_pipe, p);

	if (r == 0)
		r = nng_pipe_notify(sock, NNG_PIPE_EV_ADD_POST, on_pipe, p);
	return r ? r : nng_pipe_notify(sock, NNG_PIPE_EV_REM_POST, on_pipe, p);
}
