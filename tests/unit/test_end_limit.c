/*
 * What proto/end_limit promises, and that a process which works on is kept from
 * the fault of NNG's for which the limit is needed.  Each test starts a process
 * that would wait for ever, or might, and waits for its end.
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

enum {
	SHORT_MS = 50,
	ITS_CODE = 7,  /* the limit has ended the process */
	OWN_CODE = 3,  /* the process has ended itself */
	CLOSINGS = 40, /* of a socket on which messages arrive */
	FLOOD = 200,   /* messages in one write() */
	WRITES = 20,   /* of a peer that then goes away */
	PEERS = 20,    /* one after the other */
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

static void
closes_while_messages_arrive(void)
{
	dials();
	if (!run_loop(&loop, is_connected, LIMIT))
		_exit(EXIT_FAILURE);
	end_limit_set(SHORT_MS, OWN_CODE);
	inlet_fini(&inlet);
}

/* Says what PUSH says, then message after message, until nobody listens. */
static void
flood(int peer, int writes)
{
	static const char hello[] = { 0, 'S', 'P', 0, 0, 0x50, 0, 0 };
	static const char message[] = { 1, 0, 0, 0, 0, 0, 0, 0, 1, 'x' };
	char messages[FLOOD * sizeof message], its_hello[sizeof hello];

	for (size_t i = 0; i < FLOOD; i++)
		memcpy(messages + i * sizeof message, message, sizeof message);
	if (recv(peer, its_hello, sizeof its_hello, MSG_WAITALL) < 0 ||
	    send(peer, hello, sizeof hello, MSG_NOSIGNAL) < 0)
		return;
	while (writes-- &&
	       send(peer, messages, sizeof messages, MSG_NOSIGNAL) > 0)
		;
}

/*
 * NNG 1.5.2 hangs in some of these closings: if the length of a message has
 * arrived, and the message itself is still to be asked for.
 */
static void
nor_do_messages_that_arrive_meanwhile(void **state)
{
	int listener = peer_listens();

	for (int i = 0; i < CLOSINGS; i++) {
		pid_t pid = begins(closes_while_messages_arrive);
		int peer = accept(listener, NULL, NULL);

		assert_true(peer >= 0);
		flood(peer, -1);
		assert_int_equal(ends(pid), OWN_CODE);
		close(peer);
	}
	close(listener);
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
	if (!run_loop(&loop, all_peers_have_gone, LIMIT))
		_exit(EXIT_FAILURE);
}

static bool
somebody_dials(int listener)
{
	struct pollfd ready = { .fd = listener, .events = POLLIN };

	return poll(&ready, 1, LIMIT) == 1;
}

/* NNG would notice the end of no other connection. */
static void
a_connection_that_is_given_up_while_messages_arrive_harms_no_other(void **state)
{
	int listener = peer_listens();
	pid_t pid = begins(renews_while_messages_arrive);

	for (int i = 0; i < PEERS; i++) {
		int peer;

		assert_true(somebody_dials(listener));
		peer = accept(listener, NULL, NULL);
		flood(peer, WRITES);
		close(peer);
	}
	assert_int_equal(ends(pid), OWN_CODE);
	close(listener);
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
		cmocka_unit_test(nor_do_messages_that_arrive_meanwhile),
		cmocka_unit_test(
			a_connection_that_is_given_up_while_messages_arrive_harms_no_other),
	};

	return cmocka_run_group_tests(tests, opens, closes);
}
