#include "supervisor/control.h"

#include <assert.h>

#include "proto/log.h"
#include "proto/settings.h"

#define ACTOR control
#define ROLE COMMAND
#include "proto/role.h"

enum { /* milliseconds */
       CONNECT_TIME = 3000,
       ANSWER_TIME = 5000,
};

/* Waiting: the loop runs until the callback of the awaited event stops it. */

static void
run(struct control *c)
{
	struct error e = { 0 };

	c->loop.stopping = false;
	if (!loop_run(&c->loop, &e))
		log_error("%s", e.text);
}

static void
on_pause_over(struct timer *t)
{
	loop_stop(&container_of(t, struct control, pause)->loop);
}

void
control_wait(struct control *c, uint64_t ms)
{
	loop_set(&c->loop, &c->pause, ms, on_pause_over);
	run(c);
}

static void
on_connection(struct client *client)
{
	struct control *c = container_of(client, struct control, client);

	/* Only control_init() waits for a connection. */
	if (timer_is_set(&c->pause) && client_is_connected(client))
		loop_set(&c->loop, &c->pause, 0, on_pause_over);
}

bool
control_is_connected(const struct control *c)
{
	return client_is_connected(&c->client);
}

/* Questions and answers */

bool
row_is_dormant(const struct row *r)
{
	return !r->pid && r->health == HEALTH_UNAVAILABLE;
}

static void
keep_row(struct row *r, const struct msg_child *m)
{
	*r = (struct row){
		.pid = m->pid,
		.since = m->since,
		.starts = m->starts,
		.running = m->running,
		.queued = m->queued,
		.warm = m->warm,
		.background = m->background,
		.parked = m->parked,
		.slots = { .free = (unsigned)m->free_slots,
			   .busy = (unsigned)m->busy_slots,
			   .warm = (unsigned)m->warm_slots,
			   .dead = (unsigned)m->dead_slots },
		.health = m->health,
		.is_verifying = m->role == 2,
		.is_worker = m->role > 0,
	};
	str_keep(r->name, sizeof r->name, m->name);
	str_keep(r->state, sizeof r->state, m->state);
	str_keep(r->harness, sizeof r->harness, m->harness);
	str_keep(r->detail, sizeof r->detail, m->detail);
	str_keep(r->last_exit, sizeof r->last_exit, m->last_exit);
}

static void
on_answer(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct control *c = container_of(a, struct control, ask);
	enum msg_type want = c->row ? MSG_CHILD : MSG_DONE;

	c->failed = !reply || reply->type != want;
	if (e && !control_is_connected(c))
		fail_with(c->e, ERR_UNAVAILABLE, "cli-bridge has gone away");
	else if (e)
		*c->e = *e;
	else if (c->failed)
		fail_with(c->e, ERR_PROTOCOL, "%s was not expected",
			  msg_name(reply->type));
	else if (c->row)
		keep_row(c->row, &reply->body.child);
	loop_stop(&c->loop);
}

static bool
wait_for_answer(struct control *c, struct row *row, struct error *e)
{
	c->row = row;
	c->e = e;
	run(c);
	return !c->failed;
}

bool
control_row(struct control *c, size_t index, struct row *row, struct error *e)
{
	const struct msg_status m = { .index = index };

	ask_status(&c->client, &m, &c->ask, ANSWER_TIME, on_answer);
	return wait_for_answer(c, row, e);
}

bool
control_find(struct control *c, const char *name, struct row *row,
	     struct error *e)
{
	struct error none = { 0 };
	struct row found;

	for (size_t i = 0; control_row(c, i, &found, &none); i++) {
		if (strcmp(found.name, name) != 0)
			continue;
		*row = found;
		return true;
	}
	if (none.code == ERR_NOT_FOUND)
		return fail_with(e, ERR_NOT_FOUND, "no such process");
	*e = none;
	return false;
}

bool
control_order(struct control *c, enum msg_type type, const char *name,
	      struct error *e)
{
	/* All these messages have the same body: a name. */
	const struct msg_start m = { .name = str_of(name) };

	client_ask(&c->client, type, &m, &c->ask, ANSWER_TIME, on_answer);
	return wait_for_answer(c, NULL, e);
}

bool
control_shutdown(struct control *c, struct error *e)
{
	ask_shutdown(&c->client, NULL, &c->ask, ANSWER_TIME, on_answer);
	return wait_for_answer(c, NULL, e);
}

/* Setup and teardown */

static void
on_signal(struct loop *l, int signal)
{
	exit(128 + signal);
}

static bool
dial(struct control *c, const char *run_dir, struct error *e)
{
	auto_free char *url = link_url(run_dir, "supervisor", "req");

	if (!client_dial(&c->client, &c->loop, url, COMMAND, SUPERVISOR,
			 on_connection, e))
		return false;
	control_wait(c, CONNECT_TIME);
	return control_is_connected(c) ||
	       fail_with(e, ERR_UNAVAILABLE, "cli-bridge does not answer");
}

bool
control_init(struct control *c, struct error *e)
{
	struct instance instance = INSTANCE_INIT;
	auto_free char *data_dir = NULL;
	bool ok;

	*c = CONTROL_INIT;
	ok = loop_init(&c->loop, e) &&
	     loop_catch_signals(&c->loop, on_signal, e) &&
	     settings_data_dir(&data_dir, e) &&
	     instance_find(&instance, data_dir, e) &&
	     dial(c, instance.run_dir, e);
	instance_fini(&instance);
	return ok;
}

void
control_fini(struct control *c)
{
	client_fini(&c->client);
	loop_fini(&c->loop);
}
