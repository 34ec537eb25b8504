/*
 * What the orders FORWARD and UNFORWARD of cli-bridge-slot promise.  The test
 * is client and server alike: the slot's container has the machine's network.
 */
#include "slot_world.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	PAIRS = 200,
	MAX_PAIRS = 400, /* as in slot_forward.c */
	LARGE_BYTES = 32 << 20,
	STALLED_MS = 300,
	HARMLESS_BYTES = 32 << 20, /* what kernels may keep of a connection */
};

/* A client, and the connection that the server has accepted for it. */
struct pair {
	int client, server;
};

static struct slot_world world;
static char directory[] = "/tmp/test_slot_forward.XXXXXX", path[64];
static int listener, port, fds_at_start;

static int
opens(void **state)
{
	struct rlimit limit;

	if (!mkdtemp(directory) || getrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	snprintf(path, sizeof path, "%s/socket", directory);
	return 0;
}

static int
closes(void **state)
{
	return rmdir(directory);
}

static int
listens(void)
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
	port = ntohs(address.sin_port);
	return fd;
}

static int
its_descriptors(void)
{
	auto_free char *name = copy_format("/proc/%d/fd", (int)world.first);
	DIR *folder = opendir(name);
	int n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

static void
forwards(void)
{
	auto_free char *told = copy_format("forwards %d", port);

	says(&world, "forward %d %s", port, path);
	hears(&world, told);
}

static int
begins(void **state)
{
	world_begins(&world);
	listener = listens();
	forwards();
	fds_at_start = its_descriptors();
	return 0;
}

static int
ends(void **state)
{
	close_now(&listener);
	world_ends(&world);
	return 0;
}

static int
client_connects(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_keep(address.sun_path, sizeof address.sun_path, str_of(path));
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
server_accepts(void)
{
	int fd;

	assert_true(is_ready(listener, LIMIT_MS));
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static struct pair
pair_begins(void)
{
	struct pair p = { client_connects(), server_accepts() };

	return p;
}

static void
pair_ends(struct pair *p)
{
	close_now(&p->client);
	close_now(&p->server);
}

static void
sends(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
}

static void
receives(int fd, const char *text)
{
	char got[64];
	size_t len = 0;

	while (len < strlen(text)) {
		ssize_t n;

		assert_true(is_ready(fd, LIMIT_MS));
		n = recv(fd, got + len, strlen(text) - len, 0);
		assert_true(n > 0);
		len += (size_t)n;
	}
	assert_memory_equal(got, text, len);
}

static void
receives_the_end(int fd)
{
	char byte;

	assert_true(is_ready(fd, LIMIT_MS));
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* The end, or a reset. */
static void
receives_nothing_more(int fd)
{
	char bytes[4096];

	do {
		assert_true(is_ready(fd, LIMIT_MS));
	} while (recv(fd, bytes, sizeof bytes, 0) > 0);
}

/* Tests */

static void
bytes_go_both_ways(void **state)
{
	struct pair p = pair_begins();

	sends(p.client, "ping");
	receives(p.server, "ping");
	sends(p.server, "pong");
	receives(p.client, "pong");
	pair_ends(&p);
	wait_for(its_descriptors() == fds_at_start);
}

static void
a_client_may_end_first(void **state)
{
	struct pair p = pair_begins();

	sends(p.client, "question");
	shutdown(p.client, SHUT_WR);
	receives(p.server, "question");
	receives_the_end(p.server);
	sends(p.server, "answer");
	receives(p.client, "answer");
	close_now(&p.server);
	receives_the_end(p.client);
	wait_for(its_descriptors() == fds_at_start);
	pair_ends(&p);
}

static void
a_server_may_end_first(void **state)
{
	struct pair p = pair_begins();

	shutdown(p.server, SHUT_WR);
	receives_the_end(p.client);
	sends(p.client, "more");
	receives(p.server, "more");
	close_now(&p.client);
	receives_the_end(p.server);
	wait_for(its_descriptors() == fds_at_start);
	pair_ends(&p);
}

/* The last words of a client that has gone arrive nevertheless. */
static void
a_client_that_goes_is_gone_for_the_server(void **state)
{
	struct pair p = { .client = client_connects() };

	sends(p.client, "bye");
	close_now(&p.client);
	p.server = server_accepts();
	receives(p.server, "bye");
	receives_nothing_more(p.server);
	wait_for(its_descriptors() == fds_at_start);
	pair_ends(&p);
}

/* It has sent what the client has not read yet. */
static void
a_server_that_goes_is_gone_for_the_client(void **state)
{
	const struct linger reset = { .l_onoff = 1 };
	struct pair p = pair_begins();

	sends(p.server, "bye");
	receives(p.client, "bye");
	setsockopt(p.server, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close_now(&p.server);
	receives_nothing_more(p.client);
	wait_for(its_descriptors() == fds_at_start);
	pair_ends(&p);
}

/* A stream whose bytes tell their place in it. */
struct flow {
	int from, to;
	size_t sent, got;
};

static void
fill(uint32_t *words, size_t count, size_t at)
{
	for (size_t i = 0; i < count; i++)
		words[i] = (uint32_t)((at / 4 + i) * 2654435761u);
}

static void
flow_sends(struct flow *f)
{
	static uint32_t words[8192];
	size_t skip = f->sent % 4;
	ssize_t n;

	fill(words, 8192, f->sent - skip);
	n = send(f->from, (char *)words + skip, sizeof words - skip,
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	assert_true(n > 0 || errno == EAGAIN);
	f->sent += n > 0 ? (size_t)n : 0;
}

static void
flow_receives(struct flow *f)
{
	static char bytes[32768], want[32776];
	size_t skip = f->got % 4;
	ssize_t n = recv(f->to, bytes, sizeof bytes, MSG_DONTWAIT);

	assert_true(n > 0 || (n < 0 && errno == EAGAIN));
	if (n < 0)
		return;
	fill((uint32_t *)(void *)want, sizeof want / 4, f->got - skip);
	assert_memory_equal(bytes, want + skip, (size_t)n);
	f->got += (size_t)n;
}

static void
flow_on(struct flow *f, short events, short what)
{
	if ((events & POLLOUT) && (what & POLLOUT))
		flow_sends(f);
	if ((events & POLLIN) && (what & POLLIN))
		flow_receives(f);
}

static void
large_amounts_go_both_ways_at_once(void **state)
{
	struct pair p = pair_begins();
	struct flow up = { p.client, p.server, 0, 0 };
	struct flow down = { p.server, p.client, 0, 0 };

	while (up.got < LARGE_BYTES || down.got < LARGE_BYTES) {
		struct pollfd fds[] = { { .fd = p.client, .events = POLLIN },
					{ .fd = p.server, .events = POLLIN } };

		fds[0].events |= up.sent < LARGE_BYTES ? POLLOUT : 0;
		fds[1].events |= down.sent < LARGE_BYTES ? POLLOUT : 0;
		assert_true(poll(fds, 2, LIMIT_MS) > 0);
		flow_on(&up, fds[0].revents, POLLOUT);
		flow_on(&up, fds[1].revents, POLLIN);
		flow_on(&down, fds[1].revents, POLLOUT);
		flow_on(&down, fds[0].revents, POLLIN);
	}
	assert_int_equal(up.got, up.sent);
	assert_int_equal(down.got, down.sent);
	pair_ends(&p);
}

/* It sends until nothing has been taken for a while. */
static void
flow_stalls(struct flow *f)
{
	struct pollfd room = { .fd = f->from, .events = POLLOUT };

	while (poll(&room, 1, STALLED_MS) == 1) {
		flow_sends(f);
		assert_true(f->sent < HARMLESS_BYTES);
	}
}

static void
who_does_not_read_stops_the_other_side(void **state)
{
	struct pair p = pair_begins();
	struct flow down = { p.server, p.client, 0, 0 };

	flow_stalls(&down);
	sends(p.client, "the other way is free");
	receives(p.server, "the other way is free");
	while (down.got < down.sent) {
		assert_true(is_ready(p.client, LIMIT_MS));
		flow_receives(&down);
	}
	pair_ends(&p);
}

static void
many_connections_do_not_disturb_each_other(void **state)
{
	static struct pair pairs[PAIRS];

	for (int i = 0; i < PAIRS; i++)
		pairs[i] = pair_begins();
	for (int i = 0; i < PAIRS; i++) {
		auto_free char *text = copy_format("number %d", i);

		sends(pairs[i].client, text);
	}
	for (int i = PAIRS; i-- > 0;) {
		auto_free char *text = copy_format("number %d", i);

		receives(pairs[i].server, text);
	}
	for (int i = 0; i < PAIRS; i++)
		pair_ends(&pairs[i]);
	wait_for(its_descriptors() == fds_at_start);
}

static void
one_too_many_waits_until_another_ends(void **state)
{
	static struct pair pairs[MAX_PAIRS];
	struct pair last;

	for (int i = 0; i < MAX_PAIRS; i++)
		pairs[i] = pair_begins();
	last.client = client_connects();
	sends(last.client, "at last");
	assert_false(is_ready(listener, STALLED_MS));
	pair_ends(&pairs[7]);
	last.server = server_accepts();
	receives(last.server, "at last");
	pair_ends(&last);
	for (int i = 0; i < MAX_PAIRS; i++)
		pair_ends(&pairs[i]);
	wait_for(its_descriptors() == fds_at_start);
}

static void
where_nobody_listens_a_connection_ends(void **state)
{
	int client;

	close_now(&listener);
	client = client_connects();
	receives_nothing_more(client);
	close(client);
	says(&world, "dance");
	hears(&world, "unknown dance");
	wait_for(its_descriptors() == fds_at_start);
}

static void
the_end_of_forwarding_ends_connections(void **state)
{
	struct pair p = pair_begins();
	struct flow down = { p.server, p.client, 0, 0 };

	flow_stalls(&down);
	says(&world, "unforward %d", port);
	receives_nothing_more(p.client);
	receives_nothing_more(p.server);
	assert_int_equal(access(path, F_OK), -1);
	says(&world, "unforward %d", port);
	says(&world, "dance");
	hears(&world, "unknown dance");
	assert_true(its_descriptors() < fds_at_start);
	pair_ends(&p);
}

static void
a_port_may_be_forwarded_again(void **state)
{
	struct pair p = pair_begins();

	forwards();
	receives_nothing_more(p.client);
	pair_ends(&p);
	bytes_go_both_ways(state);
}

static void
only_the_owner_may_connect(void **state)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* Of a slot that was killed. */
static void
a_socket_that_was_left_is_replaced(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	says(&world, "unforward %d", port);
	says(&world, "prove");
	hears(&world, "clean 0");
	str_keep(address.sun_path, sizeof address.sun_path, str_of(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address),
			 0);
	close(fd);
	forwards();
	bytes_go_both_ways(state);
}

static void
any_other_file_is_left_alone(void **state)
{
	auto_free char *told = copy_format(
		"fails %d there is a file of that name, which is no socket",
		port);
	auto_free char *other = copy_format("%s/file", directory);
	int fd = open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	close(fd);
	says(&world, "forward %d %s", port, other);
	hears(&world, told);
	assert_int_equal(unlink(other), 0);
}

static void
a_socket_that_can_not_be_made_is_told(void **state)
{
	auto_free char *told =
		copy_format("fails %d No such file or directory", port);

	says(&world, "forward %d %s/no/socket", port, directory);
	hears(&world, told);
}

static void
nothing_is_left_at_the_end(void **state)
{
	struct pair p = pair_begins();

	close_now(&world.slot.in);
	assert_int_equal(its_code(&world), EXIT_SUCCESS);
	assert_int_equal(access(path, F_OK), -1);
	receives_nothing_more(p.client);
	receives_nothing_more(p.server);
	pair_ends(&p);
}

int
main(void)
{
#define in_a_world(test) cmocka_unit_test_setup_teardown(test, begins, ends)
	const struct CMUnitTest tests[] = {
		in_a_world(bytes_go_both_ways),
		in_a_world(a_client_may_end_first),
		in_a_world(a_server_may_end_first),
		in_a_world(a_client_that_goes_is_gone_for_the_server),
		in_a_world(a_server_that_goes_is_gone_for_the_client),
		in_a_world(large_amounts_go_both_ways_at_once),
		in_a_world(who_does_not_read_stops_the_other_side),
		in_a_world(many_connections_do_not_disturb_each_other),
		in_a_world(one_too_many_waits_until_another_ends),
		in_a_world(where_nobody_listens_a_connection_ends),
		in_a_world(the_end_of_forwarding_ends_connections),
		in_a_world(a_port_may_be_forwarded_again),
		in_a_world(only_the_owner_may_connect),
		in_a_world(a_socket_that_was_left_is_replaced),
		in_a_world(any_other_file_is_left_alone),
		in_a_world(a_socket_that_can_not_be_made_is_told),
		in_a_world(nothing_is_left_at_the_end),
	};

	if (!world_is_possible())
		return SKIPPED;
	return cmocka_run_group_tests(tests, opens, closes);
}
