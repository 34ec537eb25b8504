#include "fake_gateway.h"

#include <stdlib.h>
#include <unistd.h>

struct worker worker;
struct outlet orders;
struct client supervisor;
struct did did;
struct heard heard[MANY];
size_t room;
bool left;

static struct inlet events;

/* The engine */

struct engine_self {
	bool has_ended;
};

static bool
fake_init(struct worker *w, struct error *e)
{
	static struct engine_self self;

	w->self = &self;
	return true;
}

static void
fake_fini(struct engine_self *self)
{
	self->has_ended = true;
}

static bool
fake_accept(struct turn *t, struct acceptance *a, struct error *e)
{
	did.accepts++;
	assert_non_null(t->body.ptr);
	if (str_starts(t->body, STR("bad")))
		return fail_with(e, ERR_INVALID, "it is bad");
	if (str_starts(t->body, STR("lane ")))
		t->lane = (unsigned)(t->body.ptr[5] - '0');
	t->runs_once = str_starts(t->body, STR("tool_call_id"));
	snprintf(a->ignored, sizeof a->ignored, "seed");
	a->mode = did.mode;
	return true;
}

static void
on_between(struct timer *t)
{
}

static void
fake_start(struct turn *t)
{
	assert_false(timer_is_set(&did.between)); /* not twice at once */
	loop_set(&worker.loop, &did.between, 0, on_between);
	did.starts++;
	did.running[did.count++ % MANY] = t;
	turn_drop_body(t);
}

static void
fake_cancel(struct turn *t)
{
	struct error e = { 0 };
	struct node *n;

	did.cancels++;
	fail_with(&e, ERR_CANCELLED, "cancelled");
	if (did.ends_together)
		while ((n = list_first(&worker.running)))
			turn_fail(container_of(n, struct turn, node), &e);
	else if (!did.cancels_late)
		turn_fail(t, &e);
}

static void
fake_forget(struct turn *t)
{
	did.forgets++;
}

static void
fake_unblock(struct turn *t)
{
	did.unblocks++;
}

static void
fake_probe(struct engine_self *self, bool asked)
{
}

static void
fake_list_models(struct engine_self *self, struct rows *to)
{
}

static bool
fake_describe(struct engine_self *self, const char *prefix, const char *model,
	      struct buf *to, struct error *e)
{
	buf_put(to, STR("{}"));
	return true;
}

const struct engine engine = {
	.dialects = DIALECT_BIT(DIALECT_CHAT),
	.has_slots = true,
	.has_sessions = true,
	.init = fake_init,
	.fini = fake_fini,
	.accept = fake_accept,
	.start = fake_start,
	.cancel = fake_cancel,
	.forget = fake_forget,
	.unblock = fake_unblock,
	.probe = fake_probe,
	.list_models = fake_list_models,
	.describe = fake_describe,
};

/* The gateway */

static struct heard *
next_event(uint64_t turn, uint64_t seq)
{
	struct heard *h = &heard[turn % MANY];

	assert_false(h->has_ended);
	assert_int_equal(seq, ++h->seq);
	return h;
}

static void
keep(char *to, size_t size, struct str s)
{
	if (s.len < size)
		str_keep(to, size, s);
}

/* The beginning of all text. */
static void
hear_text(struct heard *h, struct str text)
{
	size_t len = strlen(h->text);

	h->texts++;
	h->bytes += text.len;
	if (len + text.len < sizeof h->text)
		str_keep(h->text + len, sizeof h->text - len, text);
}

static void
hear_failed(const struct msg_failed *m)
{
	struct heard *h = next_event(m->turn, m->seq);

	h->failure = (enum error_code)m->code;
	h->is_repeated |= m->repeated;
	h->retry_ms = m->retry_ms;
	keep(h->why, sizeof h->why, m->why);
	h->has_ended = true;
}

static void
hear_accepted(const struct msg_accepted *m)
{
	struct heard *h = next_event(m->turn, m->seq);

	h->accepts++;
	h->is_repeated = m->repeated;
	h->has_ignored |= m->ignored.ptr != NULL;
	keep(h->how, sizeof h->how, m->how);
	if (m->mode.ptr)
		keep(h->mode, sizeof h->mode, m->mode);
}

static void
hear_started(const struct msg_started *m)
{
	struct heard *h = next_event(m->turn, m->seq);

	h->has_ignored |= m->ignored.ptr != NULL;
	keep(h->how, sizeof h->how, m->how);
	if (m->mode.ptr)
		keep(h->mode, sizeof h->mode, m->mode);
}

static void
hear_finish(const struct msg_finish *m)
{
	struct heard *h = next_event(m->turn, m->seq);

	h->finish = *m;
	h->finish.model = h->finish.cost_source = (struct str){ 0 };
	keep(h->model, sizeof h->model, m->model);
	keep(h->cost_source, sizeof h->cost_source, m->cost_source);
	h->has_ended = true;
}

static void
on_event(struct inlet *i, const struct msg *m)
{
	switch ((int)m->type) {
	case MSG_ROOM:
		room += m->body.room.bytes;
		break;
	case MSG_LEAVING:
		assert_int_equal(m->body.leaving.worker, worker.id);
		left = true;
		break;
	case MSG_ACCEPTED:
		hear_accepted(&m->body.accepted);
		break;
	case MSG_STARTED:
		hear_started(&m->body.started);
		break;
	case MSG_TEXT:
		hear_text(next_event(m->body.text.turn, m->body.text.seq),
			  m->body.text.text);
		break;
	case MSG_TOOL:
		next_event(m->body.tool.turn, m->body.tool.seq)->tools++;
		break;
	case MSG_FINISH:
		hear_finish(&m->body.finish);
		break;
	case MSG_FAILED:
		hear_failed(&m->body.failed);
		break;
	default:
		fail_msg("%s was not expected", msg_name(m->type));
	}
}

static void
on_broken(struct inlet *i, const struct error *e)
{
	fail_msg("%s", e->text);
}

static bool
all_is_connected(void)
{
	return orders.reader.connected && events.writer.connected &&
	       worker.orders.writer.connected &&
	       worker.outlet.reader.connected &&
	       client_is_connected(&supervisor);
}

static char directory[] = "/tmp/test_worker.XXXXXX";

int
begins(void **state)
{
	static const struct hearing hearing = { .self = GATEWAY,
						.peer = WORKER,
						.heard = on_event,
						.broken = on_broken };
	auto_free char *to = link_url(directory, "fake", "orders");
	auto_free char *from = link_url(directory, "fake", "events");
	auto_free char *req = link_url(directory, "fake", "req");

	memset(&did, 0, sizeof did);
	memset(heard, 0, sizeof heard);
	room = 0;
	left = false;
	must(worker_init(&worker, "fake", &e));
	must(outlet_dial(&orders, &worker.loop, to, GATEWAY, NULL, &e));
	must(inlet_dial(&events, &worker.loop, from, &hearing, &e));
	must(client_dial(&supervisor, &worker.loop, req, SUPERVISOR, WORKER,
			 NULL, &e));
	wait_until(&worker.loop, all_is_connected);
	return 0;
}

int
ends(void **state)
{
	loop_unset(&worker.loop, &did.between);
	client_fini(&supervisor);
	inlet_fini(&events);
	outlet_fini(&orders);
	worker_fini(&worker);
	return 0;
}

int
opens(void **state)
{
	assert_non_null(mkdtemp(directory));
	assert_int_equal(setenv("CLI_BRIDGE_RUN_DIR", directory, 1), 0);
	assert_int_equal(setenv("FAKE_MAX_RUNNING", "2", 1), 0);
	assert_int_equal(setenv("FAKE_MAX_QUEUED", "3", 1), 0);
	return 0;
}

int
closes(void **state)
{
	static const char *const what[] = { "orders", "events", "req" };

	for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
		auto_free char *path =
			copy_format("%s/fake.%s", directory, what[i]);

		(void)unlink(path);
	}
	(void)rmdir(directory);
	return 0;
}

/* Words */

struct msg_submit
order(uint64_t turn, struct str body)
{
	return (struct msg_submit){
		.worker = worker.id,
		.turn = turn,
		.dialect = DIALECT_CHAT,
		.harness = STR("fake"),
		.streamed = 1,
		.window = MAX_WINDOW,
		.until = loop_now() + LIMIT,
		.body = body,
	};
}

void
submits(uint64_t turn, struct str body)
{
	const struct msg_submit m = order(turn, body);

	outlet_send(&orders, MSG_SUBMIT, &m);
}

void
submits_to(const char *session, uint64_t turn, struct str body)
{
	struct msg_submit m = order(turn, body);

	m.session = str_of(session);
	outlet_send(&orders, MSG_SUBMIT, &m);
}

void
cancels(uint64_t turn)
{
	const struct msg_cancel m = { .turn = turn };

	outlet_send(&orders, MSG_CANCEL, &m);
}

void
gives_credit(uint64_t turn, size_t bytes)
{
	const struct msg_credit m = { .turn = turn, .bytes = bytes };

	outlet_send(&orders, MSG_CREDIT, &m);
}

static uint64_t awaited;

static bool
it_is_accepted(void)
{
	return heard[awaited % MANY].accepts > 0;
}

static bool
it_has_ended(void)
{
	return heard[awaited % MANY].has_ended;
}

static bool
so_many_have_started(void)
{
	return did.starts == awaited;
}

void
is_accepted(uint64_t turn)
{
	awaited = turn;
	wait_until(&worker.loop, it_is_accepted);
}

void
fails(uint64_t turn, enum error_code code)
{
	awaited = turn;
	wait_until(&worker.loop, it_has_ended);
	assert_int_equal(heard[turn % MANY].failure, code);
}

void
finishes(uint64_t turn)
{
	fails(turn, ERR_NONE);
	assert_int_equal(heard[turn % MANY].finish.reason, FINISH_STOP);
}

void
have_started(unsigned n)
{
	awaited = n;
	wait_until(&worker.loop, so_many_have_started);
}

static size_t wanted_room;

static bool
room_is_told(void)
{
	return room >= wanted_room;
}

void
there_is_room_for(size_t bytes)
{
	wanted_room = bytes;
	wait_until(&worker.loop, room_is_told);
	assert_int_equal(room, bytes);
}

bool
is_running(uint64_t turn)
{
	list_each (&worker.running, n)
		if (container_of(n, struct turn, node)->id == turn)
			return true;
	return false;
}
