/*
 * What the orders EXPOSE, NETWORK and PROBE of cli-bridge-slot promise, and
 * what its relay does: the way out of a container from its one end to the
 * other.  The test is client and proxy alike.
 */
#include "slot_world.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_HEARD_BYTES = 4096, RELAYED = 128 /* as in slot_relay.h */ };

static struct slot_world world;
static struct piped relay;
static char directory[] = "/tmp/test_slot_net.XXXXXX", path[64], other[64];
static int listener, port, exposed;

static int
opens(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof path, "%s/socket", directory);
	snprintf(other, sizeof other, "%s/other", directory);
	return 0;
}

static int
closes(void **state)
{
	return rmdir(directory);
}

static int
listens(int *at)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr =
					       htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size),
			 0);
	*at = ntohs(address.sin_port);
	return fd;
}

static void
relay_begins(void)
{
	static const char *const env[] = { "ASAN_OPTIONS=detect_leaks=1",
					   NULL };
	auto_free char *number = copy_format("%d", port);
	auto_free char *told = copy_format("forwards %d", port);
	const char *const argv[] = { SLOT, "relay", number, path, other, NULL };

	piped_begins(&relay, argv, env);
	run_is_heard(&relay, told);
	run_is_heard(&relay, told);
}

/* By any port; which one is told. */
static int
exposes(const char *socket_path)
{
	static const char told[] = "exposes 0 ";
	struct str line;

	says(&world, "expose 0 %s", socket_path);
	line = next_line(&world.slot);
	assert_true(str_starts(line, str_of(told)));
	return (int)strtol(line.ptr + sizeof told - 1, NULL, 10);
}

static int
begins(void **state)
{
	world_begins(&world);
	listener = listens(&port);
	relay_begins();
	exposed = exposes(path);
	return 0;
}

static int
ends(void **state)
{
	close_now(&listener);
	world_ends(&world);
	close_now(&relay.in);
	if (relay.pid)
		assert_int_equal(piped_code(&relay), 0);
	close_now(&relay.out);
	buf_fini(&relay.heard);
	assert_int_equal(access(path, F_OK), -1);
	return 0;
}

static int
connects(int to)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)to),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(
		connect(fd, (const struct sockaddr *)&address, sizeof address),
		0);
	return fd;
}

static int
connects_with(const char *socket_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_keep(address.sun_path, sizeof address.sun_path,
		 str_of(socket_path));
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static bool
is_ready(int fd, int ms)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };

	return poll(&ready, 1, ms) == 1;
}

static int
accepts(void)
{
	assert_true(is_ready(listener, LIMIT_MS));
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static void
sends(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

/* Waits for as many bytes as the text has; "" means the end. */
static void
receives(int fd, const char *text)
{
	char heard[MAX_HEARD_BYTES];
	size_t len = 0, wanted = strlen(text);

	do {
		ssize_t n;

		assert_true(is_ready(fd, LIMIT_MS));
		n = recv(fd, heard + len, sizeof heard - 1 - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
	} while (len < wanted);
	heard[len] = '\0';
	assert_string_equal(heard, text);
}

/* The way */

static void
a_request_to_a_proxy_gets_there_and_back(void **state)
{
	int client = connects(exposed), server = accepts();

	sends(client, "CONNECT a.example:443 HTTP/1.1\r\n\r\n");
	receives(server, "CONNECT a.example:443 HTTP/1.1\r\n\r\n");
	sends(server, "HTTP/1.0 200 yes\r\n\r\n");
	receives(client, "HTTP/1.0 200 yes\r\n\r\n");
	sends(client, "\1anything\0");
	receives(server, "\1anything\0");
	close(server);
	receives(client, "");
	close(client);
}

static void
a_first_line_may_come_in_pieces(void **state)
{
	int client = connects(exposed), server = accepts();

	sends(client, "GET ht");
	assert_false(is_ready(server, 100));
	sends(client, "tp://a.example/ HTTP/1.1");
	assert_false(is_ready(server, 100));
	sends(client, "\r\nHost: b\r\n");
	receives(server, "GET http://a.example/ HTTP/1.1\r\nHost: b\r\n");
	close(client);
	receives(server, "");
	close(server);
}

static void
what_is_no_request_to_a_proxy_does_not_pass(void **state)
{
	static const char *const others[] = {
		"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"\r\nGET http://a.example/ HTTP/1.1\r\n\r\n",
		"GET  http://a.example/ HTTP/1.1\r\n\r\n",
		"GET https://a.example/ HTTP/1.1\r\n\r\n",
		"connect a.example:443 HTTP/1.1\r\n\r\n",
		"CONNECT\ta.example:443 HTTP/1.1\r\n\r\n",
		" http://a.example/ HTTP/1.1\r\n\r\n",
		"\x16\x03\x01 hello\n",
		"\n",
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		int client = connects(exposed), server = accepts();

		sends(client, others[i]);
		receives(server, "");
		receives(client, "");
		close(client);
		close(server);
	}
}

static void
a_first_line_has_an_end(void **state)
{
	static char line[9000];
	int client = connects(exposed), server = accepts();

	memset(line, 'A', sizeof line - 1);
	sends(client, line);
	receives(server, "");
	receives(client, "");
	close(client);
	close(server);
	client = connects(exposed);
	server = accepts();
	sends(client, "GET http://a.example/");
	shutdown(client, SHUT_WR);
	receives(server, "");
	close(client);
	close(server);
}

static void
no_container_takes_the_connections_of_another(void **state)
{
	static int clients[RELAYED], servers[RELAYED];
	int last, server;

	for (int i = 0; i < RELAYED; i++) {
		clients[i] = connects_with(path);
		servers[i] = accepts();
	}
	last = connects_with(path);
	assert_false(is_ready(listener, 200));
	close(connects_with(other));
	server = accepts();
	receives(server, "");
	close(server);
	close(clients[0]);
	server = accepts();
	close(server);
	receives(last, "");
	close(last);
	for (int i = 0; i < RELAYED; i++) {
		if (i)
			close(clients[i]);
		close(servers[i]);
	}
}

/* A container may have another user. */
static void
whoever_reaches_the_socket_may_connect(void **state)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
}

static void
without_a_relay_a_connection_ends(void **state)
{
	int client;

	close_now(&relay.in);
	assert_int_equal(piped_code(&relay), 0);
	client = connects(exposed);
	receives(client, "");
	close(client);
}

/* As a server of the machine's, of any protocol. */
static void
any_port_will_do_and_can_lead_elsewhere_later(void **state)
{
	auto_free char *socket_path = copy_format("%s/any", directory);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int at = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client;
	auto_free char *told = NULL;
	int any;

	str_keep(address.sun_path, sizeof address.sun_path,
		 str_of(socket_path));
	assert_int_equal(bind(at, (struct sockaddr *)&address, sizeof address),
			 0);
	assert_int_equal(listen(at, 1), 0);
	any = exposes(socket_path);
	client = connects(any);
	sends(client, "POST /a HTTP/1.1\r\n");
	assert_true(is_ready(at, LIMIT_MS));
	close(at);
	close(client);
	assert_int_equal(unlink(socket_path), 0);
	says(&world, "expose %d %s", any, path);
	told = copy_format("exposes %d", any);
	hears(&world, told);
}

static void
a_port_that_is_taken_is_told(void **state)
{
	auto_free char *told =
		copy_format("fails %d Address already in use", port);

	says(&world, "expose %d %s", port, path);
	hears(&world, told);
}

/* Probes */

static void
a_probe_tells_what_the_proxy_says(void **state)
{
	static const struct {
		const char *answer, *status;
	} rows[] = {
		{ "HTTP/1.0 200 Connection established\r\n\r\n", "200" },
		{ "HTTP/1.1 403 Filtered\r\nServer: x\r\n\r\n", "403" },
		{ "", "0" },
		{ "403\n", "0" },
		{ "HTTP/1.0 no\n", "0" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "0" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		auto_free char *told =
			copy_format("probed b.example:99 %s", rows[i].status);
		int server;

		says(&world, "probe %d b.example:99", exposed);
		server = accepts();
		receives(server, "CONNECT b.example:99 HTTP/1.1\r\n"
				 "Host: b.example:99\r\n\r\n");
		if (*rows[i].answer)
			sends(server, rows[i].answer);
		else
			close_now(&server);
		hears(&world, told);
		close_now(&server);
	}
}

static void
without_a_proxy_a_probe_has_no_answer(void **state)
{
	close_now(&listener);
	says(&world, "probe %d a:1", exposed);
	hears(&world, "probed a:1 0");
	says(&world, "probe %d a:1", port);
	hears(&world, "probed a:1 0");
}

static void
a_probe_must_be_of_a_host(void **state)
{
	static const char *const wrong[] = {
		"probe 1",     "probe 0 a:1", "probe 1 a b",
		"probe x a:1", "network a",   "expose 1 relative"
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		auto_free char *told = copy_format("unknown %s", wrong[i]);

		says(&world, "%s", wrong[i]);
		hears(&world, told);
	}
}

/* The container of this test has the machine's network. */
static void
a_network_is_told(void **state)
{
	struct str line;

	says(&world, "network");
	line = next_line(&world.slot);
	assert_true(str_starts(line, STR("network ")));
}

int
main(void)
{
#define in_a_world(test) cmocka_unit_test_setup_teardown(test, begins, ends)
	const struct CMUnitTest tests[] = {
		in_a_world(a_request_to_a_proxy_gets_there_and_back),
		in_a_world(a_first_line_may_come_in_pieces),
		in_a_world(what_is_no_request_to_a_proxy_does_not_pass),
		in_a_world(a_first_line_has_an_end),
		in_a_world(no_container_takes_the_connections_of_another),
		in_a_world(whoever_reaches_the_socket_may_connect),
		in_a_world(without_a_relay_a_connection_ends),
		in_a_world(any_port_will_do_and_can_lead_elsewhere_later),
		in_a_world(a_port_that_is_taken_is_told),
		in_a_world(a_probe_tells_what_the_proxy_says),
		in_a_world(without_a_proxy_a_probe_has_no_answer),
		in_a_world(a_probe_must_be_of_a_host),
		in_a_world(a_network_is_told),
	};

	if (!world_is_possible())
		return SKIPPED;
	return cmocka_run_group_tests(tests, opens, closes);
}
