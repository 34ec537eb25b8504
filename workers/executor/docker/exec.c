#include "workers/executor/docker/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/buf.h"
#include "workers/io/json.h"

enum {
	/* The engine may say for a moment that a program still runs. */
	FIRST_PAUSE_MS = 5,
	LONGEST_PAUSE_MS = 500,
	LAST_LOOK_MS = 2000, /* after the end of its stream */
	CREATE_MS = 20000,   /* less than a CLI may take to start, by default */
	SIGNALLED = 128, /* exit codes of programs that a signal has killed */
};

struct docker_exec {
	struct docker_api *api;
	struct loop *loop;
	char *id;		      /* NULL: not created yet */
	struct docker_call *call;     /* under way; NULL: none */
	struct docker_stream *stream; /* NULL: not begun, or over */
	struct docker_ends ends;      /* until the stream has copied them */
	struct timer timer;	      /* to look again, or to tell `why` */
	uint64_t pause_ms;	      /* until it looks again */
	uint64_t give_up_at; /* 0: there still is, or will be, a stream */
	char *first_words;   /* of the output; NULL: has not ended */
	bool was_told;
	struct error why;
	void (*opened)(void *arg);
	void (*ended)(void *arg, int status, const struct error *e);
	void *arg;
};

static void
close_ends(struct docker_exec *x)
{
	int *fds[] = { &x->ends.in, &x->ends.out, &x->ends.err };

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

void
docker_exec_drop(struct docker_exec *x)
{
	if (x->call)
		docker_drop(x->call);
	if (x->stream)
		docker_stream_drop(x->stream);
	loop_unset(x->loop, &x->timer);
	close_ends(x);
	free(x->id);
	free(x->first_words);
	free(x);
}

static void
tell(struct docker_exec *x, int status, const struct error *e)
{
	if (x->call)
		docker_drop(x->call);
	x->call = NULL;
	x->was_told = true;
	loop_unset(x->loop, &x->timer);
	x->ended(x->arg, status, e);
}

/* The exit status */

static int
status_of(int code)
{
	if (code > SIGNALLED && code < SIGNALLED + NSIG)
		return W_EXITCODE(0, code - SIGNALLED);
	return W_EXITCODE(code & 0xff, 0);
}

/* Of a program that was not started the engine knows no process, and its reason
 * comes as output. */
static bool
has_started(const struct docker_exec *x, const json_t *answer, int code,
	    struct error *e)
{
	const char *words = x->first_words ? x->first_words : "";

	if (code < EXIT_NOT_RUNNABLE ||
	    json_integer_value(json_object_get(answer, "Pid")))
		return true;
	return fail_with(e, ERR_UNAVAILABLE, "docker: %s",
			 *words ? words : "the program can't be started");
}

static void on_look_again(struct timer *);

/* While there is a stream, its end will be another reason to look. */
static void
look_again(struct docker_exec *x)
{
	struct error e;

	if (!x->stream && loop_now() >= x->give_up_at) {
		fail_with(&e, ERR_UNAVAILABLE,
			  "docker: the program has ended, but the engine says "
			  "that it still runs");
		tell(x, 0, &e);
		return;
	}
	loop_set(x->loop, &x->timer, x->pause_ms, on_look_again);
	x->pause_ms *= 2;
	if (x->pause_ms > LONGEST_PAUSE_MS)
		x->pause_ms = LONGEST_PAUSE_MS;
}

/* False if the program still runs. */
static bool
has_ended(const json_t *answer)
{
	return !json_is_true(json_object_get(answer, "Running")) &&
	       json_is_integer(json_object_get(answer, "ExitCode"));
}

static void
on_inspected(void *arg, int status, json_t *answer, const struct error *why)
{
	struct docker_exec *x = arg;
	json_t *exit_code = json_object_get(answer, "ExitCode");
	int code = (int)json_integer_value(exit_code);
	struct error e;
	bool ok = docker_agrees(status, answer, why, &e);

	x->call = NULL;
	if (ok && !has_ended(answer))
		look_again(x);
	else if (ok && has_started(x, answer, code, &e))
		tell(x, status_of(code), NULL);
	else
		tell(x, 0, &e);
}

static void
inspect(struct docker_exec *x)
{
	auto_free char *path = copy_format("/exec/%s/json", x->id);

	loop_unset(x->loop, &x->timer);
	x->call = docker_ask(x->api, "GET", path, NULL, on_inspected, x);
}

static void
on_look_again(struct timer *t)
{
	inspect(container_of(t, struct docker_exec, timer));
}

/* What is under way will see it, or will be repeated soon. */
static void
look(struct docker_exec *x)
{
	x->pause_ms = FIRST_PAUSE_MS;
	if (!x->call)
		inspect(x);
}

void
docker_exec_look(struct docker_exec *x)
{
	if (x->stream && !x->was_told)
		look(x);
}

bool
docker_exec_may_start(const struct docker_exec *x)
{
	return x->id != NULL;
}

/* The stream */

static void
on_opened(void *arg)
{
	struct docker_exec *x = arg;

	if (x->opened)
		x->opened(x->arg);
}

static void
on_stream_ended(void *arg, const struct error *e)
{
	struct docker_exec *x = arg;
	struct str words = str_trim(docker_stream_first_words(x->stream));

	x->first_words = words.len ? copy(words) : NULL;
	x->stream = NULL;
	x->give_up_at = loop_now() + LAST_LOOK_MS;
	if (x->was_told)
		return;
	if (e)
		tell(x, 0, e);
	else
		look(x);
}

static void
on_created(void *arg, int status, json_t *answer, const struct error *why)
{
	struct docker_exec *x = arg;
	const char *id = json_text(answer, "Id");
	auto_free char *path = NULL;
	struct error e;

	x->call = NULL;
	if (docker_agrees(status, answer, why, &e) && !id)
		fail_with(&e, ERR_PROTOCOL,
			  "docker: the engine gives a program no id");
	if (!id) {
		tell(x, 0, &e);
		return;
	}
	x->id = docker_escape(id);
	path = copy_format("/exec/%s/start", x->id);
	x->stream = docker_stream_open(
		x->api, path, json_pack("{s:b, s:b}", "Detach", 0, "Tty", 0),
		&x->ends, on_opened, on_stream_ended, x);
	close_ends(x);
}

/* The start */

static bool
add_texts(json_t *to, const char *name, const char *const *texts,
	  struct error *e)
{
	json_t *list = json_array();

	json_object_set_new(to, name, list);
	for (size_t i = 0; texts && texts[i]; i++)
		if (json_array_append_new(list, json_string(texts[i])) < 0)
			return fail_with(e, ERR_NOT_SET_UP,
					 "docker: an argument or a variable is "
					 "not UTF-8, as the engine needs it");
	return true;
}

static bool
describe(json_t *to, const struct spawn *s, struct error *e)
{
	json_object_set_new(to, "AttachStdin", json_boolean(s->in >= 0));
	json_object_set_new(to, "AttachStdout", json_true());
	json_object_set_new(to, "AttachStderr", json_true());
	json_object_set_new(to, "Tty", json_false());
	if (s->cwd &&
	    json_object_set_new(to, "WorkingDir", json_string(s->cwd)) < 0)
		return fail_with(e, ERR_NOT_SET_UP,
				 "docker: the working directory is not UTF-8, "
				 "as the engine needs it");
	return add_texts(to, "Cmd", s->argv, e) &&
	       add_texts(to, "Env", (const char *const *)s->env, e);
}

static bool
copy_end(int fd, int *to, struct error *e)
{
	if (fd < 0)
		return true;
	*to = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *to >= 0 || fail_errno(e, "pipe to a container");
}

static bool
copy_ends(struct docker_exec *x, const struct spawn *s, struct error *e)
{
	return copy_end(s->in, &x->ends.in, e) &&
	       copy_end(s->out, &x->ends.out, e) &&
	       copy_end(s->err, &x->ends.err, e);
}

static void
on_failed_start(struct timer *t)
{
	struct docker_exec *x = container_of(t, struct docker_exec, timer);

	tell(x, 0, &x->why);
}

struct docker_exec *
docker_exec_start(struct docker_api *a, const char *container,
		  const struct spawn *s, void (*opened)(void *arg),
		  void (*ended)(void *arg, int status, const struct error *e),
		  void *arg)
{
	struct docker_exec *x = xcalloc(1, sizeof *x);
	auto_free char *name = docker_escape(container);
	auto_free char *path = copy_format("/containers/%s/exec", name);
	json_t *body = json_object();

	x->api = a;
	x->loop = docker_loop(a);
	x->ends = (struct docker_ends){ -1, -1, -1 };
	x->opened = opened;
	x->ended = ended;
	x->arg = arg;
	if (describe(body, s, &x->why) && copy_ends(x, s, &x->why)) {
		x->call = docker_ask_within(a, CREATE_MS, "POST", path, body,
					    on_created, x);
		return x;
	}
	json_decref(body);
	loop_set(x->loop, &x->timer, 0, on_failed_start);
	return x;
}
