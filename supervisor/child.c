#include "supervisor/child.h"

#include <string.h>
#include <time.h>

/* clang-format off */
static const char *const names[CHILD_STATES] = {
	[CHILD_STOPPED] = "STOPPED",
	[CHILD_STARTING] = "STARTING",
	[CHILD_RUNNING] = "RUNNING",
	[CHILD_SILENT] = "RUNNING",
	[CHILD_FAILING] = "STOPPING",
	[CHILD_DRAINING] = "STOPPING",
	[CHILD_ENDING] = "STOPPING",
	[CHILD_KILLED] = "STOPPING",
	[CHILD_BACKOFF] = "BACKOFF",
	[CHILD_FATAL] = "FATAL",
};
/* clang-format on */

static bool
is_at_work(struct child *c)
{
	return c->state == CHILD_SILENT &&
	       c->verbs->works(c, MAX_WORK * c->hung_ms) &&
	       loop_now() - c->heard < MAX_SILENCE * c->hung_ms;
}

static void
on_timer(struct timer *t)
{
	struct child *c = container_of(t, struct child, timer);

	child_event(c, is_at_work(c) ? ON_WORK : ON_TIME);
}

static void
wait_for(struct child *c, uint64_t ms)
{
	loop_set(c->loop, &c->timer, ms, on_timer);
}

/* The verbs of the table: each is called after its state was entered. */

static void
start(struct child *c)
{
	c->ready_since = 0;
	wait_for(c, START_MS);
	if (!c->verbs->start(c))
		child_event(c, ON_EXIT);
}

/* Someone asked for a start: earlier failures are forgotten. */
static void
start_afresh(struct child *c)
{
	c->pause = 0;
	c->deaths = 0;
	start(c);
}

static void
settle(struct child *c)
{
	c->ready_since = c->heard = loop_now();
	c->tried = true;
	wait_for(c, c->hung_ms);
}

static void
listen_on(struct child *c)
{
	c->heard = loop_now();
	wait_for(c, c->hung_ms);
}

static void
doubt(struct child *c)
{
	c->verbs->doubt(c);
	wait_for(c, DOUBT_MS);
}

static void
doubt_on(struct child *c)
{
	wait_for(c, DOUBT_MS);
}

static void
drain(struct child *c)
{
	c->again = false;
	wait_for(c, c->drain_ms);
	c->verbs->drain(c);
}

static void
end(struct child *c)
{
	wait_for(c, END_MS);
	c->verbs->end(c);
}

static void
end_at_once(struct child *c)
{
	c->again = false;
	end(c);
}

static void
kill_it(struct child *c)
{
	wait_for(c, KILL_MS);
	c->verbs->kill(c);
}

static void
want_again(struct child *c)
{
	c->again = true;
}

static void
want_no_more(struct child *c)
{
	c->again = false;
}

static void
rest(struct child *c)
{
	loop_unset(c->loop, &c->timer);
	c->ready_since = 0;
	if (!c->again)
		return;
	c->again = false;
	child_event(c, ON_START);
}

static void
give_up(struct child *c)
{
	loop_unset(c->loop, &c->timer);
}

/* Xorshift: children that died together must not be started together. */
static uint64_t
jitter(struct child *c, uint64_t ms)
{
	c->noise ^= c->noise << 13;
	c->noise ^= c->noise >> 17;
	c->noise ^= c->noise << 5;
	return ms - c->noise % (ms / 4 + 1);
}

static unsigned
twice(unsigned pause)
{
	if (pause == 0)
		return MIN_PAUSE_MS;
	return pause * 2 < MAX_PAUSE_MS ? pause * 2 : MAX_PAUSE_MS;
}

static void
pause_it(struct child *c)
{
	uint64_t up = c->ready_since ? loop_now() - c->ready_since : 0;

	c->tried = true;
	if (up >= STEADY_MS)
		c->pause = 0;
	if (!c->ready_since && c->pause == 0)
		c->pause = MIN_PAUSE_MS;
	c->deaths = up >= ALIVE_MS ? 0 : c->deaths + 1;
	wait_for(c, jitter(c, c->pause));
	c->pause = twice(c->pause);
	if (c->deaths >= c->max_deaths)
		child_event(c, ON_DESPAIR);
}

/* An event without a rule changes nothing: a late READY, a second START. */

static const struct rule {
	enum child_state next;
	void (*enter)(struct child *);
} rules[CHILD_STATES][CHILD_EVENTS] = {
	/* clang-format off */
	[CHILD_STOPPED] = {
		[ON_START]   = { CHILD_STARTING, start_afresh },
	},
	[CHILD_STARTING] = {
		[ON_STOP]    = { CHILD_ENDING,   end_at_once },
		[ON_HURRY]   = { CHILD_ENDING,   end_at_once },
		[ON_READY]   = { CHILD_RUNNING,  settle },
		[ON_WRONG]   = { CHILD_FAILING,  kill_it },
		[ON_EXIT]    = { CHILD_BACKOFF,  pause_it },
		[ON_TIME]    = { CHILD_FAILING,  kill_it },
	},
	[CHILD_RUNNING] = {
		[ON_STOP]    = { CHILD_DRAINING, drain },
		[ON_HURRY]   = { CHILD_ENDING,   end_at_once },
		[ON_READY]   = { CHILD_RUNNING,  listen_on },
		[ON_WRONG]   = { CHILD_FAILING,  kill_it },
		[ON_EXIT]    = { CHILD_BACKOFF,  pause_it },
		[ON_TIME]    = { CHILD_SILENT,   doubt },
	},
	[CHILD_SILENT] = {
		[ON_STOP]    = { CHILD_DRAINING, drain },
		[ON_HURRY]   = { CHILD_ENDING,   end_at_once },
		[ON_READY]   = { CHILD_RUNNING,  listen_on },
		[ON_WRONG]   = { CHILD_FAILING,  kill_it },
		[ON_EXIT]    = { CHILD_BACKOFF,  pause_it },
		[ON_TIME]    = { CHILD_FAILING,  kill_it },
		[ON_WORK]    = { CHILD_SILENT,   doubt_on },
	},
	[CHILD_FAILING] = {
		[ON_STOP]    = { CHILD_KILLED,   kill_it },
		[ON_HURRY]   = { CHILD_KILLED,   kill_it },
		[ON_EXIT]    = { CHILD_BACKOFF,  pause_it },
		[ON_TIME]    = { CHILD_FAILING,  kill_it },
	},
	[CHILD_DRAINING] = {
		[ON_START]   = { CHILD_DRAINING, want_again },
		[ON_STOP]    = { CHILD_DRAINING, want_no_more },
		[ON_HURRY]   = { CHILD_ENDING,   end_at_once },
		[ON_EXIT]    = { CHILD_STOPPED,  rest },
		[ON_TIME]    = { CHILD_ENDING,   end },
	},
	[CHILD_ENDING] = {
		[ON_START]   = { CHILD_ENDING,   want_again },
		[ON_STOP]    = { CHILD_ENDING,   want_no_more },
		[ON_HURRY]   = { CHILD_ENDING,   want_no_more },
		[ON_EXIT]    = { CHILD_STOPPED,  rest },
		[ON_TIME]    = { CHILD_KILLED,   kill_it },
	},
	[CHILD_KILLED] = {
		[ON_START]   = { CHILD_KILLED,   want_again },
		[ON_STOP]    = { CHILD_KILLED,   want_no_more },
		[ON_HURRY]   = { CHILD_KILLED,   want_no_more },
		[ON_EXIT]    = { CHILD_STOPPED,  rest },
		[ON_TIME]    = { CHILD_KILLED,   kill_it },
	},
	[CHILD_BACKOFF] = {
		[ON_START]   = { CHILD_STARTING, start_afresh },
		[ON_STOP]    = { CHILD_STOPPED,  rest },
		[ON_HURRY]   = { CHILD_STOPPED,  rest },
		[ON_TIME]    = { CHILD_STARTING, start },
		[ON_DESPAIR] = { CHILD_FATAL,    give_up },
	},
	[CHILD_FATAL] = {
		[ON_START]   = { CHILD_STARTING, start_afresh },
		[ON_STOP]    = { CHILD_STOPPED,  rest },
		[ON_HURRY]   = { CHILD_STOPPED,  rest },
	},
	/* clang-format on */
};

static void
move(struct child *c, enum child_state next)
{
	bool same_word = !strcmp(names[c->state], names[next]);

	if (c->state == next)
		return;
	c->state = next;
	if (!same_word)
		c->since = unix_ms();
	c->verbs->changed(c);
}

void
child_event(struct child *c, enum child_event event)
{
	const struct rule *rule = &rules[c->state][event];

	if (!rule->enter)
		return;
	move(c, rule->next);
	rule->enter(c);
}

void
child_init(struct child *c, struct loop *loop, const struct child_verbs *verbs)
{
	*c = (struct child){ .loop = loop,
			     .verbs = verbs,
			     .max_deaths = MAX_DEATHS };
	c->since = unix_ms();
}

void
child_fini(struct child *c)
{
	if (c->loop)
		loop_unset(c->loop, &c->timer);
}

bool
child_is_at_rest(const struct child *c)
{
	return c->state == CHILD_STOPPED || c->state == CHILD_FATAL;
}

bool
child_is_up(const struct child *c)
{
	return c->state == CHILD_RUNNING || c->state == CHILD_SILENT;
}

const char *
child_state_name(enum child_state state)
{
	return names[state];
}
