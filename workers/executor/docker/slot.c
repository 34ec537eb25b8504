#include "workers/executor/docker/slot.h"

#include "proto/log.h"
#include "workers/executor/docker/control.h"
#include "workers/executor/docker/egress.h"
#include "workers/executor/docker/inlet.h"
#include "workers/executor/docker/making.h"
#include "workers/executor/docker/retry.h"
#include "workers/executor/docker/run.h"
#include "workers/executor/docker/way.h"

enum {
	WAY_MS = 60000, /* until it is seen that it still waits for the proxy */
	LACKING_MS = 10 * 60 * 1000, /* until an image without the program is
				      * tried again */
};

static void
changed(struct slot *s)
{
	s->terms->changed(s->terms);
}

static timer_fn on_clock;

/* 0 ms: for as long as it takes. */
void
slot_enter(struct slot *s, enum slot_state state, uint64_t ms)
{
	s->terms->up += (state == SLOT_UP) - (s->state == SLOT_UP);
	list_remove(&s->terms->resting, &s->resting);
	s->state = state;
	if (ms)
		loop_set(s->terms->loop, &s->clock, ms, on_clock);
	else
		loop_unset(s->terms->loop, &s->clock);
}

/* Its failure */

static void
hang_up(struct slot *s)
{
	if (s->call)
		docker_drop(s->call);
	s->call = NULL;
	control_end(s);
}

static void
on_removed(void *arg, int status, json_t *answer, const struct error *e)
{
	/* Its input has ended: it goes by itself. */
}

static void
remove_container(struct slot *s)
{
	auto_free char *path = NULL;

	if (!s->container)
		return;
	path = copy_format("/containers/%s?force=1&v=1", s->container);
	(void)docker_ask(s->terms->api, "DELETE", path, NULL, on_removed, NULL);
	free(s->container);
	s->container = NULL;
}

/* The same cause is logged once. */
static void
note_trouble(struct slot *s, const struct error *e)
{
	if (strcmp(s->trouble.text, e->text) != 0)
		log_warn("slot %u: %s", s->number, e->text);
	s->trouble = *e;
}

/* The next one may do better; one that has failed before waits as well. */
static void
hand_scouting_on(struct slot *s, uint64_t pause)
{
	struct node *n = list_first(&s->terms->resting);
	struct slot *next = n ? container_of(n, struct slot, resting) : s;

	s->terms->scout = next;
	if (next != s)
		slot_enter(next, SLOT_WAITING, next->failures ? pause : 1);
}

static void
fail(struct slot *s, const struct error *e, bool is_pools)
{
	bool was_up = s->state == SLOT_UP;
	uint64_t pause;

	if (was_up && loop_now() - s->up_since >= RETRY_STEADY_MS)
		s->failures = 0;
	note_trouble(s, e);
	if (was_up && !is_pools) /* nothing is known against the next one */
		s->trouble = (struct error){ 0 };
	s->is_pools_trouble = is_pools;
	hang_up(s);
	remove_container(s);
	pause = retry_pause(&s->failures);
	slot_enter(s, SLOT_WAITING, pause);
	if (s == s->terms->scout && !is_pools)
		hand_scouting_on(s, pause);
	list_each (&s->runs, n)
		run_break(container_of(n, struct run, node), e);
	changed(s);
}

void
slot_fail(struct slot *s, const struct error *e)
{
	fail(s, e, false);
}

void
slot_fail_all(struct slot *s, const struct error *e)
{
	fail(s, e, true);
}

void
slot_lacks_program(struct slot *s)
{
	struct slot_terms *t = s->terms;
	auto_free char *variable =
		settings_variable("", t->name, "DOCKER_IMAGE");
	struct error e = { 0 };

	if (s->state == SLOT_GREETING && s->image) {
		free(t->lacking);
		t->lacking = copy(str_of(s->image));
		t->lacking_until = loop_now() + LACKING_MS;
	}
	fail_with(&e, ERR_NOT_SET_UP,
		  "the image %s has no program %s: build one that has it, name "
		  "another with %s, or leave %s out of BRIDGE_BACKENDS",
		  t->settings.image, t->program, variable, t->name);
	slot_fail_all(s, &e);
}

static void
wake_all(struct slot_terms *t)
{
	t->scout = NULL;
	list_each (&t->resting, n)
		slot_begin(container_of(n, struct slot, resting));
}

void
slot_found_program(struct slot *s)
{
	struct slot_terms *t = s->terms;

	if (s->state != SLOT_GREETING)
		return;
	slot_enter(s, SLOT_UP, 0);
	s->up_since = loop_now();
	if (s->failures > 1)
		s->failures = 1;
	s->trouble = (struct error){ 0 };
	free(t->lacking);
	t->lacking = NULL;
	log_info("slot %u: container %.12s is up", s->number, s->container);
	wake_all(t);
	control_go_on(s);
}

void
slot_begin(struct slot *s)
{
	struct slot_terms *t = s->terms;

	if (!t->up && t->scout && t->scout != s) {
		slot_enter(s, SLOT_RESTING, 0);
		list_append(&t->resting, &s->resting);
		return;
	}
	if (!t->up)
		t->scout = s;
	making_begin(s);
}

void
slot_hurry(struct slot *s)
{
	s->terms->lacking_until = 0;
	if (s->state == SLOT_WAITING && timer_is_set(&s->clock))
		loop_set(s->terms->loop, &s->clock, 1, on_clock);
}

static void
on_clock(struct timer *t)
{
	struct slot *s = container_of(t, struct slot, clock);
	struct error e = { 0 };

	if (s->state == SLOT_WAITING) {
		slot_begin(s);
		return;
	}
	if (way_waits(s)) {
		loop_set(s->terms->loop, t, WAY_MS, on_clock);
		return;
	}
	fail_with(&e, ERR_CRASHED,
		  s->state == SLOT_GREETING
			  ? "its container was started, but does not answer"
			  : "the engine did not make it in time");
	slot_fail(s, &e);
}

/* What is known of it */

bool
slot_is_up(const struct slot *s)
{
	const struct egress *way = s->terms->egress;

	return s->state == SLOT_UP && (!way || egress_is_up(way));
}

/* A session's conversations may have turns at once: what harms one may harm the
 * others of the same session, and nobody else. */
bool
slot_is_free(const struct slot *s, const char *session)
{
	bool is_its = session && s->holder && !strcmp(s->holder, session);

	return slot_is_up(s) && (!s->turns || is_its) && !s->is_proving &&
	       !s->wants_proof;
}

const struct slot *
slot_in_trouble(const struct slot *s)
{
	return s->state == SLOT_RESTING ? s->terms->scout : s;
}

bool
slot_is_coming(const struct slot *s)
{
	return !slot_is_up(s) && !slot_in_trouble(s)->trouble.code;
}

bool
slot_is_being_made(const struct slot *s)
{
	return s->state >= SLOT_CREATING && s->state <= SLOT_STARTING;
}

void
slot_terms_init(struct slot_terms *t)
{
	list_init(&t->resting);
}

void
slot_init(struct slot *s, struct slot_terms *t, unsigned number,
	  struct mounts *mounts)
{
	s->terms = t;
	s->number = number;
	s->name = copy_format("%s-%u", t->settings.prefix, number);
	s->mounts = *mounts;
	list_init(&s->runs);
	control_init(s);
}

void
slot_fini(struct slot *s)
{
	struct node *n;

	if (!s->terms)
		return;
	loop_unset(s->terms->loop, &s->clock);
	list_remove(&s->terms->resting, &s->resting);
	while ((n = list_first(&s->runs)))
		run_free(container_of(n, struct run, node));
	hang_up(s);
	free(s->image);
	free(s->container);
	inlet_free(s->inlet);
	mounts_fini(&s->mounts);
	free(s->name);
	free(s->holder);
}
