#include "supervisor/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/variables.h"

void
notify(const char *what)
{
	struct str path = variable_value("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (path.len == 0 || path.len >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path.ptr, path.len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0'; /* abstract: a name without a file */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(
		fd, what, strlen(what), MSG_NOSIGNAL, (struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len));
	close(fd);
}
