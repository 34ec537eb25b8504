/*
 * What docker/api.c promises: a request gets one answer or one error, in the
 * version that the engine knows, and whoever is told may do anything.
 */
#include "tests/unit/fake_engine.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/waits.h"
#include "workers/executor/docker/api.h"
#include "workers/io/http.h"

static struct docker_api *api;
static unsigned descriptors;
static uint64_t patience_ms; /* 0: as the program has it */

static struct got {
	struct docker_call *call;
	unsigned answers;
	int status;
	json_t *answer;
	struct error error;
	struct got *drops; /* drops its call when it is told */
	bool asks_again, frees;
} got, other;

struct http_call *__wrap_http_ask(struct http *, const struct http_request *);
struct http_call *__real_http_ask(struct http *, const struct http_request *);

struct http_call *
__wrap_http_ask(struct http *h, const struct http_request *r)
{
	struct http_request copy_of_it = *r;

	if (patience_ms)
		copy_of_it.deadline_ms = patience_ms;
	return __real_http_ask(h, &copy_of_it);
}

static int
setup(void **state)
{
	char *host;

	descriptors = open_descriptors();
	engine_setup();
	memset(&got, 0, sizeof got);
	memset(&other, 0, sizeof other);
	patience_ms = 0;
	host = copy_format("unix://%s", engine.path);
	api = docker_api_new(&engine.loop, host, &got.error);
	free(host);
	assert_non_null(api);
	return 0;
}

static int
teardown(void **state)
{
	docker_api_free(api);
	json_decref(got.answer);
	json_decref(other.answer);
	engine_teardown();
	assert_int_equal(open_descriptors(), descriptors);
	return 0;
}

static void ask(struct got *, const char *path);

static void
on_answer(void *arg, int status, json_t *answer, const struct error *e)
{
	struct got *g = arg;

	g->answers++;
	g->call = NULL;
	g->status = status;
	json_decref(g->answer);
	g->answer = json_incref(answer);
	assert_true(!status == (e != NULL));
	if (e)
		g->error = *e;
	if (g->drops)
		docker_drop(g->drops->call);
	if (g->asks_again && g->answers == 1)
		ask(g, "/again");
	if (g->frees) {
		docker_api_free(api);
		api = NULL;
	}
}

static void
ask(struct got *g, const char *path)
{
	unsigned before = g->answers;

	g->call = docker_ask(api, "GET", path, NULL, on_answer, g);
	assert_int_equal(g->answers, before);
}

static bool
is_answered(void)
{
	return got.answers > 0;
}

static bool
is_answered_twice(void)
{
	return got.answers > 1;
}

static bool
both_are_answered(void)
{
	return got.answers && other.answers;
}

static void
fails_with(enum error_code code, const char *text)
{
	assert_int_equal(got.status, 0);
	assert_null(got.answer);
	assert_int_equal(got.error.code, code);
	if (!strstr(got.error.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, got.error.text);
}

static void
asking_fails_with(enum error_code code, const char *text)
{
	got.answers = 0;
	ask(&got, "/x");
	wait_until(&engine.loop, is_answered);
	fails_with(code, text);
}

/* Answers */

static void
a_request_gets_its_answer(void **state)
{
	engine_answers("GET /v1.41/containers/json", 200, "[{\"Id\": \"c\"}]");
	ask(&got, "/containers/json?all=1");
	wait_until(&engine.loop, is_answered);
	assert_int_equal(got.status, 200);
	assert_int_equal(json_array_size(got.answer), 1);
	assert_str(buf_str(&engine.requests),
		   "GET /version\nGET /v1.41/containers/json?all=1\n");
}

static void
a_body_is_sent(void **state)
{
	engine_answers("POST /v1.41/containers/create", 201, "{}");
	docker_ask(api, "POST", "/containers/create",
		   json_pack("{s:s}", "Image", "x"), on_answer, &got);
	wait_until(&engine.loop, is_answered);
	assert_int_equal(got.status, 201);
	assert_str(buf_str(&engine.bodies), "\n{\"Image\":\"x\"}\n");
}

static void
an_answer_may_be_no_json(void **state)
{
	engine_says("DELETE /v1.41/containers/c",
		    STR("HTTP/1.1 204 No Content\r\n\r\n"));
	docker_ask(api, "DELETE", "/containers/c", NULL, on_answer, &got);
	wait_until(&engine.loop, is_answered);
	assert_int_equal(got.status, 204);
	assert_null(got.answer);
}

static void
refusals_are_told_in_the_words_of_the_engine(void **state)
{
	json_t *answer = json_pack("{s:s}", "message", "No such image: x\n");
	struct error gone = { .code = ERR_UNAVAILABLE, .text = "it is away" };

	must(docker_agrees(200, answer, NULL, &e));
	must(docker_agrees(204, NULL, NULL, &e));
	must(docker_agrees(304, NULL, NULL, &e));
	must_fail(ERR_UNAVAILABLE, "docker: No such image: x (404)",
		  docker_agrees(404, answer, NULL, &e));
	must_fail(ERR_UNAVAILABLE,
		  "docker: the engine refuses, and does not say why (500)",
		  docker_agrees(500, NULL, NULL, &e));
	must_fail(ERR_UNAVAILABLE, "it is away",
		  docker_agrees(0, NULL, &gone, &e));
	json_decref(answer);
}

/* Versions */

static void
one_question_for_the_version_is_enough(void **state)
{
	engine_answers("GET /v1.41/", 200, "{}");
	ask(&got, "/one");
	ask(&other, "/two");
	wait_until(&engine.loop, both_are_answered);
	got.answers = 0;
	ask(&got, "/three");
	wait_until(&engine.loop, is_answered);
	assert_int_equal(engine_was_asked("GET /version"), 1);
	assert_int_equal(engine_was_asked("GET /v1.41/"), 3);
}

static void
the_older_of_both_versions_is_spoken(void **state)
{
	static const char *const pairs[][2] = {
		{ "1.40", "GET /v1.40/x" }, { "1.44", "GET /v1.44/x" },
		{ "1.47", "GET /v1.47/x" }, { "1.48", "GET /v1.47/x" },
		{ "1.99", "GET /v1.47/x" },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		docker_was_lost(api);
		engine_has_version(pairs[i][0]);
		engine_answers(pairs[i][1], 200, "{}");
		got.answers = 0;
		ask(&got, "/x");
		wait_until(&engine.loop, is_answered);
		assert_int_equal(got.status, 200);
	}
}

static void
an_engine_of_another_time_is_refused(void **state)
{
	engine_has_version("1.39");
	asking_fails_with(ERR_NOT_SET_UP, "is too old: its API has version "
					  "1.39, and 1.40 is needed");
	engine_answers("GET /version", 200,
		       "{\"ApiVersion\": \"1.60\", \"MinAPIVersion\": "
		       "\"1.50\"}");
	asking_fails_with(ERR_NOT_SET_UP, "is too new");
	assert_int_equal(engine_was_asked("GET /v1"), 0);
	assert_int_equal(engine_was_asked("GET /version"), 2);
}

static void
what_is_no_engine_is_refused(void **state)
{
	static const char *const answers[] = {
		"{}",
		"[]",
		"\"1.41\"",
		"{\"ApiVersion\": 1.41}",
		"{\"ApiVersion\": \"2.0\"}",
		"{\"ApiVersion\": \"1.x\"}",
		"{\"ApiVersion\": \"1.41 \"}",
		"hello",
	};

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		engine_answers("GET /version", 200, answers[i]);
		asking_fails_with(ERR_NOT_SET_UP, "is no Docker engine");
	}
	engine_answers("GET /version", 404, "{\"ApiVersion\": \"1.41\"}");
	asking_fails_with(ERR_NOT_SET_UP, "is no Docker engine");
}

/* Such as after an upgrade, or a downgrade, between two requests. */
static void
another_engine_is_asked_in_its_own_version(void **state)
{
	engine_answers("GET /v1.41/x", 200, "{}");
	ask(&got, "/x");
	wait_until(&engine.loop, is_answered);
	engine_answers("GET /v1.41/x", 400,
		       "{\"message\": \"client version 1.41 is too old. "
		       "Minimum supported API version is 1.44\"}");
	engine_has_version("1.45");
	engine_answers("GET /v1.45/x", 200, "{\"a\": 1}");
	got.answers = 0;
	ask(&got, "/x");
	wait_until(&engine.loop, is_answered);
	assert_int_equal(got.status, 200);
	assert_int_equal(json_object_size(got.answer), 1);
}

static void
an_engine_that_refuses_its_own_version_is_asked_twice(void **state)
{
	engine_answers("GET /v1.41/x", 400,
		       "{\"message\": \"client version 1.41 is too new\"}");
	ask(&got, "/x");
	wait_until(&engine.loop, is_answered);
	assert_int_equal(got.status, 400);
	assert_int_equal(engine_was_asked("GET /v1.41/x"), 2);
}

/* No answer */

static void
an_engine_that_is_not_there_is_an_error(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	engine_goes();
	asking_fails_with(ERR_UNAVAILABLE, "no Docker engine answers: ");
	fails_with(ERR_UNAVAILABLE, engine.path);
	fails_with(ERR_UNAVAILABLE, "No such file or directory");

	/* A file that an engine has left behind. */
	str_keep(a.sun_path, sizeof a.sun_path, str_of(engine.path));
	assert_int_equal(bind(fd, (void *)&a, sizeof a), 0);
	close(fd);
	asking_fails_with(ERR_UNAVAILABLE, "Connection refused");
	unlink(engine.path);
}

static void
a_socket_that_may_not_be_used_is_an_error(void **state)
{
	uid_t who = geteuid();

	assert_int_equal(chmod(engine.path, 0), 0);
	if (who == 0)
		assert_int_equal(seteuid(65534), 0); /* nobody */
	asking_fails_with(ERR_UNAVAILABLE, "Permission denied");
	fails_with(ERR_UNAVAILABLE, "put the user that cli-bridge runs as into "
				    "the group of that socket");
	assert_int_equal(seteuid(who), 0);
	assert_int_equal(chmod(engine.path, 0600), 0);
}

static void
an_engine_that_hangs_is_an_error(void **state)
{
	patience_ms = 50;
	engine_is_silent("GET /v1.41/x");
	asking_fails_with(ERR_UNAVAILABLE, "does not answer");
	engine_is_silent("GET /version");
	asking_fails_with(ERR_UNAVAILABLE, "does not answer");
}

static void
half_an_answer_is_an_error(void **state)
{
	engine_hangs_up_after("GET /v1.41/x",
			      STR("HTTP/1.1 200 OK\r\n"
				  "Content-Length: 9\r\n\r\n{\"a\""));
	asking_fails_with(ERR_UNAVAILABLE, "no Docker engine answers: ");
	engine_hangs_up_after("GET /v1.41/x", STR(""));
	asking_fails_with(ERR_UNAVAILABLE, "no Docker engine answers: ");
	engine_hangs_up_after("GET /version", STR("HTTP/1.1 20"));
	asking_fails_with(ERR_UNAVAILABLE, "no Docker engine answers: ");
}

static void
an_engine_may_go_and_come_back_as_another_one(void **state)
{
	engine_answers("GET /v1.41/x", 200, "{}");
	ask(&got, "/x");
	wait_until(&engine.loop, is_answered);
	assert_int_equal(got.status, 200);
	engine_goes();
	asking_fails_with(ERR_UNAVAILABLE, "can't be reached");
	engine_comes();
	engine_has_version("1.44");
	engine_answers("GET /v1.44/x", 200, "{}");
	got.answers = 0;
	ask(&got, "/x");
	wait_until(&engine.loop, is_answered);
	assert_int_equal(got.status, 200);
	assert_int_equal(engine_was_asked("GET /v1.44/x"), 1);
}

static void
an_engine_may_go_in_the_middle_of_a_request(void **state)
{
	engine_answers("GET /v1.41/y", 200, "{}");
	ask(&got, "/y");
	wait_until(&engine.loop, is_answered);
	engine_is_silent("GET /v1.41/x");
	got.answers = 0;
	ask(&got, "/x");
	wait_while(&engine.loop, !engine_was_asked("GET /v1.41/x"));
	engine_goes();
	wait_until(&engine.loop, is_answered);
	fails_with(ERR_UNAVAILABLE, engine.path);
}

/* Drops */

static void
what_is_dropped_is_not_told(void **state)
{
	engine_is_silent("GET /v1.41/x");
	ask(&got, "/x");
	docker_drop(got.call); /* waits for the version */
	ask(&got, "/x");
	wait_while(&engine.loop, !engine_was_asked("GET /v1.41/x"));
	docker_drop(got.call);
	ask(&got, "/x");
	engine_answers("GET /v1.41/y", 200, "{}");
	ask(&other, "/y");
	docker_api_free(api);
	api = NULL;
	wait_ms(&engine.loop, 20);
	assert_int_equal(got.answers + other.answers, 0);
}

static void
who_is_told_may_drop_another_call(void **state)
{
	engine_goes();
	got.drops = &other;
	ask(&got, "/x");
	ask(&other, "/x");
	wait_until(&engine.loop, is_answered);
	wait_ms(&engine.loop, 20);
	assert_int_equal(other.answers, 0);
}

static void
who_is_told_may_ask_again(void **state)
{
	engine_goes();
	got.asks_again = true;
	ask(&got, "/x");
	wait_until(&engine.loop, is_answered);
	engine_comes();
	wait_until(&engine.loop, is_answered_twice);
}

static void
who_is_told_may_free_the_engine(void **state)
{
	engine_goes();
	got.frees = true;
	ask(&got, "/x");
	ask(&other, "/x");
	wait_until(&engine.loop, is_answered);
	wait_ms(&engine.loop, 20);
	assert_int_equal(other.answers, 0);
}

static void
who_gets_an_answer_may_free_the_engine(void **state)
{
	engine_answers("GET /v1.41/x", 200, "{}");
	got.frees = true;
	ask(&got, "/x");
	wait_until(&engine.loop, is_answered);
	assert_int_equal(got.status, 200);
}

/* Where it is */

static void
refuses_host(const char *host, const char *text)
{
	struct error e = { 0 };

	assert_null(docker_api_new(&engine.loop, host, &e));
	assert_int_equal(e.code, ERR_NOT_SET_UP);
	if (!strstr(e.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, e.text);
}

static void
only_a_socket_of_this_machine_will_do(void **state)
{
	char path[256] = "unix:///";

	refuses_host("tcp://127.0.0.1:2375", "\"tcp://127.0.0.1:2375\"");
	refuses_host("ssh://me@there", "unix:///var/run/docker.sock");
	refuses_host("/var/run/docker.sock", "only a socket");
	refuses_host("unix://", "only a socket");
	refuses_host("unix://docker.sock", "only a socket");
	memset(path + 8, 'x', sizeof path - 9);
	refuses_host(path, "too long");
}

static void
the_usual_socket_needs_no_setting(void **state)
{
	struct docker_api *a;

	must((a = docker_api_new(&engine.loop, "", &e)));
	assert_string_equal(docker_socket(a), "/var/run/docker.sock");
	docker_api_free(a);
	must((a = docker_api_new(&engine.loop, NULL, &e)));
	docker_api_free(a);
}

static void
foreign_texts_can_be_a_part_of_a_path(void **state)
{
	char *text = docker_escape("a/b?c=d&e% f\xc3\xa4-._~");

	assert_string_equal(text, "a%2Fb%3Fc%3Dd%26e%25%20f%C3%A4-._~");
	free(text);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_request_gets_its_answer),
		test(a_body_is_sent),
		test(an_answer_may_be_no_json),
		test(refusals_are_told_in_the_words_of_the_engine),
		test(one_question_for_the_version_is_enough),
		test(the_older_of_both_versions_is_spoken),
		test(an_engine_of_another_time_is_refused),
		test(what_is_no_engine_is_refused),
		test(another_engine_is_asked_in_its_own_version),
		test(an_engine_that_refuses_its_own_version_is_asked_twice),
		test(an_engine_that_is_not_there_is_an_error),
		test(a_socket_that_may_not_be_used_is_an_error),
		test(an_engine_that_hangs_is_an_error),
		test(half_an_answer_is_an_error),
		test(an_engine_may_go_and_come_back_as_another_one),
		test(an_engine_may_go_in_the_middle_of_a_request),
		test(what_is_dropped_is_not_told),
		test(who_is_told_may_drop_another_call),
		test(who_is_told_may_ask_again),
		test(who_is_told_may_free_the_engine),
		test(who_gets_an_answer_may_free_the_engine),
		test(only_a_socket_of_this_machine_will_do),
		test(the_usual_socket_needs_no_setting),
		test(foreign_texts_can_be_a_part_of_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
