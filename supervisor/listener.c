#include "supervisor/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/address.h"
#include "proto/buf.h"
#include "proto/variables.h"

enum {
	BACKLOG = 1024,
	FIRST_ACTIVATED = 3, /* the first descriptor that systemd passes */
	OUT_OF_THE_WAY = 10, /* above the descriptors that children are given */
};

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

/* An IPv6 address may have brackets, as in a URL. */
static char *
without_brackets(const char *host)
{
	struct str s = str_of(host);

	if (s.len >= 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']')
		return copy((struct str){ s.ptr + 1, s.len - 2 });
	return copy(s);
}

static int
listen_to(const struct addrinfo *ai)
{
	int on = 1, fd;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	on = errno;
	close(fd);
	errno = on;
	return -1;
}

static bool
listen_on(int *fd, const char *host, uint64_t port, struct error *e)
{
	auto_free char *name = without_brackets(host);
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *found;
	char service[8];
	int r;

	/* Clients of "localhost" try both families; IPv4 is common. */
	if (!strcasecmp(name, "localhost"))
		hints.ai_family = AF_INET;
	snprintf(service, sizeof service, "%u", (unsigned)port);
	r = getaddrinfo(name, service, &hints, &found);
	if (r != 0)
		return fail_with(e, ERR_INVALID, "BRIDGE_HOST is \"%s\": %s",
				 host, gai_strerror(r));
	*fd = listen_to(found);
	freeaddrinfo(found);
	return *fd >= 0 || fail_errno(e, "listen on %s port %s", host, service);
}

/* LISTEN_FDS is meant for one process only: LISTEN_PID names it. */
static bool
is_activated(void)
{
	struct str pid = variable_value("LISTEN_PID"),
		   count = variable_value("LISTEN_FDS");
	bool ours = pid.len && count.len &&
		    strtol(pid.ptr, NULL, 10) == getpid() &&
		    strtol(count.ptr, NULL, 10) > 0;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return ours;
}

static bool
check_activated(int fd, struct error *e)
{
	int listens = 0;
	socklen_t len = sizeof listens;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 ||
	    !listens)
		return fail_with(e, ERR_INVALID,
				 "LISTEN_FDS: descriptor %d "
				 "is no socket that listens",
				 fd);
	return true;
}

/* Reads the bound address, which is also what decides about trust. */
static bool
name_it(struct listener *l, struct error *e)
{
	union address a = { 0 };
	socklen_t len = sizeof a;
	char host[INET6_ADDRSTRLEN], port[8];
	bool six;

	if (getsockname(l->fd, &a.any, &len) < 0 ||
	    getnameinfo(&a.any, len, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return fail_with(e, ERR_INVALID,
				 "LISTEN_FDS: is no TCP socket");
	l->is_loopback = address_is_loopback(&a.any);
	six = a.any.sa_family == AF_INET6;
	l->url = copy_format("http://%s%s%s:%s", six ? "[" : "", host,
			     six ? "]" : "", port);
	return true;
}

static bool
move_it(struct listener *l, int from, struct error *e)
{
	l->fd = fcntl(from, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
	if (l->fd < 0)
		return fail_errno(e, "dup");
	close(from);
	if (fcntl(l->fd, F_SETFL, fcntl(l->fd, F_GETFL) | O_NONBLOCK) < 0)
		return fail_errno(e, "make the listening socket non-blocking");
	return true;
}

bool
listener_open(struct listener *l, const char *host, uint64_t port,
	      struct error *e)
{
	int fd = FIRST_ACTIVATED;

	if (is_activated() ? !check_activated(fd, e)
			   : !listen_on(&fd, host, port, e))
		return false;
	return move_it(l, fd, e) && name_it(l, e);
}

bool
listener_fits(const struct listener *l, const char *bearer, struct error *e)
{
	if (l->is_loopback)
		return true;
	return bearer || fail_with(e, ERR_INVALID,
				   "listening at %s, which is not loopback, "
				   "needs BRIDGE_BEARER",
				   l->url);
}

void
listener_fini(struct listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	free(l->url);
	*l = LISTENER_INIT;
}
