#include "workers/executor/docker/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/sweep.h"
#include "proto/variables.h"
#include "workers/executor/docker/retry.h"
#include "workers/executor/docker/slot_place.h"
#include "workers/executor/docker/slot_relay.h"
#include "workers/executor/host.h"

#define PROXY "tinyproxy"
#define PACKAGE "tinyproxy-bin"

/* What the proxy says, in words that its versions share. */
#define BEGINS "Accepting connections."
#define REFUSES "Proxying refused on filtered "

enum {
	START_MS = 20000, /* until a program is given up that says
			   * nothing */
	MAX_FILE_BYTES = 1 << 20,
	MAX_REFUSALS = 200, /* that are logged of one start */
	SPARE_CLIENTS = 16,

	/* Longer than the longest silence that a setting lets a turn have. */
	PROXY_SILENCE_S = 90000,
};

static timer_fn on_clock;

static void
enter(struct egress *g, int state, uint64_t ms)
{
	g->state = state;
	if (ms)
		loop_set(g->loop, &g->clock, ms, on_clock);
	else
		loop_unset(g->loop, &g->clock);
}

/* Its failure */

static void
fail(struct egress *g, const struct error *e)
{
	bool was_up = egress_is_up(g);

	if (was_up && loop_now() - g->up_since >= RETRY_STEADY_MS)
		g->failures = 0;
	if (strcmp(g->trouble.text, e->text) != 0)
		log_warn("%s", e->text);
	if (!was_up) /* otherwise nothing is known against the next one */
		g->trouble = *e;
	program_fini(&g->relay);
	program_fini(&g->proxy);
	enter(g, EGRESS_WAITING, retry_pause(&g->failures));
	g->changed(g);
}

static void
fail_program(struct egress *g, const struct program *p, const char *name)
{
	struct str words = program_last_words(p);
	struct error e = { 0 };

	fail_with(&e, ERR_UNAVAILABLE,
		  "the proxy that is the only way out of the containers does "
		  "not run: %s ended (%s)%s" STR_FMT,
		  name, process_status_text(p->process.status),
		  words.len ? ": " : "", STR_ARG(words));
	fail(g, &e);
}

static void
on_proxy_ended(struct program *p)
{
	fail_program(container_of(p, struct egress, proxy), p, PROXY);
}

static void
on_relay_ended(struct program *p)
{
	fail_program(container_of(p, struct egress, relay), p,
		     "cli-bridge-slot");
}

static void
on_proxy_failed(struct program *p, const struct error *e)
{
	fail(container_of(p, struct egress, proxy), e);
}

static void
on_relay_failed(struct program *p, const struct error *e)
{
	fail(container_of(p, struct egress, relay), e);
}

/* The relay */

static void
on_relay_line(struct program *p, struct str line)
{
	struct egress *g = container_of(p, struct egress, relay);
	struct error e = { 0 };

	if (!str_starts(line, STR("forwards "))) {
		fail_with(&e, ERR_UNAVAILABLE,
			  "the sockets of the containers in %s: %s",
			  g->directory, log_quote(line));
		fail(g, &e);
	} else if (++g->sockets_made == g->sockets.len) {
		enter(g, EGRESS_UP, 0);
		g->up_since = loop_now();
		g->trouble = (struct error){ 0 };
		if (g->failures > 1)
			g->failures = 1;
		g->changed(g);
	}
}

static bool
start_relay(struct egress *g, struct error *e)
{
	auto_free char *program = program_of_ours("cli-bridge-slot");
	auto_free const char **argv = xcalloc(g->sockets.len + 4, sizeof *argv);
	char *const env[] = { g->mark, NULL };
	char port[8];

	snprintf(port, sizeof port, "%u", g->port);
	argv[0] = program;
	argv[1] = "relay";
	argv[2] = port;
	for (size_t i = 0; i < g->sockets.len; i++)
		argv[3 + i] = g->sockets.ptr[i];
	g->sockets_made = 0;
	enter(g, EGRESS_RELAY, START_MS);
	return program_start(
		&g->relay, (struct executor *)&host_executor, g->loop,
		&(struct spawn){
			.argv = argv, .env = env, .death_signal = SIGKILL },
		e);
}

/* The proxy */

/* It has two descriptors for each client, and was started with as few as other
 * programs. */
static void
let_have_descriptors(const struct program *p)
{
	struct rlimit limit;

	if (prlimit(p->process.pid, RLIMIT_NOFILE, NULL, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)prlimit(p->process.pid, RLIMIT_NOFILE, &limit, NULL);
}

static bool
is_of_a_proof(const struct egress *g, struct str what)
{
	for (size_t i = 0; i < g->refused_hosts.len; i++)
		if (memmem(what.ptr, what.len, g->refused_hosts.ptr[i],
			   strlen(g->refused_hosts.ptr[i])))
			return true;
	return false;
}

/* An agent may try something again and again. */
static void
note_refusal(struct egress *g, struct str what)
{
	if (is_of_a_proof(g, what) || g->refusals >= MAX_REFUSALS ||
	    (g->refused && str_is(what, g->refused)))
		return;
	g->refusals++;
	free(g->refused);
	g->refused = copy(what);
	log_info("the containers' way out was refused: %s", log_quote(what));
}

static void
on_proxy_line(struct program *p, struct str line)
{
	struct egress *g = container_of(p, struct egress, proxy);
	const char *refusal =
		memmem(line.ptr, line.len, STR(REFUSES).ptr, STR(REFUSES).len);
	struct error e = { 0 };

	if (refusal)
		note_refusal(g, str_from(line, (size_t)(refusal - line.ptr) +
						       STR(REFUSES).len));
	if (g->state != EGRESS_PROXY ||
	    !memmem(line.ptr, line.len, STR(BEGINS).ptr, STR(BEGINS).len))
		return;
	let_have_descriptors(p);
	if (!start_relay(g, &e))
		fail(g, &e);
}

static bool
write_file(const struct egress *g, const char *name, const struct buf *text,
	   struct error *e)
{
	auto_free char *path = copy_format("%s/%s", g->directory, name);

	return host_executor.write(NULL, path, buf_str(text), e);
}

/* A port that nobody has now; if somebody takes it, the proxy ends, and is
 * started with another one. */
static bool
choose_port(struct egress *g, struct error *e)
{
	struct place any = place_of_port(0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && bind(fd, &any.address.any, any.size) == 0 &&
		  getsockname(fd, &any.address.any, &any.size) == 0;

	if (!ok)
		fail_errno(e, "a port for " PROXY);
	if (fd >= 0)
		close(fd);
	g->port = ntohs(any.address.tcp.sin_port);
	return ok;
}

/* Paths are relative to its working directory. */
static bool
write_files(const struct egress *g, struct error *e)
{
	struct buf text = BUF_INIT(MAX_FILE_BYTES);
	bool ok;

	buf_print(&text,
		  "Port %u\nListen 127.0.0.1\nAllow 127.0.0.1\n"
		  "Timeout %d\nMaxClients %zu\nLogLevel Info\n"
		  "DisableViaHeader Yes\nFilter \"filter\"\n"
		  "FilterType ere\nFilterURLs Yes\n"
		  "FilterDefaultDeny Yes\n",
		  g->port, PROXY_SILENCE_S,
		  g->sockets.len * MAX_RELAYED + SPARE_CLIENTS);
	ok = write_file(g, PROXY ".conf", &text, e);
	buf_drop(&text, text.len);
	allowed_print_filter(g->allowed, &text);
	ok = ok && write_file(g, "filter", &text, e);
	buf_fini(&text);
	return ok;
}

static bool
start_proxy(struct egress *g, struct error *e)
{
	auto_free char *path = copy(variable_value("PATH"));
	auto_free char *program = program_in_path(PROXY, path ? path : "");
	const char *const argv[] = { program, "-d", "-c", PROXY ".conf", NULL };
	char *const env[] = { g->mark, NULL };

	if (!program)
		return fail_with(e, ERR_NOT_SET_UP,
				 "only " PROXY " lets containers reach the "
				 "hosts that are allowed, and it is not "
				 "installed: apt-get install " PACKAGE);
	if (!choose_port(g, e) || !write_files(g, e))
		return false;
	enter(g, EGRESS_PROXY, START_MS);
	return program_start(&g->proxy, (struct executor *)&host_executor,
			     g->loop,
			     &(struct spawn){ .argv = argv,
					      .env = env,
					      .cwd = g->directory,
					      .death_signal = SIGKILL },
			     e);
}

void
egress_begin(struct egress *g)
{
	struct error e = { 0 };

	g->refusals = 0;
	if (!start_proxy(g, &e))
		fail(g, &e);
}

static void
on_clock(struct timer *t)
{
	struct egress *g = container_of(t, struct egress, clock);
	struct error e = { 0 };

	if (g->state == EGRESS_WAITING) {
		egress_begin(g);
		return;
	}
	fail_with(&e, ERR_UNAVAILABLE,
		  "the proxy that is the only way out of the containers did "
		  "not start in time");
	fail(g, &e);
}

/* A host, and a port of a host that is allowed. */
static void
choose_refused_hosts(struct egress *g)
{
	const struct allowed_host *h = &g->allowed->of[0];
	unsigned port = 1;

	while (allowed_has_port(g->allowed, port))
		port++;
	words_print(&g->refused_hosts, "cli-bridge.invalid:%d", HTTPS_PORT);
	words_print(&g->refused_hosts, "%s%s:%u",
		    h->is_below ? "cli-bridge." : "", h->name, port);
}

void
egress_init(struct egress *g, struct loop *l, const struct allowed *allowed,
	    const char *mark, const char *directory,
	    void (*changed)(struct egress *))
{
	*g = (struct egress){ .loop = l,
			      .allowed = allowed,
			      .mark = copy_format(OWNER_VARIABLE "=%s0/", mark),
			      .directory = copy(str_of(directory)),
			      .changed = changed };
	choose_refused_hosts(g);
	g->proxy.heard = on_proxy_line;
	g->proxy.failed = on_proxy_failed;
	g->proxy.ended = on_proxy_ended;
	g->relay.heard = on_relay_line;
	g->relay.failed = on_relay_failed;
	g->relay.ended = on_relay_ended;
}

void
egress_add_socket(struct egress *g, const char *path)
{
	words_add(&g->sockets, path);
}

void
egress_fini(struct egress *g)
{
	if (!g->loop)
		return;
	loop_unset(g->loop, &g->clock);
	program_fini(&g->relay);
	program_fini(&g->proxy);
	words_fini(&g->sockets);
	words_fini(&g->refused_hosts);
	free(g->directory);
	free(g->mark);
	free(g->refused);
	*g = (struct egress){ 0 };
}
