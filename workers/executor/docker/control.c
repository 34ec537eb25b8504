#include "workers/executor/docker/control.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/log.h"
#include "workers/executor/docker/inlet.h"
#include "workers/executor/docker/making.h"
#include "workers/executor/docker/run.h"
#include "workers/executor/docker/stream.h"
#include "workers/executor/docker/way.h"

enum {
	PROOF_MS = 10000,    /* then it is asked what is the matter */
	STARTING_MS = 30000, /* for a process that the engine is starting */
	BEAT_MS = 5000,
	SILENCE_MS = 30000, /* then the engine is asked what has become of it */
	DOUBT_MS = 10000,   /* for the engine to answer that */
};

static struct slot *
slot_of(struct program *control)
{
	return container_of(control, struct slot, control);
}

/* Orders */

void
control_order(struct slot *s, const char *order, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, order);
	len = vasprintf(&text, order, args);
	va_end(args);
	assert(len >= 0);
	text[len] = '\n'; /* in the place of the NUL */
	program_write(&s->control, (struct str){ text, (size_t)len + 1 });
	free(text);
}

/* Silence */

static void
on_doubted(void *arg, int status, json_t *answer, const struct error *e)
{
	struct slot *s = arg;
	const json_t *state = json_object_get(answer, "State");
	struct error why = { 0 };

	s->doubt = NULL;
	if (!s->asked_at) /* it has answered meanwhile */
		return;
	if (!docker_agrees(status, answer, e, &why)) {
		if (!status)
			slot_fail_all(s, &why);
		else
			slot_fail(s, &why);
		return;
	}
	fail_with(&why, ERR_CRASHED,
		  json_is_true(json_object_get(state, "Paused"))
			  ? "its container was paused, and is replaced"
			  : "its container does not answer, and is replaced");
	slot_fail(s, &why);
}

static timer_fn on_beat;

static void
doubt(struct slot *s)
{
	auto_free char *path = NULL;

	if (s->doubt)
		return;
	path = copy_format("/containers/%s/json", s->container);
	s->doubt = docker_ask(s->terms->api, "GET", path, NULL, on_doubted, s);
	loop_set(s->terms->loop, &s->beat, DOUBT_MS, on_beat);
}

static void
beat(struct slot *s)
{
	s->asked_at = loop_now();
	control_order(s, "answer");
	loop_set(s->terms->loop, &s->beat, BEAT_MS, on_beat);
}

/* A cause that stops one slot, and may stop all, is known sooner in each. */
static uint64_t
longest_silence(const struct slot *s)
{
	return s->terms->is_in_trouble ? DOUBT_MS : SILENCE_MS;
}

static void
on_beat(struct timer *t)
{
	struct slot *s = container_of(t, struct slot, beat);
	struct error e = { 0 };

	if (s->doubt && s->asked_at) {
		docker_does_not_answer(s->terms->api, &e);
		slot_fail_all(s, &e);
	} else if (!s->asked_at) {
		if (s->turns || s->terms->is_in_trouble)
			beat(s);
	} else if (loop_now() - s->asked_at >= longest_silence(s)) {
		doubt(s);
	} else {
		loop_set(s->terms->loop, t, BEAT_MS, on_beat);
	}
}

void
control_watch(struct slot *s)
{
	if (slot_is_up(s) && !timer_is_set(&s->beat))
		beat(s);
}

/* Proofs */

static bool
is_any_starting(const struct slot *s)
{
	list_each (&s->runs, n)
		if (run_is_starting(container_of(n, struct run, node)))
			return true;
	return false;
}

static void
on_proof_due(struct timer *t)
{
	struct slot *s = container_of(t, struct slot, proof_due);
	struct error e = { 0 };

	if (s->is_proving) {
		loop_set(s->terms->loop, t, PROOF_MS, on_proof_due);
		if (!s->asked_at)
			s->asked_at = loop_now();
		doubt(s);
		return;
	}
	fail_with(&e, ERR_CRASHED,
		  "the engine did not start a program in its container");
	slot_fail(s, &e);
}

void
control_prove(struct slot *s)
{
	struct buf order = BUF_INIT(MAX_LINE);

	if (s->state != SLOT_UP)
		return;
	s->wants_proof = true;
	if (s->is_proving)
		return;
	if (is_any_starting(s)) {
		if (!timer_is_set(&s->proof_due))
			loop_set(s->terms->loop, &s->proof_due, STARTING_MS,
				 on_proof_due);
		return;
	}
	s->wants_proof = false;
	s->is_proving = true;
	buf_print(&order, "prove " LOGIN_RUN);
	list_each (&s->runs, n) {
		const struct run *r = container_of(n, struct run, node);

		if (!r->is_over && r->has_begun)
			buf_print(&order, " %ju", (uintmax_t)r->number);
	}
	buf_print(&order, "\n");
	program_write(&s->control, buf_str(&order));
	buf_fini(&order);
	loop_set(s->terms->loop, &s->proof_due, PROOF_MS, on_proof_due);
}

void
control_go_on(struct slot *s)
{
	list_each (&s->runs, n)
		run_begin(container_of(n, struct run, node));
	if (s->wants_proof)
		control_prove(s);
	else
		s->terms->changed(s->terms);
}

static void
on_proof(struct slot *s, bool is_clean)
{
	struct error e = { 0 };

	if (!s->is_proving)
		return;
	s->is_proving = false;
	loop_unset(s->terms->loop, &s->proof_due);
	if (is_clean) {
		control_go_on(s);
		return;
	}
	fail_with(&e, ERR_CRASHED,
		  "processes in its container did not die, so it was removed");
	slot_fail(s, &e);
}

/* What cli-bridge-slot tells */

static struct run *
run_numbered(const struct slot *s, struct str number)
{
	uint64_t wanted = strtoull(number.ptr, NULL, 10);

	list_each (&s->runs, n) {
		struct run *r = container_of(n, struct run, node);

		if (r->number == wanted)
			return r;
	}
	return NULL;
}

static void
on_run(struct slot *s, struct str number, bool has_exited)
{
	struct run *r = run_numbered(s, number);

	if (!r)
		return;
	if (has_exited)
		run_exited(r);
	else
		run_is_there(r);
	if (s->wants_proof)
		control_prove(s);
}

/* It answers in this order. */
static void
look_around(struct slot *s)
{
	control_order(s, "expose 0 " SLOT_SOCKETS "/" INLET_SOCKET);
	control_order(s, "find %s", s->terms->program);
}

/* The engine may say that the container was started after that has spoken. */
void
control_greet(struct slot *s)
{
	if (s->state != SLOT_GREETING || !s->is_ready)
		return;
	if (s->terms->egress && s->way == WAY_UNKNOWN)
		way_begin(s);
	else
		look_around(s);
}

static void
on_shortage(struct slot *s, struct str number)
{
	unsigned killed = (unsigned)strtoul(number.ptr, NULL, 10);
	bool was_short = killed > s->killed;

	s->killed = killed;
	list_each (&s->runs, n)
		run_learn_cause(container_of(n, struct run, node), was_short);
}

static void
on_line(struct program *control, struct str line)
{
	struct slot *s = slot_of(control);
	struct str rest, word = str_cut(line, ' ', &rest);

	s->asked_at = 0;
	s->is_ready = s->is_ready || str_is(word, "ready");
	if (str_is(word, "ready"))
		control_greet(s);
	else if (str_is(word, "found"))
		slot_found_program(s);
	else if (str_is(word, "missing"))
		slot_lacks_program(s);
	else if (str_is(word, "runs") && rest.ptr)
		on_run(s, rest, false);
	else if (str_is(word, "exited") && rest.ptr)
		on_run(s, rest, true);
	else if (str_is(word, "shortage") && rest.ptr)
		on_shortage(s, rest);
	else if (str_is(word, "clean"))
		on_proof(s, true);
	else if (str_is(word, "dirty"))
		on_proof(s, false);
	else if (!str_is(word, "answers") && !str_is(word, "forwards") &&
		 !inlet_hears(s, word, rest) && !way_hears(s, word, rest))
		log_warn("slot %u: it says %s", s->number, log_quote(line));
}

static void
on_failed(struct program *control, const struct error *e)
{
	slot_fail(slot_of(control), e);
}

static void
on_ended(struct program *control)
{
	control_ended(slot_of(control));
}

void
control_ended(struct slot *s)
{
	struct str words = program_last_words(&s->control);
	struct error e = { 0 };

	/* The engine's answer to the start is still to come, and says why. */
	if (s->state == SLOT_STARTING && s->call)
		return;
	if (s->detached.code)
		words = str_of(s->detached.text);
	fail_with(&e, ERR_CRASHED, "its container %s%s" STR_FMT,
		  s->state == SLOT_ATTACHING ? "cannot be attached to"
					     : "has ended",
		  words.len ? ": " : "", STR_ARG(words));
	slot_fail(s, &e);
}

/* The attacher: an executor whose only program is the container's own */

static void
on_attached(void *arg)
{
	making_attached(arg);
}

static void
on_detached(void *arg, const struct error *e)
{
	struct slot *s = arg;
	struct process *p = s->control_process;

	s->attached = NULL;
	if (e)
		s->detached = *e;
	if (!p)
		return;
	s->control_process = NULL;
	p->pid = 0;
	p->ended(p);
}

static bool
attach(struct executor *x, struct process *p, struct loop *loop,
       const struct spawn *how, void (*ended)(struct process *),
       struct error *e)
{
	struct slot *s = container_of(x, struct slot, attacher);
	auto_free char *path =
		copy_format("/containers/%s/attach?stream=1&stdin=1&stdout=1"
			    "&stderr=1",
			    s->container);

	*p = PROCESS_INIT;
	p->loop = loop;
	p->pid = PROCESS_ELSEWHERE;
	p->ended = ended;
	s->control_process = p;
	s->attached = docker_stream_open(
		s->terms->api, path, NULL,
		&(struct docker_ends){ how->in, how->out, how->err },
		on_attached, on_detached, s);
	return true;
}

static void
detach(struct executor *x, struct process *p)
{
	struct slot *s = container_of(x, struct slot, attacher);

	if (s->attached)
		docker_stream_drop(s->attached);
	s->attached = NULL;
	s->control_process = NULL;
	p->pid = 0;
}

static void
ignore_signal(struct executor *x, const struct process *p, int signal)
{
}

bool
control_begin(struct slot *s, struct error *e)
{
	static const char *const argv[] = { SLOT_PROGRAM, NULL };
	const struct spawn how = { .argv = argv };

	s->is_ready = s->is_cut_off = false;
	s->way = WAY_UNKNOWN;
	s->killed = 0;
	s->asked_at = 0;
	s->detached = (struct error){ 0 };
	return program_start(&s->control, &s->attacher, s->terms->loop, &how,
			     e);
}

void
control_end(struct slot *s)
{
	if (s->doubt)
		docker_drop(s->doubt);
	s->doubt = NULL;
	loop_unset(s->terms->loop, &s->beat);
	loop_unset(s->terms->loop, &s->proof_due);
	s->is_proving = s->wants_proof = false;
	s->inlet_port = 0;
	program_fini(&s->control);
}

void
control_init(struct slot *s)
{
	s->attacher = (struct executor){ .start = attach,
					 .signal = ignore_signal,
					 .end = detach };
	s->control.heard = on_line;
	s->control.failed = on_failed;
	s->control.ended = on_ended;
}
