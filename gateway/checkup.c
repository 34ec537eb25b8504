#include "gateway/checkup.h"

#include "gateway/gateway.h"
#include "gateway/reply.h"

enum { STATUS_MS = 5000 }; /* for all rows together */

static void ask_next(struct checkup *);

static void
checkup_free(struct checkup *c)
{
	ask_drop(&c->ask);
	json_decref(c->backends);
	free(c);
}

static void
on_left(struct request *r)
{
	checkup_free(r->owner);
}

/* A worker that the gateway has not reached yet is not ready for its clients.
 */
static enum health
health_for_us(struct checkup *c, const struct msg_child *m)
{
	const struct worker_link *us =
		workers_link(&c->gateway->workers, m->name);

	if (m->health == HEALTH_READY && (!us || !worker_link_is_up(us)))
		return HEALTH_UNKNOWN;
	return (enum health)m->health;
}

/* null if its CLIs run in no containers. */
static json_t *
slots_of(const struct msg_child *m)
{
	if (!m->free_slots && !m->busy_slots && !m->warm_slots &&
	    !m->dead_slots)
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:I}", "free", (json_int_t)m->free_slots,
			 "busy", (json_int_t)m->busy_slots, "warm",
			 (json_int_t)m->warm_slots, "dead",
			 (json_int_t)m->dead_slots);
}

static json_t *
backend(const struct msg_child *m, enum health health)
{
	struct str detail = m->detail.ptr ? m->detail : m->last_exit;

	return json_pack("{s:o,s:s,s:o,s:I,s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:o}",
			 "name", reply_text(m->name), "state",
			 health_name(health), "process", reply_text(m->state),
			 "pid", (json_int_t)m->pid, "detail",
			 reply_text(detail), "version", reply_text(m->harness),
			 "running", (json_int_t)m->running, "queued",
			 (json_int_t)m->queued, "warm", (json_int_t)m->warm,
			 "background", (json_int_t)m->background, "parked",
			 (json_int_t)m->parked, "slots", slots_of(m));
}

static void
take_row(struct checkup *c, const struct msg_child *m)
{
	enum health health = health_for_us(c, m);

	if (!m->role)
		return;
	c->workers++;
	if (health == HEALTH_READY && str_is(m->state, "RUNNING"))
		c->ready++;
	json_array_append_new(c->backends, backend(m, health));
}

static void
on_row(struct ask *a, const struct msg *reply, const struct error *e)
{
	struct checkup *c = container_of(a, struct checkup, ask);
	struct error silent = { 0 };

	if (!e && reply->type == MSG_CHILD && c->index < MAX_CHILDREN) {
		take_row(c, &reply->body.child);
		ask_next(c);
		return;
	}
	if (!e || e->code == ERR_NOT_FOUND) {
		c->done(c);
	} else {
		fail_with(&silent, ERR_UNAVAILABLE,
			  "the supervisor does not answer: %.200s", e->text);
		reply_error(c->request, &silent, NULL);
	}
	checkup_free(c);
}

static void
ask_next(struct checkup *c)
{
	const struct msg_status m = { .index = c->index++ };
	uint64_t now = loop_now();

	client_ask(&c->gateway->supervisor, MSG_STATUS, &m, &c->ask,
		   now < c->deadline ? c->deadline - now : 0, on_row);
}

void
checkup_start(struct gateway *g, struct request *r,
	      void (*done)(struct checkup *))
{
	struct checkup *c = xcalloc(1, sizeof *c);

	c->gateway = g;
	c->request = r;
	c->done = done;
	c->backends = json_array();
	c->deadline = loop_now() + STATUS_MS;
	r->owner = c;
	r->left = on_left;
	ask_next(c);
}
