/*
 * What proto/end_limit promises, and what proto/stream promises: that no
 * closing of a connection lasts for ever, in a process that ends or in one that
 * works on.  Each test starts a process that would wait for ever, or might, and
 * waits for its end.
 */
#include "waits.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/end_limit.h"
#include "proto/link.h"
#include "proto/pipeline.h"
#include "proto/stream.h"

enum {
	SHORT_MS = 50,
	ITS_CODE = 7,	/* the limit has ended the process */
	OWN_CODE = 3,	/* the process has ended itself */
	CLOSINGS = 300, /* of a socket of each kind, while it is busy */
	DEATHS = 100,	/* of peers, in the middle of a message */
	FLOOD = 200,	/* messages in one write() */
	WRITES = 20,	/* of a peer that then goes away */
	PEERS = 20,	/* one after the other */
};

static char directory[] = "/tmp/test_end_limit.XXXXXX";

static int
opens(void **state)
{
	assert_non_null(mkdtemp(directory));
	return 0;
}

static int
closes(void **state)
{
	auto_free char *path = copy_format("%s/peer.events", directory);

	(void)unlink(path);
	(void)rmdir(directory);
	return 0;
}

/* Words */

static pid_t
begins(void (*work)(void))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	work();
	_exit(OWN_CODE);
}

/* Its exit code.  A process that does not end is killed, and the test fails. */
static int
ends(pid_t pid)
{
	uint64_t until = loop_now() + LIMIT;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (loop_now() > until) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			fail_msg("the process did not end");
		}
		(void)poll(NULL, 0, 1);
	}
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
block_all_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

static void
wait_for_ever(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t never = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&lock);
	for (;;)
		pthread_cond_wait(&never, &lock);
}

/* A listener that is none of NNG's. */
static int
peer_listens(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s/peer.events",
		 directory);
	(void)unlink(address.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void
on_nothing(struct inlet *i, const struct msg *m)
{
}

static void
on_broken(struct inlet *i, const struct error *e)
{
}

static struct loop loop;
static struct inlet inlet;

static void
dials(void)
{
	static const struct hearing hearing = {
		.self = GATEWAY,
		.peer = WORKER,
		.heard = on_nothing,
		.broken = on_broken,
	};
	auto_free char *url = link_url(directory, "peer", "events");
	struct error e = { 0 };

	if (!loop_init(&loop, &e) ||
	    !inlet_dial(&inlet, &loop, url, &hearing, &e))
		_exit(EXIT_FAILURE);
}

static bool
is_connected(void)
{
	return inlet.writer.connected;
}

/* Tests */

static void
hangs(void)
{
	block_all_signals();
	end_limit_set(SHORT_MS, ITS_CODE);
	wait_for_ever();
}

static void
a_process_that_hangs_in_its_end_ends_with_its_code(void **state)
{
	assert_int_equal(ends(begins(hangs)), ITS_CODE);
}

static void
works_on(void)
{
	end_limit_set(SHORT_MS, ITS_CODE);
	end_limit_unset();
	(void)poll(NULL, 0, 4 * SHORT_MS);
}

static void
a_limit_that_was_unset_ends_nothing(void **state)
{
	assert_int_equal(ends(begins(works_on)), OWN_CODE);
}

static void
dials_and_ends(void)
{
	dials();
	wait_ms(&loop, SHORT_MS);
	end_limit_set(END_LIMIT_MS, OWN_CODE);
	inlet_fini(&inlet);
}

static void
a_peer_that_never_shakes_hands_keeps_nobody_from_ending(void **state)
{
	int listener = peer_listens(), peer;
	pid_t pid = begins(dials_and_ends);

	peer = accept(listener, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(ends(pid), OWN_CODE);
	close(peer);
	close(listener);
}

/* What the other side says of itself, which is a protocol of NNG's. */
enum { PUSH = 0x50, PULL = 0x51, REQ = 0x30, REP = 0x31 };

static bool
shakes_hands(int peer, char *its_protocol)
{
	char hello[] = { 0, 'S', 'P', 0, 0, 0, 0, 0 }, its_hello[sizeof hello];

	if (recv(peer, its_hello, sizeof its_hello, MSG_WAITALL) !=
	    sizeof its_hello)
		return false;
	*its_protocol = its_hello[5];
	hello[5] = (char)(*its_protocol ^ 1);
	return send(peer, hello, sizeof hello, MSG_NOSIGNAL) == sizeof hello;
}

/* Sends message after message, until nobody listens. */
static void
sends_on(int peer, int writes)
{
	/* its length, the id of a request, and a byte */
	static const char message[] = { 1, 0, 0,      0, 0, 0, 0,
					0, 5, '\x80', 0, 0, 0, 'x' };
	char messages[FLOOD * sizeof message];

	for (size_t i = 0; i < FLOOD; i++)
		memcpy(messages + i * sizeof message, message, sizeof message);
	while (writes-- &&
	       send(peer, messages, sizeof messages, MSG_NOSIGNAL) > 0)
		;
}

static void
reads_on(int peer)
{
	char bytes[4096];

	while (recv(peer, bytes, sizeof bytes, 0) > 0)
		;
}

/* The peer of a PUSH reads all that comes, any other one sends. */
static void
keeps_busy(int peer, int writes)
{
	char its_protocol;

	if (!shakes_hands(peer, &its_protocol))
		return;
	if (its_protocol == PUSH)
		reads_on(peer);
	else
		sends_on(peer, writes);
}

static void
renews(struct inlet *i)
{
	if (i->writer.connected)
		inlet_renew(i);
}

static bool
all_peers_have_gone(void)
{
	return inlet.writer.went_seen >= PEERS;
}

static void
renews_while_messages_arrive(void)
{
	dials();
	inlet.changed = renews;
	if (!run_loop(&loop, all_peers_have_gone, 5 * LIMIT))
		_exit(EXIT_FAILURE);
}

static bool
somebody_dials(int listener)
{
	struct pollfd ready = { .fd = listener, .events = POLLIN };

	return poll(&ready, 1, LIMIT) == 1;
}

static void
next_peer_keeps_busy(int listener, int writes)
{
	const struct timeval limit = { .tv_sec = LIMIT / 1000 };
	int peer = accept(listener, NULL, NULL);

	(void)setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	keeps_busy(peer, writes);
	close(peer);
}

/* Those who dial come one after the other. */
static void
peers_keep_busy(int listener, int peers, int writes)
{
	for (int i = 0; i < peers; i++) {
		assert_true(somebody_dials(listener));
		next_peer_keeps_busy(listener, writes);
	}
}

static bool
has_ended(pid_t pid)
{
	siginfo_t how = { 0 };

	return waitid(P_PID, (id_t)pid, &how, WEXITED | WNOHANG | WNOWAIT) ==
		       0 &&
	       how.si_pid == pid;
}

/* However many it needs: a connection that ends just when it begins counts for
 * us, but not for the process. */
static void
peers_keep_busy_until_it_ends(int listener, pid_t pid, int writes)
{
	struct pollfd ready = { .fd = listener, .events = POLLIN };

	while (!has_ended(pid))
		if (poll(&ready, 1, STEP) == 1)
			next_peer_keeps_busy(listener, writes);
}

static void
a_connection_that_is_given_up_while_messages_arrive_harms_no_other(void **state)
{
	int listener = peer_listens();
	pid_t pid = begins(renews_while_messages_arrive);

	peers_keep_busy_until_it_ends(listener, pid, WRITES);
	assert_int_equal(ends(pid), OWN_CODE);
	close(listener);
}

static struct client client;
static struct outlet outlet;

static bool
client_is_there(void)
{
	return client_is_connected(&client);
}

static bool
client_is_gone(void)
{
	return !client_is_connected(&client);
}

static bool
outlet_is_there(void)
{
	return outlet.reader.connected;
}

/* The other process has the shorter limit, and the words for it. */
static void
waits_until(bool (*happened)(void))
{
	if (!run_loop(&loop, happened, 5 * LIMIT))
		_exit(EXIT_FAILURE);
}

static void
client_dials(const char *url)
{
	struct error e = { 0 };

	if (!client_dial(&client, &loop, url, GATEWAY, WORKER, NULL, &e))
		_exit(EXIT_FAILURE);
	waits_until(client_is_there);
}

static void
outlet_dials(const char *url)
{
	struct error e = { 0 };

	if (!outlet_dial(&outlet, &loop, url, WORKER, NULL, &e))
		_exit(EXIT_FAILURE);
	waits_until(outlet_is_there);
}

/* More than the kernel takes at once. */
static void
outlet_sends(void)
{
	auto_free char *text = xcalloc(1, MAX_DELTA);
	const struct msg_text m = { .turn = 1,
				    .seq = 1,
				    .text = { text, MAX_DELTA } };

	memset(text, 'x', MAX_DELTA);
	for (int i = 0; i < WRITES; i++)
		outlet_send(&outlet, MSG_TEXT, &m);
	wait_ms(&loop, 1);
}

/*
 * The last peer ends by itself.  That is noticed, so NNG has come to a halt in
 * none of the closings before it.
 */
static void
closes_again_and_again(void)
{
	auto_free char *url = link_url(directory, "peer", "events");

	for (int i = 0; i < CLOSINGS; i++) {
		dials();
		waits_until(is_connected);
		inlet_fini(&inlet);
		client_dials(url);
		client_fini(&client);
		outlet_dials(url);
		outlet_sends();
		outlet_fini(&outlet);
		loop_fini(&loop);
	}
	dials();
	inlet_fini(&inlet);
	client_dials(url);
	waits_until(client_is_gone);
	client_fini(&client);
	if (!stream_is_guarded())
		_exit(EXIT_FAILURE);
}

/* NNG 1.5.2 alone comes to a halt after a few of these closings. */
static void
no_closing_holds_up_a_process_that_works_on(void **state)
{
	int listener = peer_listens();
	pid_t pid = begins(closes_again_and_again);

	peers_keep_busy(listener, 3 * CLOSINGS + 1, -1);
	peers_keep_busy(listener, 1, WRITES);
	assert_int_equal(ends(pid), OWN_CODE);
	close(listener);
}

static struct timer next_request;

/* Larger than what the kernel takes at once. */
static void
on_next_request(struct timer *t)
{
	static char body[1 << 20];
	const struct msg_submit m = { .worker = 1,
				      .turn = 1,
				      .harness = STR("claude"),
				      .body = { body, sizeof body } };

	if (client_is_connected(&client))
		client_ask(&client, MSG_SUBMIT, &m, NULL, 0, NULL);
	loop_set(&loop, t, 1, on_next_request);
}

static bool
last_server_has_gone(void)
{
	auto_free char *path = copy_format("%s/peer.events", directory);

	return access(path, F_OK) != 0 && client_is_gone();
}

static void
sends_while_servers_die(void)
{
	auto_free char *url = link_url(directory, "peer", "events");
	struct error e = { 0 };

	if (!loop_init(&loop, &e))
		_exit(EXIT_FAILURE);
	client_dials(url);
	loop_set(&loop, &next_request, 0, on_next_request);
	waits_until(last_server_has_gone);
	loop_unset(&loop, &next_request);
	client_fini(&client);
	loop_fini(&loop);
}

/* Reads a part of what comes, and sends a part of what it has begun. */
static void
dies_in_the_middle(int peer)
{
	char bytes[MAX_DELTA], its_protocol;
	int reads = rand() % 20;

	if (!shakes_hands(peer, &its_protocol))
		return;
	for (int i = 0; i < reads; i++) {
		(void)recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);
		sends_on(peer, 1);
	}
}

/* Goes when a request arrives, and nobody listens any more. */
static void
last_server_comes_and_goes(int listener)
{
	auto_free char *path = copy_format("%s/peer.events", directory);
	char byte, its_protocol;
	int peer;

	do {
		assert_true(somebody_dials(listener));
		peer = accept(listener, NULL, NULL);
	} while (!shakes_hands(peer, &its_protocol));
	assert_int_equal(recv(peer, &byte, 1, 0), 1);
	assert_int_equal(unlink(path), 0);
	close(listener);
	close(peer);
}

static void
the_end_of_a_peer_is_noticed_wherever_it_ends(void **state)
{
	int listener = peer_listens();
	pid_t pid = begins(sends_while_servers_die);

	for (int i = 0; i < DEATHS; i++) {
		int peer;

		assert_true(somebody_dials(listener));
		peer = accept(listener, NULL, NULL);
		dies_in_the_middle(peer);
		close(peer);
	}
	last_server_comes_and_goes(listener);
	assert_int_equal(ends(pid), OWN_CODE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_process_that_hangs_in_its_end_ends_with_its_code),
		cmocka_unit_test(a_limit_that_was_unset_ends_nothing),
		cmocka_unit_test(
			a_peer_that_never_shakes_hands_keeps_nobody_from_ending),
		cmocka_unit_test(
			a_connection_that_is_given_up_while_messages_arrive_harms_no_other),
		cmocka_unit_test(no_closing_holds_up_a_process_that_works_on),
		cmocka_unit_test(the_end_of_a_peer_is_noticed_wherever_it_ends),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
