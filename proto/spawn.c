#include "proto/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/descriptors.h"

#define LAUNCHER "cli-bridge-launch"

enum {
	UNKNOWN = 255,	  /* exit code of a child that was reaped elsewhere */
	FIRST_CLOSED = 4, /* descriptors from here on are not inherited */
	PASSED = 3,
};

static void
on_exited(struct watch *w)
{
	struct process *p = container_of(w, struct process, exited);
	int fd = w->fd;

	pid_t pid = waitpid(p->pid, &p->status, WNOHANG);

	if (pid == 0)
		return;
	if (pid < 0)
		p->status = W_EXITCODE(UNKNOWN, 0);
	p->pid = 0;
	loop_unwatch(p->loop, w);
	close(fd);
	p->ended(p);
}

static void
redirect(posix_spawn_file_actions_t *files, int from, int to, int how)
{
	if (from == to)
		return;
	if (from >= 0)
		posix_spawn_file_actions_adddup2(files, from, to);
	else
		posix_spawn_file_actions_addopen(files, to, "/dev/null", how,
						 0);
}

static int
launch(pid_t *pid, const struct spawn *s, const char *const *argv)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID |
						POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&files);
	if (s->cwd)
		posix_spawn_file_actions_addchdir_np(&files, s->cwd);
	if (s->pass >= 0)
		redirect(&files, s->pass, PASSED, 0);
	redirect(&files, s->in, STDIN_FILENO, O_RDONLY);
	redirect(&files, s->out, STDOUT_FILENO, O_WRONLY);
	redirect(&files, s->err, STDERR_FILENO, O_WRONLY);
	posix_spawn_file_actions_addclosefrom_np(
		&files, s->pass >= 0 ? FIRST_CLOSED : PASSED);
	r = posix_spawn(pid, argv[0], &files, &attr, (char *const *)argv,
			s->env);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return r;
}

/*
 * The arguments are: launcher, death signal, our pid, limit of descriptors,
 * then the program and its arguments.
 */
static int
start(pid_t *pid, const struct spawn *s)
{
	auto_free char *launcher = program_of_ours(LAUNCHER);
	auto_free const char **argv = NULL;
	char signal[16], parent[16], descriptors[24];
	size_t n = 0;

	while (s->argv[n])
		n++;
	argv = xcalloc(n + 5, sizeof *argv);
	snprintf(signal, sizeof signal, "%d", s->death_signal);
	snprintf(parent, sizeof parent, "%d", (int)getpid());
	snprintf(descriptors, sizeof descriptors, "%ju",
		 (uintmax_t)descriptors_inherited());
	argv[0] = launcher;
	argv[1] = signal;
	argv[2] = parent;
	argv[3] = descriptors;
	memcpy(argv + 4, s->argv, n * sizeof *argv);
	return launch(pid, s, argv);
}

bool
process_start(struct process *p, struct loop *loop, const struct spawn *s,
	      void (*ended)(struct process *), struct error *e)
{
	int fd, r;

	*p = PROCESS_INIT;
	p->loop = loop;
	p->ended = ended;
	r = start(&p->pid, s);
	if (r != 0) {
		p->pid = 0;
		errno = r;
		if (r == EAGAIN || r == ENOMEM)
			return fail_with(e, ERR_NO_PROCESS,
					 "%s can't be started: the machine "
					 "allows no more processes (%s)",
					 s->argv[0], strerrordesc_np(r));
		return fail_errno(e, "start %s%s%s", s->argv[0],
				  s->cwd ? " in " : "", s->cwd ? s->cwd : "");
	}
	fd = pidfd_open(p->pid, 0);
	if (fd < 0)
		fail_errno(e, "pidfd_open");
	else if (loop_watch(loop, &p->exited, fd, EPOLLIN, on_exited, e))
		return true;
	else
		close(fd);
	process_fini(p);
	return false;
}

/*
 * We have not reaped this child yet, so no other process or group can have its
 * number.
 */
void
process_signal(const struct process *p, int signal)
{
	if (p->pid > 0)
		(void)kill(-p->pid, signal);
}

void
process_fini(struct process *p)
{
	int fd = p->exited.fd;

	if (p->pid > 0) {
		process_signal(p, SIGKILL);
		(void)waitpid(p->pid, &p->status, 0);
		p->pid = 0;
	}
	if (fd >= 0) {
		loop_unwatch(p->loop, &p->exited);
		close(fd);
	}
}

const char *
process_status_text(int status)
{
	static char text[64];
	int n;

	if (WIFSIGNALED(status)) {
		n = WTERMSIG(status);
		snprintf(text, sizeof text, "signal %d (%s)", n,
			 sigdescr_np(n) ? sigdescr_np(n) : "?");
		return text;
	}
	n = WEXITSTATUS(status);
	snprintf(text, sizeof text, "exit code %d", n);
	return text;
}

char *
program_of_ours(const char *name)
{
	char self[MAX_PATH];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash, *beside;

	if (n < 0)
		abort();
	self[n] = '\0';
	slash = strrchr(self, '/');
	*slash = '\0';
	beside = copy_format("%s/%s", self, name);
	if (access(beside, X_OK) == 0)
		return beside;
	free(beside);
	return copy_format("%s/../libexec/cli-bridge/%s", self, name);
}

static bool
can_be_run(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

/* Symbolic links are kept: some programs look at their own name. */
static char *
absolute(const char *path)
{
	char here[MAX_PATH];

	if (*path == '/' || !getcwd(here, sizeof here))
		return copy(str_of(path));
	return copy_format("%s/%s", here, path);
}

char *
program_in_path(const char *name, const char *path)
{
	struct str left = str_of(path), dir;
	char *full;

	if (strchr(name, '/'))
		return can_be_run(name) ? absolute(name) : NULL;
	while (left.ptr) {
		dir = str_cut(left, ':', &left);
		if (!dir.len || *dir.ptr != '/')
			continue;
		full = copy_format("%.*s/%s", STR_ARG(dir), name);
		if (can_be_run(full))
			return full;
		free(full);
	}
	return NULL;
}
