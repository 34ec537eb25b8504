/*
 * What docker/inlet.h promises of its socket: whoever connects with it reaches
 * the port, both ways and to the end.  The test is client and server alike.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/waits.h"
#include "workers/executor/docker/inlet.h"
#include "workers/executor/docker/slot_orders.h"
#include "workers/executor/docker/slot_place.h"

static char directory[32], path[64];
static struct loop loop;
static struct inlet *inlet;
static int listener, client, server;
static unsigned port;

static int
setup(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;

	snprintf(directory, sizeof directory, "/tmp/test_inlet.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof path, "%s/inlet", directory);
	listener =
		socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(listener, (struct sockaddr *)&at, size) < 0 ||
	    listen(listener, 16) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &size) < 0)
		return -1;
	port = ntohs(at.sin_port);
	must(loop_init(&loop, &e));
	must((inlet = inlet_new(&loop, path, port, &e)));
	client = server = -1;
	return 0;
}

static int
teardown(void **state)
{
	int fds[] = { client, server, listener };

	inlet_free(inlet);
	loop_fini(&loop);
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	assert_int_equal(access(path, F_OK), -1);
	return rmdir(directory);
}

static void
connects(void)
{
	struct place to = place_of_path(str_of(path));

	client = place_connect(&to);
	assert_true(client >= 0);
}

static bool
is_accepted(void)
{
	if (server < 0)
		server = accept4(listener, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
	return server >= 0;
}

/* What is there to be read; 0: the end; -1: nothing yet. */
static ssize_t
reads(int fd, char *to, size_t size)
{
	return recv(fd, to, size, MSG_DONTWAIT);
}

static void
passes(int from, int to, const char *text)
{
	char heard[64] = { 0 };

	assert_int_equal(send(from, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
	wait_while(&loop, reads(to, heard, sizeof heard - 1) < 0);
	assert_string_equal(heard, text);
}

static void
a_connection_reaches_the_port_and_ends_with_either_side(void **state)
{
	char end[1];

	connects();
	wait_until(&loop, is_accepted);
	passes(client, server, "POST /a HTTP/1.1");
	passes(server, client, "HTTP/1.1 200 OK");
	close(server);
	server = -1;
	wait_while(&loop, reads(client, end, 1) != 0);
}

static void
all_who_reach_the_socket_may_connect(void **state)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
}

static void
where_nobody_listens_the_connection_ends(void **state)
{
	char end[1];

	close(listener);
	listener = -1;
	connects();
	wait_while(&loop, reads(client, end, 1) < 0 && errno == EAGAIN);
}

/* As of a process before us, which was killed. */
static void
a_socket_that_was_left_is_replaced(void **state)
{
	struct inlet *other;

	must((other = inlet_new(&loop, path, port, &e)));
	connects();
	wait_until(&loop, is_accepted);
	passes(client, server, "anything");
	inlet_free(other);
}

static void
a_path_that_is_too_long_is_told(void **state)
{
	char name[MAX_SOCKET_PATH_BYTES] = { 0 };
	auto_free char *whole = NULL;
	struct error e = { 0 };

	memset(name, 'a', sizeof name - 1);
	whole = copy_format("%s/%s", directory, name);
	assert_null(inlet_new(&loop, whole, port, &e));
	assert_int_equal(e.code, ERR_NOT_SET_UP);
	assert_non_null(strstr(e.text, "BRIDGE_DATA_DIR"));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_connection_reaches_the_port_and_ends_with_either_side),
		T(all_who_reach_the_socket_may_connect),
		T(where_nobody_listens_the_connection_ends),
		T(a_socket_that_was_left_is_replaced),
		T(a_path_that_is_too_long_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
