#include "supervisor/orphans.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void
on_ended(struct watch *w)
{
	struct orphans *o = container_of(w, struct orphans, ended);
	struct signalfd_siginfo signal;

	(void)!read(w->fd, &signal, sizeof signal);
	o->some_ended(o);
}

bool
orphans_watch(struct orphans *o, struct loop *loop,
	      void (*some_ended)(struct orphans *), struct error *e)
{
	sigset_t set;
	int fd;

	*o = ORPHANS_INIT;
	o->loop = loop;
	o->some_ended = some_ended;
	prctl(PR_SET_CHILD_SUBREAPER, 1UL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return fail_errno(e, "signalfd");
	if (loop_watch(loop, &o->ended, fd, EPOLLIN, on_ended, e))
		return true;
	close(fd);
	return false;
}

void
orphans_fini(struct orphans *o)
{
	int fd = o->ended.fd;

	if (fd < 0)
		return;
	loop_unwatch(o->loop, &o->ended);
	close(fd);
}

pid_t
orphans_next(struct orphans *o)
{
	siginfo_t ended = { 0 };

	if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0)
		return 0;
	return ended.si_pid;
}

void
orphans_reap(struct orphans *o, pid_t pid)
{
	(void)waitpid(pid, NULL, WNOHANG);
}
