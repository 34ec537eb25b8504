/*
 * What docker/exec.c promises: a program has one end, which is its exit status
 * or the reason why there is none.
 */
#include "tests/unit/fake_engine.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/waits.h"
#include "workers/executor/docker/exec.h"

#define CREATE "POST /v1.41/containers/c/exec"
#define START "POST /v1.41/exec/e/start"
#define INSPECT "GET /v1.41/exec/e/json"
#define RUNS "{\"Running\": true, \"ExitCode\": null, \"Pid\": 7}"
#define NOT_YET "{\"Running\": false, \"ExitCode\": null, \"Pid\": 0}"

static struct docker_api *api;
static unsigned descriptors;

static struct got {
	struct docker_exec *exec;
	unsigned opens, ends;
	int status;
	struct error error; /* ERR_NONE: none */
	bool drops;
} got;

static int out; /* our end of its standard output; -1: none */

static int
setup(void **state)
{
	char *host;

	descriptors = open_descriptors();
	engine_setup();
	engine_answers(CREATE, 201, "{\"Id\": \"e\"}");
	engine_streams(START);
	memset(&got, 0, sizeof got);
	got.status = -1;
	out = -1;
	host = copy_format("unix://%s", engine.path);
	must((api = docker_api_new(&engine.loop, host, &e)));
	free(host);
	return 0;
}

static void
drop(void)
{
	if (got.exec)
		docker_exec_drop(got.exec);
	got.exec = NULL;
	if (out >= 0)
		close(out);
	out = -1;
}

static int
teardown(void **state)
{
	drop();
	docker_api_free(api);
	engine_teardown();
	assert_int_equal(open_descriptors(), descriptors);
	return 0;
}

static void
on_opened(void *arg)
{
	got.opens++;
}

static void
on_ended(void *arg, int status, const struct error *e)
{
	assert_ptr_equal(arg, &got);
	got.ends++;
	got.status = status;
	if (e)
		got.error = *e;
	if (got.drops)
		drop();
}

static void
start_in(const char *container, const struct spawn *how)
{
	struct spawn s = *how;
	int fds[2];

	drop();
	got.opens = got.ends = 0;
	got.error = (struct error){ 0 };
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	out = fds[0];
	s.in = s.err = s.pass = -1;
	s.out = fds[1];
	got.exec = docker_exec_start(api, container, &s, on_opened, on_ended,
				     &got);
	close(fds[1]);
	assert_int_equal(got.ends, 0);
}

static void
start(void)
{
	const char *const argv[] = { "true", NULL };

	start_in("c", &(struct spawn){ .argv = argv });
}

static bool
is_open(void)
{
	return got.opens && engine.stream;
}

static bool
has_ended(void)
{
	return got.ends > 0;
}

static void
open_exec(void)
{
	start();
	wait_until(&engine.loop, is_open);
}

static void
ends_with(enum error_code code, const char *text)
{
	wait_until(&engine.loop, has_ended);
	assert_int_equal(got.error.code, code);
	if (!strstr(got.error.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, got.error.text);
}

static void
says_exit_code(int code, int pid)
{
	char *json = copy_format("{\"Running\": false, \"ExitCode\": %d, "
				 "\"Pid\": %d}",
				 code, pid);

	engine_answers(INSPECT, 200, json);
	free(json);
}

static int
status_of(int code)
{
	says_exit_code(code, 7);
	open_exec();
	engine_hangs_up();
	wait_until(&engine.loop, has_ended);
	assert_string_equal(got.error.text, "");
	return got.status;
}

static void
a_program_has_an_exit_status(void **state)
{
	assert_int_equal(WEXITSTATUS(status_of(0)), 0);
	assert_true(WIFEXITED(got.status));
	assert_int_equal(WEXITSTATUS(status_of(3)), 3);
	assert_int_equal(WEXITSTATUS(status_of(125)), 125);
	assert_int_equal(WEXITSTATUS(status_of(126)), 126);
	assert_int_equal(WEXITSTATUS(status_of(128)), 128);
	assert_int_equal(WEXITSTATUS(status_of(255)), 255);
	assert_true(WIFEXITED(got.status));
	assert_int_equal(WTERMSIG(status_of(128 + SIGKILL)), SIGKILL);
	assert_true(WIFSIGNALED(got.status));
	assert_int_equal(WTERMSIG(status_of(128 + SIGTERM)), SIGTERM);
}

static void
a_program_is_described(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "x \"y\"", NULL };
	char home[] = "HOME=/home/me", empty[] = "X=";
	char *const env[] = { home, empty, NULL };
	json_t *body;
	struct str left;

	engine_answers("POST /v1.41/containers/a%2Fb/exec", 201,
		       "{\"Id\": \"e\"}");
	start_in("a/b",
		 &(struct spawn){ .argv = argv, .env = env, .cwd = "/work" });
	wait_until(&engine.loop, is_open);
	left = buf_str(&engine.bodies);
	(void)str_cut(left, '\n', &left); /* of the version */
	body = json_loadb(left.ptr, left.len, JSON_DISABLE_EOF_CHECK, NULL);
	left = str_of(json_dumps(body, JSON_COMPACT));
	assert_str(left, "{\"AttachStdin\":false,\"AttachStdout\":true,"
			 "\"AttachStderr\":true,\"Tty\":false,"
			 "\"WorkingDir\":\"/work\","
			 "\"Cmd\":[\"/bin/sh\",\"-c\",\"x \\\"y\\\"\"],"
			 "\"Env\":[\"HOME=/home/me\",\"X=\"]}");
	free((char *)left.ptr);
	json_decref(body);
	assert_non_null(
		strstr(engine.bodies.ptr, "{\"Detach\":false,\"Tty\":false}"));
}

static void
what_is_not_utf8_is_refused(void **state)
{
	const char *const argv[] = { "x", "\xff", NULL };

	start_in("c", &(struct spawn){ .argv = argv });
	ends_with(ERR_NOT_SET_UP, "not UTF-8");
	start_in("c", &(struct spawn){ .argv = argv + 2, .cwd = "/\xff" });
	ends_with(ERR_NOT_SET_UP, "not UTF-8");
	assert_int_equal(engine.requests.len, 0);
}

static void
a_refused_program_is_an_error(void **state)
{
	engine_answers(CREATE, 404, "{\"message\": \"No such container: c\"}");
	start();
	ends_with(ERR_UNAVAILABLE, "docker: No such container: c (404)");
	engine_answers(CREATE, 409, "{\"message\": \"c is not running\"}");
	start();
	ends_with(ERR_UNAVAILABLE, "docker: c is not running (409)");
	engine_answers(CREATE, 500, "");
	start();
	ends_with(ERR_UNAVAILABLE, "(500)");
	engine_answers(CREATE, 201, "{}");
	start();
	ends_with(ERR_PROTOCOL, "no id");
	engine_answers(CREATE, 201, "{\"Id\": \"e\"}");
	engine_answers(START, 409, "{\"message\": \"c is paused\"}");
	start();
	ends_with(ERR_UNAVAILABLE, "docker: c is paused (409)");
	engine_goes();
	start();
	ends_with(ERR_UNAVAILABLE, "can't be reached");
	assert_int_equal(got.opens, 0);
	assert_int_equal(engine_was_asked(INSPECT), 0);
}

/* The engine says so after it has made a stream. */
static void
a_program_that_can_t_be_started_is_an_error(void **state)
{
	says_exit_code(126, 0);
	open_exec();
	engine_sends_frame(1, "OCI runtime exec failed: no such file\r\n");
	engine_hangs_up();
	ends_with(ERR_UNAVAILABLE,
		  "docker: OCI runtime exec failed: no such file");
	open_exec();
	engine_hangs_up();
	ends_with(ERR_UNAVAILABLE, "docker: the program can't be started");
}

static void
the_exit_status_may_be_late(void **state)
{
	engine_answers_times(3, INSPECT, 200, RUNS);
	assert_int_equal(WEXITSTATUS(status_of(5)), 5);
	assert_int_equal(engine_was_asked(INSPECT), 4);
}

static void
the_exit_status_may_never_come(void **state)
{
	engine_answers(INSPECT, 200, RUNS);
	open_exec();
	engine_hangs_up();
	ends_with(ERR_UNAVAILABLE, "says that it still runs");
}

static void
an_engine_that_dies_is_an_error(void **state)
{
	open_exec();
	engine_goes();
	ends_with(ERR_UNAVAILABLE, "can't be reached");
}

static void
a_stream_that_breaks_is_an_error(void **state)
{
	open_exec();
	engine_sends(STR("\1\0\0"));
	engine_hangs_up();
	ends_with(ERR_TRUNCATED, "header of a frame");
	assert_int_equal(engine_was_asked(INSPECT), 0);
}

static void
a_look_does_not_wait_for_the_output(void **state)
{
	char byte;

	says_exit_code(4, 7);
	open_exec();
	docker_exec_look(got.exec);
	wait_until(&engine.loop, has_ended);
	assert_int_equal(WEXITSTATUS(got.status), 4);
	engine_sends_frame(1, "x");
	wait_while(&engine.loop, !engine_was_read());
	assert_int_equal(read(out, &byte, 1), 1);
	engine_hangs_up();
	wait_ms(&engine.loop, 20);
	assert_int_equal(got.ends, 1);
}

/* Some engines forget the process of a program that has ended. */
static void
an_exit_status_needs_no_process(void **state)
{
	says_exit_code(3, 0);
	open_exec();
	engine_hangs_up();
	ends_with(ERR_NONE, "");
	assert_int_equal(WEXITSTATUS(got.status), 3);
}

/* A look that is due later is not needed any more. */
static void
one_look_at_a_time_is_enough(void **state)
{
	engine_is_silent(INSPECT);
	engine_answers_times(6, INSPECT, 200, RUNS);
	open_exec();
	docker_exec_look(got.exec);
	docker_exec_look(got.exec);
	wait_while(&engine.loop, engine_was_asked(INSPECT) < 6);
	wait_ms(&engine.loop, 40);
	docker_exec_look(got.exec);
	wait_ms(&engine.loop, 300);
	assert_int_equal(engine_was_asked(INSPECT), 7);
}

static void
an_end_is_told_once(void **state)
{
	engine_is_silent(INSPECT);
	open_exec();
	docker_exec_look(got.exec);
	wait_while(&engine.loop, !engine_was_asked(INSPECT));
	engine_sends(STR("\1\0\0"));
	engine_hangs_up();
	ends_with(ERR_TRUNCATED, "header of a frame");
	engine_goes();
	wait_ms(&engine.loop, 20);
	assert_int_equal(got.ends, 1);
}

/* Whoever says so may be wrong, as before the program has begun. */
static void
a_look_may_be_too_early(void **state)
{
	engine_answers_times(2, INSPECT, 200, NOT_YET);
	engine_answers_times(3, INSPECT, 200, RUNS);
	says_exit_code(4, 7);
	start();
	docker_exec_look(got.exec);
	wait_until(&engine.loop, is_open);
	docker_exec_look(got.exec);
	docker_exec_look(got.exec);
	wait_until(&engine.loop, has_ended);
	assert_int_equal(WEXITSTATUS(got.status), 4);
	assert_int_equal(engine_was_asked(INSPECT), 6);
	docker_exec_look(got.exec);
	wait_ms(&engine.loop, 20);
	assert_int_equal(engine_was_asked(INSPECT), 6);
}

static void
who_is_told_may_drop_it(void **state)
{
	got.drops = true;
	says_exit_code(0, 7);
	open_exec();
	engine_hangs_up();
	wait_until(&engine.loop, has_ended);
	open_exec();
	docker_exec_look(got.exec);
	wait_until(&engine.loop, has_ended);
	open_exec();
	engine_sends(STR("\1\0\0"));
	engine_hangs_up();
	wait_until(&engine.loop, has_ended);
	engine_goes();
	start();
	wait_until(&engine.loop, has_ended);
}

static void
what_is_dropped_is_not_told(void **state)
{
	start();
	drop();
	engine_is_silent(CREATE);
	start();
	wait_while(&engine.loop, !engine_was_asked(CREATE));
	drop();
	engine_answers(CREATE, 201, "{\"Id\": \"e\"}");
	open_exec();
	drop();
	engine_is_silent(INSPECT);
	open_exec();
	engine_hangs_up();
	wait_while(&engine.loop, !engine_was_asked(INSPECT));
	drop();
	wait_ms(&engine.loop, 20);
	assert_int_equal(got.ends, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_program_has_an_exit_status),
		test(a_program_is_described),
		test(what_is_not_utf8_is_refused),
		test(a_refused_program_is_an_error),
		test(a_program_that_can_t_be_started_is_an_error),
		test(the_exit_status_may_be_late),
		test(the_exit_status_may_never_come),
		test(an_engine_that_dies_is_an_error),
		test(a_stream_that_breaks_is_an_error),
		test(a_look_does_not_wait_for_the_output),
		test(an_exit_status_needs_no_process),
		test(one_look_at_a_time_is_enough),
		test(an_end_is_told_once),
		test(a_look_may_be_too_early),
		test(who_is_told_may_drop_it),
		test(what_is_dropped_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
