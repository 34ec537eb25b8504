/*
 * load - many HTTP clients in one loop, and what they experience
 *
 *      bench-load -p PORT -u PATH -b BODY-FILE -c CLIENTS [-n REQUESTS]
 *                 [-t MS] [-s SESSION] [-m MARK]
 *
 * Each client has a connection of its own, which it keeps, and always one POST
 * under way, until REQUESTS were begun in all or MS have passed.  With SESSION
 * client number 7 sends "X-Session-Id: SESSION-7".  MARK is looked for in the
 * answers: when it came first, and how often.  Its first letter must not be in
 * it again.  Prints one JSON object; times are microseconds.
 *
 * It does as little as it can: on a small machine it takes its time from what
 * it measures.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/buf.h"

enum {
	EVENTS_AT_ONCE = 64,
	PIECE = 64 << 10,    /* bytes */
	MAX_REPLY = 8 << 10, /* bytes of a head */
	MAX_ASKED = 1 << 20, /* bytes of a request */
	GRACE = 60,	     /* s, for what is under way at the end */
	SHOWN_FAILURES = 3,
};

enum place { HEAD, BODY, SIZE, CHUNK, CHUNK_END, LAST_END };

struct client {
	int fd;
	struct buf request, head;
	enum place place;
	size_t left; /* bytes, of the body or the chunk */
	bool is_chunked, failed;
	size_t matched;	     /* letters of the mark */
	double began, first; /* 0: no mark yet */
};

struct sample {
	double *ptr;
	size_t len, room;
};

static struct {
	int epoll;
	struct sockaddr_in to;
	struct str path, body, session, mark;
	size_t clients, requests; /* 0: any number */
	double seconds;		  /* 0: for ever */

	double until;
	size_t begun, under_way, failed;
	uint64_t marks, bytes;
	struct sample whole, first;
} load = { .mark = { NULL, 0 } };

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Numbers */

static void
sample_add(struct sample *s, double value)
{
	if (s->len == s->room) {
		s->room = s->room ? 2 * s->room : 1024;
		s->ptr = xrealloc(s->ptr, s->room * sizeof *s->ptr);
	}
	s->ptr[s->len++] = value;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_sample(const char *name, struct sample *s)
{
	double sum = 0;

	qsort(s->ptr, s->len, sizeof *s->ptr, by_size);
	for (size_t i = 0; i < s->len; i++)
		sum += s->ptr[i];
	printf(",\"%s\":", name);
	if (!s->len)
		printf("null");
	else
		printf("{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f,\"mean\":%.1f}",
		       1e6 * s->ptr[s->len / 2],
		       1e6 * s->ptr[s->len * 99 / 100],
		       1e6 * s->ptr[s->len - 1], 1e6 * sum / (double)s->len);
}

/* Asking */

static void
dial(struct client *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    connect(c->fd, (struct sockaddr *)&load.to, sizeof load.to) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll_ctl");
}

static void
ask(struct client *c)
{
	if ((load.requests && load.begun >= load.requests) ||
	    (load.seconds > 0 && now() >= load.until))
		return;
	load.begun++;
	load.under_way++;
	c->place = HEAD;
	c->head.len = c->matched = 0;
	c->failed = false;
	c->first = 0;
	c->began = now();
	if (send(c->fd, c->request.ptr, c->request.len, MSG_NOSIGNAL) !=
	    (ssize_t)c->request.len)
		die("send");
}

/* Hearing */

static void
fail(struct client *c, struct str heard)
{
	if (load.failed < SHOWN_FAILURES)
		fprintf(stderr, "bench-load: %.*s\n", (int)heard.len,
			heard.len ? heard.ptr : "the connection was closed");
	c->failed = true;
}

static void
end(struct client *c)
{
	double t = now();

	load.under_way--;
	if (c->failed) {
		load.failed++;
	} else {
		sample_add(&load.whole, t - c->began);
		if (c->first > 0)
			sample_add(&load.first, c->first - c->began);
	}
}

static void
look_for_mark(struct client *c, struct str s)
{
	load.bytes += s.len;
	for (size_t i = 0; load.mark.len && i < s.len; i++) {
		if (s.ptr[i] == load.mark.ptr[c->matched])
			c->matched++;
		else
			c->matched = s.ptr[i] == load.mark.ptr[0];
		if (c->matched < load.mark.len)
			continue;
		c->matched = 0;
		load.marks++;
		if (!(c->first > 0))
			c->first = now();
	}
}

static void
read_head(struct client *c)
{
	const char *length = strcasestr(c->head.ptr, "\r\nContent-Length:");

	c->is_chunked = strcasestr(c->head.ptr, "\r\nTransfer-Encoding: chunk");
	c->left = length ? strtoull(length + 17, NULL, 10) : 0;
	c->place = c->is_chunked ? SIZE : BODY;
	if (strncmp(c->head.ptr, "HTTP/1.1 200", 12))
		fail(c, (struct str){ c->head.ptr, c->head.len - 1 });
	c->head.len = 0;
}

/* Gathers up to and with `end`, and a NUL; false: there is more to come. */
static bool
gather(struct client *c, struct str *s, const char *end)
{
	struct error e;
	size_t len = strlen(end);

	while (s->len) {
		if (!buf_add(&c->head, (struct str){ s->ptr, 1 }, &e))
			die("a head");
		*s = str_from(*s, 1);
		if (c->head.len < len ||
		    memcmp(c->head.ptr + c->head.len - len, end, len))
			continue;
		if (!buf_add(&c->head, (struct str){ "", 1 }, &e))
			die("a head");
		return true;
	}
	return false;
}

static bool
take_bytes(struct client *c, struct str *s)
{
	size_t n = s->len < c->left ? s->len : c->left;

	look_for_mark(c, (struct str){ s->ptr, n });
	*s = str_from(*s, n);
	c->left -= n;
	return c->left == 0;
}

/* True if the answer is over. */
static bool
hear(struct client *c, struct str *s)
{
	switch (c->place) {
	case HEAD:
		if (gather(c, s, "\r\n\r\n"))
			read_head(c);
		return c->place == BODY && c->left == 0;
	case BODY:
		return take_bytes(c, s);
	case SIZE:
		if (gather(c, s, "\r\n")) {
			c->left = strtoull(c->head.ptr, NULL, 16);
			c->place = c->left ? CHUNK : LAST_END;
			c->head.len = 0;
		}
		return false;
	case CHUNK:
		if (take_bytes(c, s))
			c->place = CHUNK_END;
		return false;
	case CHUNK_END:
	case LAST_END:
		if (!gather(c, s, "\r\n"))
			return false;
		c->head.len = 0;
		if (c->place == LAST_END)
			return true;
		c->place = SIZE;
		return false;
	}
	abort();
}

static void
hang_up(struct client *c)
{
	bool was_under_way = c->began > 0;

	close(c->fd);
	if (was_under_way) {
		fail(c, (struct str){ NULL, 0 });
		end(c);
	}
	c->began = 0;
	dial(c);
	ask(c);
}

static void
on_readable(struct client *c)
{
	static char piece[PIECE];
	ssize_t n = recv(c->fd, piece, sizeof piece, MSG_DONTWAIT);
	struct str s = { piece, n > 0 ? (size_t)n : 0 };

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	while (s.len)
		if (hear(c, &s)) {
			end(c);
			c->began = 0;
			ask(c);
		}
}

/* Life */

static void
prepare(struct client *c, size_t number)
{
	*c = (struct client){ .request = BUF_INIT(MAX_ASKED),
			      .head = BUF_INIT(MAX_REPLY) };
	buf_print(&c->request,
		  "POST " STR_FMT " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		  "Content-Type: application/json\r\nContent-Length: %zu\r\n",
		  STR_ARG(load.path), load.body.len);
	if (load.session.ptr)
		buf_print(&c->request, "X-Session-Id: " STR_FMT "-%zu\r\n",
			  STR_ARG(load.session), number);
	buf_print(&c->request, "\r\n" STR_FMT, STR_ARG(load.body));
}

static struct str
read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *bytes = xcalloc(1, MAX_ASKED);
	size_t len;

	if (!f)
		die(path);
	len = fread(bytes, 1, MAX_ASKED, f);
	fclose(f);
	return (struct str){ bytes, len };
}

static void
read_options(int argc, char *argv[])
{
	int option;

	load.to.sin_family = AF_INET;
	load.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((option = getopt(argc, argv, "p:u:b:c:n:t:s:m:")) != -1) {
		if (option == 'p')
			load.to.sin_port =
				htons((uint16_t)strtoul(optarg, NULL, 10));
		else if (option == 'u')
			load.path = str_of(optarg);
		else if (option == 'b')
			load.body = read_file(optarg);
		else if (option == 'c')
			load.clients = strtoul(optarg, NULL, 10);
		else if (option == 'n')
			load.requests = strtoul(optarg, NULL, 10);
		else if (option == 't')
			load.seconds = strtod(optarg, NULL) / 1000;
		else if (option == 's')
			load.session = str_of(optarg);
		else if (option == 'm')
			load.mark = str_of(optarg);
		else
			exit(2);
	}
	if (!load.path.ptr || !load.body.ptr || !load.clients)
		exit(2);
}

static void
run(void)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int n;

	while (load.under_way > 0) {
		n = epoll_wait(load.epoll, events, EVENTS_AT_ONCE,
			       GRACE * 1000);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		if (n == 0) {
			fprintf(stderr, "bench-load: nothing for %d s\n",
				GRACE);
			load.failed += load.under_way;
			return;
		}
		for (int i = 0; i < n; i++)
			on_readable(events[i].data.ptr);
	}
}

int
main(int argc, char *argv[])
{
	struct client *clients;
	double began;

	read_options(argc, argv);
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	clients = xcalloc(load.clients, sizeof *clients);
	for (size_t i = 0; i < load.clients; i++) {
		prepare(&clients[i], i);
		dial(&clients[i]);
	}
	began = now();
	load.until = began + load.seconds;
	for (size_t i = 0; i < load.clients; i++)
		ask(&clients[i]);
	run();
	printf("{\"clients\":%zu,\"requests\":%zu,\"failed\":%zu,"
	       "\"seconds\":%.6f,\"marks\":%ju,\"bytes\":%ju",
	       load.clients, load.whole.len, load.failed, now() - began,
	       (uintmax_t)load.marks, (uintmax_t)load.bytes);
	print_sample("whole", &load.whole);
	print_sample("first", &load.first);
	printf("}\n");
	return 0;
}
