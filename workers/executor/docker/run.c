#include "workers/executor/docker/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workers/executor/docker/control.h"

enum {
	NO_STATUS = W_EXITCODE(EXIT_NEVER_RAN,
			       0), /* as of a program that never ran */
	CAUSE_MS = 500, /* until the engine is asked why a run was killed... */
	CAUSE_ANSWER_MS = 5000, /* ...and until its owner is told without it */
	LAST_OUTPUT_MS = 500, /* for output that others hold open: program.c has
			       * given up by then */
};

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
close_all(struct run *r)
{
	close_fd(&r->in);
	close_fd(&r->out);
	close_fd(&r->err);
}

static void
drop_exec(struct run *r)
{
	if (r->exec)
		docker_exec_drop(r->exec);
	r->exec = NULL;
}

static void
drop_look(struct run *r)
{
	if (r->look)
		docker_drop(r->look);
	r->look = NULL;
}

void
run_free(struct run *r)
{
	list_remove(&r->slot->runs, &r->node);
	loop_unset(r->slot->terms->loop, &r->end);
	loop_unset(r->slot->terms->loop, &r->last_output);
	drop_exec(r);
	drop_look(r);
	close_all(r);
	words_fini(&r->argv);
	words_fini(&r->env);
	free(r->cwd);
	free(r);
}

/* Nothing of it is under way any more. */
static void
free_if_over(struct run *r)
{
	if (!r->exec && !r->look && !r->process)
		run_free(r);
}

/* Its owner */

static void
on_end(struct timer *t)
{
	struct run *r = container_of(t, struct run, end);
	struct process *p = r->process;

	r->process = NULL;
	close_all(r);
	p->pid = 0;
	free_if_over(r);
	p->ended(p);
}

/* Told from the loop: whoever is told may be in the middle of a call. */
static void
end(struct run *r, int status)
{
	r->is_over = true;
	if (!r->process)
		return;
	if (!r->has_status)
		r->process->status = status;
	r->has_status = true;
	loop_set(r->slot->terms->loop, &r->end, 0, on_end);
}

/* Standard error is where a program says why it ends. */
static void
complain(struct run *r, const struct error *e)
{
	if (r->err >= 0)
		(void)!write(r->err, e->text, strlen(e->text));
}

void
run_break(struct run *r, const struct error *e)
{
	drop_exec(r);
	drop_look(r);
	complain(r, e);
	end(r, NO_STATUS);
	close_fd(&r->in);
	close_fd(&r->out);
	free_if_over(r);
}

/* The exec */

static void
on_last_output_due(struct timer *t)
{
	struct run *r = container_of(t, struct run, last_output);

	drop_exec(r);
	free_if_over(r);
}

/*
 * Why a run was killed, by none of us: the kernel, and whoever ends the
 * container, kill with the same signal.  The container's own program says
 * whether there was memory; if the container has ended, it says nothing, and
 * the slot fails soon; and if neither happens, the engine is asked.
 */
static void
end_for(struct run *r, const char *why)
{
	struct error e = r->why;

	loop_unset(r->slot->terms->loop, &r->end);
	drop_look(r);
	if (why)
		fail_with(&e, ERR_CRASHED, "%s", why);
	if (e.code)
		complain(r, &e);
	r->awaits_cause = false;
	end(r, r->status);
}

void
run_learn_cause(struct run *r, bool was_short_of_memory)
{
	if (r->awaits_cause)
		end_for(r, was_short_of_memory
				   ? "its container has run out of memory: the "
				     "variable that ends with _DOCKER_MEMORY "
				     "says how much it may take"
				   : NULL);
}

static void
on_looked(void *arg, int status, json_t *answer, const struct error *e)
{
	struct run *r = arg;
	const json_t *state = json_object_get(answer, "State");
	bool has_ended = status == 404 ||
			 json_is_false(json_object_get(state, "Running"));

	r->look = NULL;
	end_for(r, has_ended ? "its container has ended" : NULL);
	free_if_over(r);
}

static void
on_cause_overdue(struct timer *t)
{
	struct run *r = container_of(t, struct run, end);

	end_for(r, NULL);
	free_if_over(r);
}

static void
on_cause_due(struct timer *t)
{
	struct run *r = container_of(t, struct run, end);
	auto_free char *path =
		copy_format("/containers/%s/json", r->slot->container);

	r->look = docker_ask(r->slot->terms->api, "GET", path, NULL, on_looked,
			     r);
	loop_set(r->slot->terms->loop, t, CAUSE_ANSWER_MS, on_cause_overdue);
}

static void
ask_why(struct run *r, int status, const struct error *e)
{
	r->is_over = r->awaits_cause = true;
	r->status = status;
	if (e)
		r->why = *e;
	control_order(r->slot, "shortage");
	loop_set(r->slot->terms->loop, &r->end, CAUSE_MS, on_cause_due);
}

/* What it has started may hold its output open. */
static void
on_exec_ended(void *arg, int status, const struct error *e)
{
	struct run *r = arg;
	bool was_killed =
		e || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	r->is_there = true;
	if (was_killed && !r->is_over)
		ask_why(r, e ? NO_STATUS : status, e);
	else
		end(r, e ? NO_STATUS : status);
	loop_set(r->slot->terms->loop, &r->last_output, LAST_OUTPUT_MS,
		 on_last_output_due);
	control_prove(r->slot);
}

/* The engine starts it now: the slot can look for it. */
static void
on_opened(void *arg)
{
	struct run *r = arg;

	r->was_opened = true;
	control_order(r->slot, "watch %ju", (uintmax_t)r->number);
}

void
run_begin(struct run *r)
{
	const struct spawn how = {
		.argv = (const char *const *)r->argv.ptr,
		.env = r->env.ptr,
		.cwd = r->cwd,
		.in = r->in,
		.out = r->out,
		.err = r->err,
		.pass = -1,
	};

	if (r->has_begun || r->is_over)
		return;
	r->has_begun = true;
	r->exec = docker_exec_start(r->slot->terms->api, r->slot->container,
				    &how, on_opened, on_exec_ended, r);
	close_fd(&r->in);
	close_fd(&r->out);
}

bool
run_is_starting(const struct run *r)
{
	return r->exec && r->was_opened && !r->is_there;
}

void
run_is_there(struct run *r)
{
	r->is_there = true;
	if (r->is_over)
		run_signal(r, SIGKILL);
}

/* Its output may be held open by what it has started: program.h has the time
 * that such output gets.  One that was not found may still come. */
void
run_exited(struct run *r)
{
	if (!r->exec)
		return;
	if (!r->is_there)
		control_order(r->slot, "watch %ju", (uintmax_t)r->number);
	docker_exec_look(r->exec);
}

void
run_signal(struct run *r, int signal)
{
	if (signal == SIGKILL)
		r->is_over = true;
	if (r->is_over && !r->was_opened) {
		if (r->exec && !docker_exec_may_start(r->exec))
			drop_exec(r);
		end(r, signal);
		if (!r->exec)
			return;
	}
	if (r->is_there)
		control_order(r->slot, "signal %ju %d", (uintmax_t)r->number,
			      signal);
	if (r->is_over)
		control_prove(r->slot);
}

void
run_forget(struct run *r)
{
	r->process = NULL;
	loop_unset(r->slot->terms->loop, &r->end);
	run_signal(r, SIGKILL);
	free_if_over(r);
}

struct run *
run_of(const struct slot *s, const struct process *p)
{
	list_each (&s->runs, n) {
		struct run *r = container_of(n, struct run, node);

		if (r->process == p)
			return r;
	}
	return NULL;
}

/* Its start */

static bool
keep_fd(int *to, int fd, struct error *e)
{
	*to = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *to >= 0 || fail_errno(e, "a pipe of a program");
}

static void
set_environment(struct run *r, const struct spawn *how)
{
	words_print(&r->env, RUN_VARIABLE "=%ju", (uintmax_t)r->number);
	for (char *const *v = how->env; v && *v; v++)
		words_add(&r->env, *v);
}

bool
run_start(struct slot *s, struct process *p, const struct spawn *how,
	  void (*ended)(struct process *), struct error *e)
{
	struct run *r = xcalloc(1, sizeof *r);

	*p = PROCESS_INIT;
	r->slot = s;
	r->number = ++s->terms->last_run;
	r->in = r->out = r->err = -1;
	r->cwd = copy(str_of(how->cwd));
	words_add(&r->argv, SLOT_PROGRAM);
	words_add(&r->argv, "run");
	for (size_t i = 0; how->argv[i]; i++)
		words_add(&r->argv, how->argv[i]);
	set_environment(r, how);
	list_append(&s->runs, &r->node);
	if (!keep_fd(&r->in, how->in, e) || !keep_fd(&r->out, how->out, e) ||
	    !keep_fd(&r->err, how->err, e)) {
		run_free(r);
		return false;
	}
	r->process = p;
	p->loop = s->terms->loop;
	p->pid = PROCESS_ELSEWHERE;
	p->ended = ended;
	if (slot_is_up(s) && !s->is_proving)
		run_begin(r);
	return true;
}
