/*
 * Any messages to the MCP server of a worker: refused or served, never worse.
 *
 * The real server, on real sockets.  Each line of the input is the body of a
 * POST, but for single letters: "g" is a GET, "h" hangs up the oldest
 * connection, "a" answers the call that has waited longest, "c" changes the
 * tools, and "d" closes the door and opens another.  What must hold whatever
 * comes: every answer looks like one, what is told as JSON is JSON, and when
 * all clients have gone nothing of them is left.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http/connection.h"
#include "proto/log.h"
#include "workers/tools/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	MOST = 16,  /* connections */
	ROUNDS = 6, /* of the loop, in which a message is heard */
};

static struct loop loop;
static struct tool_server server;
static struct door door;
static struct timer tick;
static int rounds;
static int clients[MOST];
static size_t client_count;

/* The owner of the door */

static json_t *
tools(struct door *d)
{
	return json_pack("[{s:s, s:{s:s}}]", "name", "look", "inputSchema",
			 "type", "object");
}

static json_t *
result(const struct waiting_call *c)
{
	return json_pack("{s:[{s:s, s:s?}], s:O}", "content", "type", "text",
			 "text", c->name, "was", c->arguments);
}

static void
called(struct waiting_call *c)
{
	assert(c->arguments);
	if (c->name && *c->name == 'n')
		door_answer(c, result(c));
}

static void
dropped(struct waiting_call *c)
{
	assert(c->door == &door);
}

static void
answer_oldest(void)
{
	struct node *n = list_first(&door.calls);
	struct waiting_call *c =
		n ? container_of(n, struct waiting_call, node) : NULL;

	if (c)
		door_answer(c, result(c));
}

static void
open_door(void)
{
	door = (struct door){ .tools = tools,
			      .called = called,
			      .dropped = dropped };
	door_open(&server, &door, copy_format("127.0.0.1:%u", server.port));
}

/* The loop */

static void
on_tick(struct timer *t)
{
	if (--rounds <= 0)
		loop_stop(&loop);
	else
		loop_set(&loop, t, 0, on_tick);
}

static void
run_for(int n)
{
	struct error e;

	loop.stopping = false;
	rounds = n;
	loop_set(&loop, &tick, 0, on_tick);
	if (!loop_run(&loop, &e))
		abort();
}

static bool
is_clear(void)
{
	const struct http *h = &server.http;

	return !h->busy.len && !h->idle.len && !h->dead.len && !h->readers.len;
}

static void
run_until_clear(void)
{
	uint64_t until = loop_now() + 30000;

	while (!is_clear() && loop_now() < until)
		run_for(8);
}

static void
start(void)
{
	static struct settings s = { .max_body = 1 << 16,
				     .max_bodies = 1 << 20,
				     .max_connections = 2 * MOST };
	struct error e;

	log_open("fuzz", LOG_ERROR);
	loop = (struct loop)LOOP_INIT;
	if (!loop_init(&loop, &e) || !tool_server_open(&server, &loop, &s, &e))
		abort();
}

/* Clients */

/* The last event may have come in part. */
static void
check_events(const char *events)
{
	const char *data = events, *end;

	while ((data = strstr(data, "data: ")) && (end = strchr(data, '\n'))) {
		json_t *json = json_loadb(data + 6, (size_t)(end - data - 6),
					  JSON_ALLOW_NUL, NULL);

		assert(json_is_object(json));
		json_decref(json);
		data = end;
	}
}

static void
check_answer(int fd)
{
	static char answer[1 << 20];
	ssize_t n = recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT);
	const char *body;

	if (n <= 0)
		return;
	answer[n] = '\0';
	assert(!strncmp(answer, "HTTP/1.1 ", 9));
	body = strstr(answer, "\r\n\r\n");
	assert(body);
	if (strstr(answer, "text/event-stream"))
		check_events(body);
	else if (strstr(answer, "application/json"))
		assert(body[4] == '{');
}

static void
hang_up(void)
{
	const struct linger reset = { .l_onoff = 1 };

	if (!client_count)
		return;
	check_answer(clients[0]);
	setsockopt(clients[0], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(clients[0]);
	memmove(clients, clients + 1, --client_count * sizeof *clients);
}

static void
ask(const char *method, struct str body)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(server.port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char head[512];
	int n = snprintf(head, sizeof head,
			 "%s /mcp/%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
			 "Content-Length: %zu\r\n\r\n",
			 method, door.secret, server.port, body.len);

	if (client_count == MOST)
		hang_up();
	if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0)
		abort();
	if (send(fd, head, (size_t)n, MSG_NOSIGNAL) < 0 ||
	    (body.len && send(fd, body.ptr, body.len, MSG_NOSIGNAL) < 0))
		abort();
	clients[client_count++] = fd;
}

static void
act(struct str line)
{
	if (str_is(line, "g")) {
		ask("GET", STR(""));
	} else if (str_is(line, "h")) {
		hang_up();
	} else if (str_is(line, "a")) {
		answer_oldest();
	} else if (str_is(line, "c")) {
		door_tell_change(&door);
	} else if (str_is(line, "d")) {
		door_close(&door);
		open_door();
	} else {
		ask("POST", line);
	}
	run_for(ROUNDS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str rest = { (const char *)data, len };

	if (len > 16 << 10)
		return 0;
	if (!server.is_open)
		start();
	open_door();
	while (rest.len) {
		const char *end = memchr(rest.ptr, '\n', rest.len);
		size_t n = end ? (size_t)(end - rest.ptr) : rest.len;

		act((struct str){ rest.ptr, n });
		rest = str_from(rest, n + (end != NULL));
	}
	while (client_count)
		hang_up();
	run_until_clear();
	assert(is_clear());
	assert(!door.calls.len && !door.streams.len);
	door_close(&door);
	return 0;
}
