#include "proto/end_limit.h"

#include <signal.h>
#include <stddef.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t exit_code;

static void
on_alarm(int signal)
{
	_exit(exit_code);
}

static void
set_timer(unsigned ms)
{
	const struct itimerval once = {
		.it_value = { .tv_sec = ms / 1000,
			      .tv_usec = ms % 1000 * 1000 },
	};

	(void)setitimer(ITIMER_REAL, &once, NULL);
}

void
end_limit_set(unsigned ms, int code)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	sigset_t alarm_only;

	exit_code = code;
	(void)sigaction(SIGALRM, &action, NULL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	/* The process may have been started with SIGALRM blocked. */
	(void)pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
	set_timer(ms);
}

void
end_limit_unset(void)
{
	set_timer(0);
}
