#include "supervisor/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

bool
terminal_is_there(void)
{
	int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool
terminal_ends_us(void)
{
	struct sigaction hangup;

	return terminal_is_there() && sigaction(SIGHUP, NULL, &hangup) == 0 &&
	       hangup.sa_handler != SIG_IGN;
}
