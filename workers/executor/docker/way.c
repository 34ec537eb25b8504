#include "workers/executor/docker/way.h"

#include <ctype.h>

#include "proto/log.h"
#include "workers/executor/docker/control.h"
#include "workers/executor/docker/egress.h"

enum { MAX_DIRECT_BYTES = 64 };

static void
fail(struct slot *s, const char *what, struct str said)
{
	struct error e = { 0 };

	fail_with(&e, ERR_NOT_SET_UP,
		  "its container can reach more than is allowed, so it is not "
		  "used: %s " STR_FMT,
		  what, STR_ARG(said));
	slot_fail(s, &e);
}

static void
ask(struct slot *s)
{
	const struct words *hosts = &s->terms->egress->refused_hosts;

	s->way = WAY_PROVING;
	s->refusals = 0;
	for (size_t i = 0; i < hosts->len; i++)
		control_order(s, "probe %d %s", WAY_PORT, hosts->ptr[i]);
}

void
way_begin(struct slot *s)
{
	s->way = WAY_LOOKING;
	control_order(s, "network");
	control_order(s, "expose %d " SLOT_SOCKETS "/" WAY_SOCKET, WAY_PORT);
}

bool
way_waits(const struct slot *s)
{
	return s->way == WAY_EXPOSED;
}

void
way_go_on(struct slot *s)
{
	if (way_waits(s))
		ask(s);
}

static void
on_network(struct slot *s, struct str what)
{
	if (str_is(what, "none"))
		s->is_cut_off = true;
	else
		fail(s, "it has a network,", what);
}

void
way_note_trouble(struct slot *s)
{
	s->trouble = s->terms->egress->trouble;
	s->is_pools_trouble = true;
}

static void
on_exposed(struct slot *s)
{
	if (s->way != WAY_LOOKING || !s->is_cut_off)
		return;
	s->way = WAY_EXPOSED;
	way_note_trouble(s);
	if (egress_is_up(s->terms->egress))
		way_go_on(s);
	else
		s->terms->changed(s->terms);
}

/* For want of the proxy there is no answer: the proof begins anew with it. */
static void
on_no_answer(struct slot *s)
{
	struct error e = { 0 };

	if (!egress_is_up(s->terms->egress)) {
		s->way = WAY_EXPOSED;
		return;
	}
	fail_with(&e, ERR_UNAVAILABLE,
		  "the proxy that is the only way out of its container does "
		  "not answer");
	slot_fail(s, &e);
}

static void
on_probed(struct slot *s, struct str host, struct str status)
{
	if (s->way != WAY_PROVING)
		s->terms->probed(s->terms, host, status);
	else if (str_is(status, "0"))
		on_no_answer(s);
	else if (!str_is(status, "403"))
		fail(s, "the proxy did not refuse", host);
	else if (++s->refusals == s->terms->egress->refused_hosts.len) {
		s->way = WAY_PROVEN;
		control_greet(s);
	}
}

bool
way_hears(struct slot *s, struct str word, struct str rest)
{
	struct str status, first = str_cut(rest, ' ', &status);
	struct error e = { 0 };

	if (!s->terms->egress)
		return false;
	if (str_is(word, "network")) {
		on_network(s, rest);
	} else if (str_is(word, "exposes")) {
		on_exposed(s);
	} else if (str_is(word, "probed")) {
		on_probed(s, first, status);
	} else if (str_is(word, "fails") && s->way == WAY_LOOKING) {
		fail_with(&e, ERR_UNAVAILABLE,
			  "the way out of its container: %s", log_quote(rest));
		slot_fail(s, &e);
	} else {
		return false;
	}
	return true;
}

/* Variables */

static const char *const to_proxy[] = { "HTTP_PROXY", "HTTPS_PROXY",
					"ALL_PROXY" };
#define DIRECT "NO_PROXY"

static void
set_both(struct words *to, const char *name, const char *value)
{
	auto_free char *lower = copy(str_of(name));

	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	words_print(to, "%s=%s", name, value);
	words_print(to, "%s=%s", lower, value);
}

/* Node.js looks at them only if it is told to. */
void
way_set_variables(const struct allowed *a, struct words *to)
{
	struct buf direct = BUF_INIT(MAX_DIRECT_BYTES);
	auto_free char *proxy = copy_format("http://127.0.0.1:%d", WAY_PORT);
	auto_free char *names = NULL;

	allowed_print_direct(a, &direct);
	names = copy(buf_str(&direct));
	buf_fini(&direct);
	for (size_t i = 0; i < sizeof to_proxy / sizeof *to_proxy; i++)
		set_both(to, to_proxy[i], proxy);
	set_both(to, DIRECT, names);
	words_add(to, "NODE_USE_ENV_PROXY=1");
}

bool
way_is_variable(struct str name)
{
	for (size_t i = 0; i < sizeof to_proxy / sizeof *to_proxy; i++)
		if (str_same(name, str_of(to_proxy[i])))
			return true;
	return str_same(name, STR(DIRECT));
}
