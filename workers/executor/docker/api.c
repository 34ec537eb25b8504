#include "workers/executor/docker/api.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/buf.h"
#include "workers/executor/docker/settings.h"
#include "workers/io/http.h"
#include "workers/io/json.h"

enum {
	DEADLINE_MS = 60000, /* of one answer */
	VERSION_MS = 20000,  /* of an engine that need do nothing for it */

	/* Versions 1.N of the API: what we need, and what we know. */
	OLDEST_MINOR = 40,
	NEWEST_MINOR = 47,
};

struct docker_api {
	struct loop *loop;
	struct http *http;
	char *socket;
	char prefix[16];	   /* "/v1.41"; "": not known */
	struct http_call *version; /* under way; NULL: not asked */
	struct list calls;	   /* that wait for an answer... */
	struct list waiting;	   /* ...or for the version... */
	struct list refused;	   /* ...or to be told that there is none */
	bool *was_freed;	   /* set by docker_api_free(), if not NULL */
};

struct docker_call {
	struct docker_api *api;
	struct list *list; /* the one of the engine's lists that it is in */
	struct node node;
	struct http_call *call; /* NULL: it waits for the version */
	char *method, *path, *body;
	uint64_t deadline_ms;
	bool was_repeated;
	docker_answered *answered;
	void *arg;
};

/* Errors */

bool
docker_agrees(int status, const json_t *answer, const struct error *no_answer,
	      struct error *e)
{
	const char *message = json_text(answer, "message");
	struct str words = str_trim(str_of(message));

	if (!status) {
		*e = *no_answer;
		return false;
	}
	if (status < 400)
		return true;
	if (!words.len)
		words = STR("the engine refuses, and does not say why");
	return fail_with(e, ERR_UNAVAILABLE, "docker: " STR_FMT " (%d)",
			 STR_ARG(words), status);
}

static bool
no_engine(const struct docker_api *a, const char *why, struct error *e)
{
	bool is_forbidden =
		faccessat(AT_FDCWD, a->socket, R_OK | W_OK, AT_EACCESS) < 0 &&
		errno == EACCES;

	return fail_with(
		e, ERR_UNAVAILABLE, "no Docker engine answers: %s; %s", why,
		is_forbidden
			? "put the user that cli-bridge runs as into the group "
			  "of that socket (usermod -aG docker), and start "
			  "cli-bridge again from a new login"
			: "start it, or set DOCKER_HOST to where one is");
}

bool
docker_does_not_answer(struct docker_api *a, struct error *e)
{
	docker_was_lost(a);
	return fail_with(e, ERR_UNAVAILABLE,
			 "the Docker engine at %s does not answer: restart it "
			 "if it does not do so soon",
			 a->socket);
}

bool
docker_cant_be_reached(struct docker_api *a, int error_number, struct error *e)
{
	struct error why;

	docker_was_lost(a);
	fail_with(&why, ERR_UPSTREAM, "%s can't be reached: %s", a->socket,
		  strerrordesc_np(error_number));
	return no_engine(a, why.text, e);
}

/* Calls */

static void
move(struct docker_call *c, struct list *to)
{
	if (c->list)
		list_remove(c->list, &c->node);
	list_append(to, &c->node);
	c->list = to;
}

static void
call_free(struct docker_call *c)
{
	list_remove(c->list, &c->node);
	free(c->method);
	free(c->path);
	free(c->body);
	free(c);
}

void
docker_drop(struct docker_call *c)
{
	if (c->call)
		http_drop(c->call);
	call_free(c);
}

static void
end_call(struct docker_call *c, int status, json_t *answer,
	 const struct error *e)
{
	docker_answered *answered = c->answered;
	void *arg = c->arg;

	call_free(c);
	answered(arg, status, answer, e);
}

static void ask_version(struct docker_api *);

static void
wait_for_version(struct docker_api *a, struct docker_call *c)
{
	move(c, &a->waiting);
	if (!a->version)
		ask_version(a);
}

/* Such as "client version 1.47 is too new. Maximum supported API version is
 * 1.41": the engine has been replaced by another one. */
static bool
is_about_version(int status, const json_t *answer)
{
	const char *message = json_text(answer, "message");

	return status == 400 && message &&
	       str_starts(str_of(message), STR("client version "));
}

static bool
learn_no_answer(struct docker_api *a, const struct error *from, struct error *e)
{
	if (from->code == ERR_TIMEOUT)
		return docker_does_not_answer(a, e);
	docker_was_lost(a);
	return no_engine(a, from->text, e);
}

static void
on_answer(void *arg, int status, struct str body, const struct error *e)
{
	struct docker_call *c = arg;
	struct docker_api *a = c->api;
	json_t *answer = NULL;
	struct error why;

	c->call = NULL;
	if (status)
		answer = json_loadb(body.ptr, body.len, 0, NULL);
	if (is_about_version(status, answer) && !c->was_repeated) {
		c->was_repeated = true;
		a->prefix[0] = '\0';
		wait_for_version(a, c);
	} else if (status) {
		end_call(c, status, answer, NULL);
	} else {
		learn_no_answer(a, e, &why);
		end_call(c, 0, NULL, &why);
	}
	json_decref(answer);
}

static void
send_call(struct docker_call *c)
{
	struct docker_api *a = c->api;
	auto_free char *url =
		copy_format("http://docker%s%s", a->prefix, c->path);
	struct http_request r = { .method = c->method,
				  .url = url,
				  .socket_path = a->socket,
				  .body = str_of(c->body ? c->body : ""),
				  .deadline_ms = c->deadline_ms,
				  .done = on_answer,
				  .arg = c };

	move(c, &a->calls);
	c->call = http_ask(a->http, &r);
}

struct docker_call *
docker_ask_within(struct docker_api *a, uint64_t ms, const char *method,
		  const char *path, json_t *body, docker_answered *answered,
		  void *arg)
{
	struct docker_call *c = xcalloc(1, sizeof *c);

	assert(*path == '/');
	c->api = a;
	c->method = copy(str_of(method));
	c->path = copy(str_of(path));
	c->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
	c->deadline_ms = ms;
	c->answered = answered;
	c->arg = arg;
	json_decref(body);
	if (a->prefix[0])
		send_call(c);
	else
		wait_for_version(a, c);
	return c;
}

struct docker_call *
docker_ask(struct docker_api *a, const char *method, const char *path,
	   json_t *body, docker_answered *answered, void *arg)
{
	return docker_ask_within(a, DEADLINE_MS, method, path, body, answered,
				 arg);
}

/* The version */

static bool
minor_of(const json_t *answer, const char *key, int *minor)
{
	const char *text = json_text(answer, key);
	int end = 0;

	return text && sscanf(text, "1.%d%n", minor, &end) == 1 && !text[end];
}

/* The newest version that both know. */
static bool
choose_version(struct docker_api *a, int status, const json_t *answer,
	       struct error *e)
{
	int newest, oldest = 0;

	if (status != 200 || !minor_of(answer, "ApiVersion", &newest))
		return fail_with(e, ERR_NOT_SET_UP,
				 "what answers at %s is no Docker engine",
				 a->socket);
	(void)minor_of(answer, "MinAPIVersion", &oldest);
	if (newest < OLDEST_MINOR)
		return fail_with(e, ERR_NOT_SET_UP,
				 "the Docker engine at %s is too old: its API "
				 "has version 1.%d, and 1.%d is needed",
				 a->socket, newest, OLDEST_MINOR);
	if (oldest > NEWEST_MINOR)
		return fail_with(e, ERR_NOT_SET_UP,
				 "the Docker engine at %s is too new: it "
				 "refuses versions of its API before 1.%d, and "
				 "1.%d is the newest that is known here",
				 a->socket, oldest, NEWEST_MINOR);
	snprintf(a->prefix, sizeof a->prefix, "/v1.%d",
		 newest < NEWEST_MINOR ? newest : NEWEST_MINOR);
	return true;
}

static void
send_waiting(struct docker_api *a)
{
	struct node *n;

	while ((n = list_first(&a->waiting)))
		send_call(container_of(n, struct docker_call, node));
}

/* Whoever is called may ask again, which begins anew, drop others, and free the
 * engine. */
static void
refuse_waiting(struct docker_api *a, const struct error *e)
{
	bool was_freed = false;
	struct docker_call *c;
	struct node *n;

	while ((n = list_first(&a->waiting)))
		move(container_of(n, struct docker_call, node), &a->refused);
	a->was_freed = &was_freed;
	while (!was_freed && (n = list_first(&a->refused))) {
		c = container_of(n, struct docker_call, node);
		end_call(c, 0, NULL, e);
	}
	if (!was_freed)
		a->was_freed = NULL;
}

static void
on_version(void *arg, int status, struct str body, const struct error *e)
{
	struct docker_api *a = arg;
	json_t *answer = json_loadb(body.ptr, body.len, 0, NULL);
	struct error why;
	bool ok;

	a->version = NULL;
	ok = status ? choose_version(a, status, answer, &why)
		    : learn_no_answer(a, e, &why);
	json_decref(answer);
	if (ok)
		send_waiting(a);
	else
		refuse_waiting(a, &why);
}

/* A path without a version is answered by every engine. */
static void
ask_version(struct docker_api *a)
{
	struct http_request r = { .method = "GET",
				  .url = "http://docker/version",
				  .socket_path = a->socket,
				  .deadline_ms = VERSION_MS,
				  .done = on_version,
				  .arg = a };

	a->version = http_ask(a->http, &r);
}

/* The engine */

struct docker_api *
docker_api_new(struct loop *loop, const char *docker_host, struct error *e)
{
	char *socket = docker_host_socket(docker_host, e);
	struct http *http = socket ? http_new(loop, e) : NULL;
	struct docker_api *a;

	if (!http) {
		free(socket);
		return NULL;
	}
	a = xcalloc(1, sizeof *a);
	a->loop = loop;
	a->http = http;
	a->socket = socket;
	list_init(&a->calls);
	list_init(&a->waiting);
	list_init(&a->refused);
	return a;
}

static void
drop_all(struct list *calls)
{
	list_each (calls, n)
		docker_drop(container_of(n, struct docker_call, node));
}

void
docker_api_free(struct docker_api *a)
{
	if (!a)
		return;
	if (a->was_freed)
		*a->was_freed = true;
	drop_all(&a->calls);
	drop_all(&a->waiting);
	drop_all(&a->refused);
	http_free(a->http);
	free(a->socket);
	free(a);
}

struct loop *
docker_loop(const struct docker_api *a)
{
	return a->loop;
}

const char *
docker_socket(const struct docker_api *a)
{
	return a->socket;
}

const char *
docker_prefix(const struct docker_api *a)
{
	return a->prefix;
}

void
docker_was_lost(struct docker_api *a)
{
	a->prefix[0] = '\0';
}

char *
docker_escape(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789-._~";
	struct buf b = BUF_INIT(3 * strlen(text) + 1);

	for (const char *c = text; *c; c++)
		if (strchr(plain, *c))
			buf_put(&b, (struct str){ c, 1 });
		else
			buf_print(&b, "%%%02X", (unsigned char)*c);
	buf_put(&b, (struct str){ "", 1 });
	return b.ptr;
}
