#include "workers/executor/docker/slot_place.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

int
place_connect(const struct place *p)
{
	const int yes = 1;
	int fd = socket(p->address.any.sa_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (p->address.any.sa_family == AF_INET)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes,
				 sizeof yes);
	if (connect(fd, &p->address.any, p->size) == 0 || errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

bool
place_has_connected(int fd)
{
	socklen_t size = sizeof errno;
	int why = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) == 0 &&
	       why == 0;
}
