#include "workers/executor/docker/slot_probe.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "workers/executor/docker/slot_orders.h"
#include "workers/executor/docker/slot_place.h"

enum {
	PROBE_MS = 10000,
	MAX_PROBES = 64, /* at once */
	MAX_ANSWER_BYTES = 32,
};

struct probe {
	struct node node; /* in probes.all */
	struct probes *probes;
	char host[MAX_PROBED_BYTES + 1];
	int fd;
	bool has_asked;
	struct watch watch;
	struct timer limit;
	char answer[MAX_ANSWER_BYTES + 1]; /* its beginning */
	size_t len;
};

void
probes_init(struct probes *p, struct loop *l, struct teller *t)
{
	*p = (struct probes){ .loop = l, .teller = t };
	list_init(&p->all);
}

static void
probe_free(struct probe *p)
{
	loop_unwatch(p->probes->loop, &p->watch);
	loop_unset(p->probes->loop, &p->limit);
	if (p->fd >= 0)
		close(p->fd);
	list_remove(&p->probes->all, &p->node);
	free(p);
}

void
probes_fini(struct probes *p)
{
	if (!p->loop)
		return;
	list_each (&p->all, n)
		probe_free(container_of(n, struct probe, node));
}

/* "HTTP/1.0 403 Filtered": 403; 0: it is no answer. */
static void
end(struct probe *p)
{
	unsigned status = 0;

	if (sscanf(p->answer, "HTTP/1.%*1u %3u", &status) != 1)
		status = 0;
	tell(p->probes->teller, "probed %s %u", p->host, status);
	probe_free(p);
}

static void
on_limit(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, limit);

	p->answer[0] = '\0';
	end(p);
}

static bool
ask(struct probe *p)
{
	char text[2 * MAX_PROBED_BYTES + 64];
	int len = snprintf(text, sizeof text,
			   "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", p->host,
			   p->host);

	p->has_asked = true;
	loop_rewatch(p->probes->loop, &p->watch, EPOLLIN);
	return place_has_connected(p->fd) &&
	       send(p->fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

/* False: nothing more comes that is of interest. */
static bool
hear(struct probe *p)
{
	ssize_t n =
		recv(p->fd, p->answer + p->len, MAX_ANSWER_BYTES - p->len, 0);

	if (n > 0)
		p->len += (size_t)n;
	p->answer[p->len] = '\0';
	return n < 0 ? errno == EAGAIN || errno == EINTR
		     : n > 0 && p->len < MAX_ANSWER_BYTES &&
			       !memchr(p->answer, '\n', p->len);
}

static void
on_ready(struct watch *w)
{
	struct probe *p = container_of(w, struct probe, watch);

	if (!(p->has_asked ? hear(p) : ask(p)))
		end(p);
}

void
probes_add(struct probes *all, int port, struct str host)
{
	struct place to = place_of_port(port);
	struct probe *p = xcalloc(1, sizeof *p);
	struct error e;

	p->probes = all;
	p->watch = WATCH_INIT;
	str_keep(p->host, sizeof p->host, host);
	p->fd = all->all.len < MAX_PROBES ? place_connect(&to) : -1;
	list_append(&all->all, &p->node);
	if (p->fd < 0 ||
	    !loop_watch(all->loop, &p->watch, p->fd, EPOLLOUT, on_ready, &e))
		end(p);
	else
		loop_set(all->loop, &p->limit, PROBE_MS, on_limit);
}

/* The network */

/* Nothing is sent: a datagram socket only looks for a route. */
static bool
has_route(void)
{
	/* Addresses for documents, which are nobody's. */
	const struct sockaddr_in four = { .sin_family = AF_INET,
					  .sin_port = htons(53),
					  .sin_addr.s_addr =
						  htonl(0xc6336401) };
	const struct sockaddr_in6 six = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(53),
		.sin6_addr.s6_addr = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }
	};
	int fd4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = (fd4 >= 0 && connect(fd4, (const struct sockaddr *)&four,
					sizeof four) == 0) ||
		   (fd6 >= 0 && connect(fd6, (const struct sockaddr *)&six,
					sizeof six) == 0);

	if (fd4 >= 0)
		close(fd4);
	if (fd6 >= 0)
		close(fd6);
	return has;
}

void
probe_network(struct teller *t)
{
	struct ifaddrs *all = NULL, *i;

	if (getifaddrs(&all) < 0) {
		tell(t, "network that cannot be looked at: %s",
		     strerror(errno));
		return;
	}
	for (i = all; i; i = i->ifa_next)
		if ((i->ifa_flags & IFF_UP) && !(i->ifa_flags & IFF_LOOPBACK))
			break;
	if (i)
		tell(t, "network %s", i->ifa_name);
	else
		tell(t, "network %s", has_route() ? "with a route" : "none");
	freeifaddrs(all);
}
