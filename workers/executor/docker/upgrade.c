#include "workers/executor/docker/upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/buf.h"

enum {
	READ_BYTES = 4096,
	ANSWER_MS = 20000,    /* from the first attempt to the answer */
	REFUSAL_MS = 2000,    /* for the words that follow a refusal */
	CONNECT_AGAIN_MS = 5, /* while the engine's queue is full */
	SWITCHING_PROTOCOLS = 101,
	BAD_REQUEST = 400,
};

struct docker_upgrade {
	struct docker_api *api;
	struct loop *loop;
	char *path, *body;
	struct docker_call *ping; /* to know the version; NULL: not sent */
	struct timer next;	  /* step, until the request is sent */
	struct timer late;
	int fd; /* -1: none yet */
	struct watch watch;
	struct buf to_send, heard;
	int status; /* 0: no answer yet; else it is a refusal */
	docker_upgraded *upgraded;
	void *arg;
};

/* The end */

void
docker_upgrade_drop(struct docker_upgrade *u)
{
	if (u->ping)
		docker_drop(u->ping);
	loop_unset(u->loop, &u->next);
	loop_unset(u->loop, &u->late);
	loop_unwatch(u->loop, &u->watch);
	if (u->fd >= 0)
		close(u->fd);
	buf_fini(&u->to_send);
	buf_fini(&u->heard);
	free(u->path);
	free(u->body);
	free(u);
}

/* Nothing may be done after this. */
static void
fail_upgrade(struct docker_upgrade *u, const struct error *why)
{
	docker_upgraded *upgraded = u->upgraded;
	void *arg = u->arg;
	struct error e = *why;

	docker_upgrade_drop(u);
	upgraded(arg, -1, STR(""), &e);
}

static void
finish(struct docker_upgrade *u)
{
	docker_upgraded *upgraded = u->upgraded;
	void *arg = u->arg;
	struct buf heard = u->heard;
	int fd = u->fd;

	loop_unwatch(u->loop, &u->watch);
	u->fd = -1;
	u->heard = BUF_INIT(0);
	docker_upgrade_drop(u);
	upgraded(arg, fd, buf_str(&heard), NULL);
	buf_fini(&heard);
}

static void
engine_is_gone(struct docker_upgrade *u, int error_number)
{
	struct error e;

	docker_was_lost(u->api);
	fail_with(&e, ERR_UNAVAILABLE,
		  "docker: the engine at %s has gone away: %s",
		  docker_socket(u->api), strerrordesc_np(error_number));
	fail_upgrade(u, &e);
}

/* The answer */

static void
refuse(struct docker_upgrade *u, const json_t *answer)
{
	struct error e;

	if (u->status == BAD_REQUEST) /* perhaps because of the version */
		docker_was_lost(u->api);
	if (docker_agrees(u->status, answer, NULL, &e))
		fail_with(&e, ERR_PROTOCOL,
			  "docker: the engine makes no stream (%d)", u->status);
	fail_upgrade(u, &e);
}

static void
on_late(struct timer *t)
{
	struct docker_upgrade *u = container_of(t, struct docker_upgrade, late);
	struct error e;

	if (u->status) {
		refuse(u, NULL);
		return;
	}
	docker_does_not_answer(u->api, &e);
	fail_upgrade(u, &e);
}

/* The words of a refusal are the first JSON object in its body: the end of the
 * body may not be the end of the connection, and it may come in chunks. */
static void
hear_refusal(struct docker_upgrade *u)
{
	struct str body = buf_str(&u->heard);
	const char *start = body.len ? memchr(body.ptr, '{', body.len) : NULL;
	json_t *answer = NULL;

	if (start)
		answer =
			json_loadb(start, body.len - (size_t)(start - body.ptr),
				   JSON_DISABLE_EOF_CHECK, NULL);
	if (answer)
		refuse(u, answer);
	json_decref(answer);
}

/* Of "HTTP/1.1 101 UPGRADED"; 0: this is none. */
static int
status_of(struct str head)
{
	char line[sizeof "HTTP/1.1 101"];
	int status = 0;

	if (head.len < sizeof line)
		return 0;
	str_keep(line, sizeof line, (struct str){ head.ptr, sizeof line - 1 });
	return sscanf(line, "HTTP/1.%*1d %3d", &status) == 1 ? status : 0;
}

static void
hear_head(struct docker_upgrade *u)
{
	struct str head = buf_str(&u->heard);
	const char *blank = memmem(head.ptr, head.len, "\r\n\r\n", 4);
	struct error e;

	if (!blank && head.len <= MAX_HEAD)
		return;
	u->status = blank ? status_of(head) : 0;
	if (!u->status) {
		fail_with(&e, ERR_PROTOCOL,
			  "what answers at %s is no Docker engine",
			  docker_socket(u->api));
		fail_upgrade(u, &e);
		return;
	}
	buf_drop(&u->heard, (size_t)(blank + 4 - head.ptr));
	if (u->status == SWITCHING_PROTOCOLS) {
		finish(u);
		return;
	}
	loop_set(u->loop, &u->late, REFUSAL_MS, on_late);
	hear_refusal(u);
}

/* Of a refusal that is too long, the engine's words are not known. */
static void
hear(struct docker_upgrade *u, struct str bytes)
{
	if (u->heard.len > MAX_HEAD) {
		refuse(u, NULL);
		return;
	}
	buf_put(&u->heard, bytes);
	if (u->status)
		hear_refusal(u);
	else
		hear_head(u);
}

static void
receive(struct docker_upgrade *u)
{
	char piece[READ_BYTES];
	ssize_t n = recv(u->fd, piece, sizeof piece, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		hear(u, (struct str){ piece, (size_t)n });
	else if (u->status)
		refuse(u, NULL);
	else
		engine_is_gone(u, n ? errno : ECONNRESET);
}

/* The request */

/* If the connection is broken, what was said on it may say why. */
static void
send_request(struct docker_upgrade *u)
{
	struct str left = buf_str(&u->to_send);
	ssize_t n = send(u->fd, left.ptr, left.len, MSG_NOSIGNAL);

	if (n > 0)
		buf_drop(&u->to_send, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR)
		buf_drop(&u->to_send, left.len);
	if (!u->to_send.len)
		loop_rewatch(u->loop, &u->watch, EPOLLIN);
}

static void
on_talk(struct watch *w)
{
	struct docker_upgrade *u =
		container_of(w, struct docker_upgrade, watch);

	if (u->to_send.len)
		send_request(u);
	if (w->events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		receive(u);
}

static void
ask(struct docker_upgrade *u)
{
	size_t len = u->body ? strlen(u->body) : 0;
	auto_free char *request =
		copy_format("POST %s%s HTTP/1.1\r\nHost: docker\r\n"
			    "User-Agent: cli-bridge/" VERSION "\r\n"
			    "Connection: Upgrade\r\nUpgrade: tcp\r\n"
			    "%sContent-Length: %zu\r\n\r\n%s",
			    docker_prefix(u->api), u->path,
			    len ? "Content-Type: application/json\r\n" : "",
			    len, len ? u->body : "");
	struct error e;

	u->to_send = BUF_INIT(strlen(request));
	buf_put(&u->to_send, str_of(request));
	if (!loop_watch(u->loop, &u->watch, u->fd, EPOLLIN | EPOLLOUT, on_talk,
			&e))
		fail_upgrade(u, &e);
}

static void
on_connect(struct timer *t)
{
	struct docker_upgrade *u = container_of(t, struct docker_upgrade, next);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct error e;

	str_keep(a.sun_path, sizeof a.sun_path, str_of(docker_socket(u->api)));
	if (connect(u->fd, (void *)&a, sizeof a) == 0) {
		ask(u);
	} else if (errno == EAGAIN || errno == EINTR) {
		loop_set(u->loop, t, CONNECT_AGAIN_MS, on_connect);
	} else {
		docker_cant_be_reached(u->api, errno, &e);
		fail_upgrade(u, &e);
	}
}

static void
make_socket(struct docker_upgrade *u)
{
	struct error e;

	u->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (u->fd >= 0) {
		on_connect(&u->next);
		return;
	}
	fail_errno(&e, "socket to the Docker engine");
	fail_upgrade(u, &e);
}

static void
on_ping(void *arg, int status, json_t *answer, const struct error *e)
{
	struct docker_upgrade *u = arg;

	u->ping = NULL;
	if (status)
		make_socket(u);
	else
		fail_upgrade(u, e);
}

/* Any request makes the version known, whatever its answer is. */
static void
on_start(struct timer *t)
{
	struct docker_upgrade *u = container_of(t, struct docker_upgrade, next);

	if (*docker_prefix(u->api))
		make_socket(u);
	else
		u->ping = docker_ask(u->api, "GET", "/_ping", NULL, on_ping, u);
}

struct docker_upgrade *
docker_upgrade(struct docker_api *a, const char *path, json_t *body,
	       docker_upgraded *upgraded, void *arg)
{
	struct docker_upgrade *u = xcalloc(1, sizeof *u);

	u->api = a;
	u->loop = docker_loop(a);
	u->path = copy(str_of(path));
	u->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
	u->fd = -1;
	u->watch = WATCH_INIT;
	u->heard = BUF_INIT(MAX_HEAD + READ_BYTES);
	u->upgraded = upgraded;
	u->arg = arg;
	json_decref(body);
	loop_set(u->loop, &u->late, ANSWER_MS, on_late);
	loop_set(u->loop, &u->next, 0, on_start);
	return u;
}
