#include "mcp_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "http://127.0.0.1:"

void
mcp_init(struct mcp_client *c, struct loop *loop)
{
	*c = (struct mcp_client){ .loop = loop,
				  .fd = -1,
				  .heard = BUF_INIT(256u << 20) };
}

void
mcp_fini(struct mcp_client *c)
{
	mcp_hangs_up(c);
	buf_fini(&c->heard);
}

void
mcp_hangs_up(struct mcp_client *c)
{
	if (c->fd < 0)
		return;
	loop_unwatch(c->loop, &c->watch);
	close(c->fd);
	c->fd = -1;
}

static void
on_speech(struct watch *w)
{
	static char bytes[1 << 16];
	struct mcp_client *c = container_of(w, struct mcp_client, watch);
	ssize_t n = read(w->fd, bytes, sizeof bytes);

	if (n > 0) {
		must(buf_add(&c->heard, ((struct str){ bytes, (size_t)n }),
			     &e));
		return;
	}
	c->is_over = true;
	mcp_hangs_up(c);
}

static void
connects(struct mcp_client *c, unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	mcp_hangs_up(c);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	c->watch = WATCH_INIT;
	c->heard.len = 0;
	c->is_over = false;
	assert_int_equal(connect(c->fd, (void *)&a, sizeof a), 0);
	must(loop_watch(c->loop, &c->watch, c->fd, EPOLLIN, on_speech, &e));
}

void
mcp_asks(struct mcp_client *c, const char *method, const char *url,
	 const char *path, const char *headers, struct str body)
{
	unsigned port = (unsigned)strtoul(url + strlen(HOST), NULL, 10);
	auto_free char *usual = copy_format("Host: 127.0.0.1:%u\r\n", port);
	auto_free char *head = copy_format(
		"%s %s HTTP/1.1\r\n%sContent-Length: %zu\r\n\r\n", method,
		path ? path : strchr(url + strlen(HOST), '/'),
		headers ? headers : usual, body.len);

	connects(c, port);
	assert_int_equal(write(c->fd, head, strlen(head)), strlen(head));
	assert_int_equal(write(c->fd, body.ptr, body.len), body.len);
}

void
mcp_posts(struct mcp_client *c, const char *url, const char *body)
{
	mcp_asks(c, "POST", url, NULL, NULL, str_of(body));
}

bool
mcp_has_heard(struct mcp_client *c, const char *words)
{
	must(buf_add(&c->heard, (struct str){ "", 1 }, &e));
	c->heard.len--;
	return strstr(c->heard.ptr, words);
}

void
mcp_hears(struct mcp_client *c, const char *words)
{
	uint64_t until = loop_now() + LIMIT;

	while (!mcp_has_heard(c, words)) {
		if (loop_now() >= until)
			fail_msg("%s: not heard, but: %.2000s", words,
				 c->heard.ptr);
		wait_ms(c->loop, STEP);
	}
}
