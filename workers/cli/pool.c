#include "workers/cli/pool.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/log.h"
#include "proto/ours.h"
#include "proto/sweep.h"
#include "proto/variables.h"
#include "workers/cli/environment.h"
#include "workers/needs.h"

enum {
	TICK_MS = 5000,	    /* between looks at memory and at orphans */
	SWEEP_SOON_MS = 20, /* after a process has ended */
	SWEEP_LATEST_MS = 300,
	SPARE_LATER_MS = 1000, /* a spare must not slow down a turn */
};

enum { MAX_SWEEPS = 20 /* in a row, until a process that lives on is left */ };

/* Whether the instance of that number has ended.  Number 0 is the prober's. */
static bool
is_over(void *arg, uint64_t number)
{
	struct pool *p = arg;

	if (number == 0)
		return false;
	list_each (&p->instances, n) {
		const struct instance *inst =
			container_of(n, struct instance, node);

		if (inst->number == number)
			return inst->state == INSTANCE_KILLED;
	}
	return true;
}

static bool
is_a_cli(const struct list *l, pid_t pid)
{
	list_each (l, n)
		if (container_of(n, struct instance, node)
			    ->program.process.pid == pid)
			return true;
	return false;
}

/*
 * Processes that have lost their parent became children of the worker, which
 * must reap them.  The CLIs themselves are reaped through their pidfds, so this
 * stops at the first one that has ended.
 */
static void
reap_orphans(struct pool *p)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    info.si_pid == 0 || info.si_pid == p->other->pid ||
		    is_a_cli(&p->instances, info.si_pid) ||
		    is_a_cli(&p->ended_instances, info.si_pid))
			return;
		(void)waitpid(info.si_pid, NULL, WNOHANG);
	}
}

static void
on_sweep(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, sweep_timer);
	uint64_t before = loop_now();
	unsigned n = sweep_numbers(p->worker->mark, is_over, p);

	p->sweep_cost = loop_now() - before;
	reap_orphans(p);
	p->sweeps = n ? p->sweeps + 1 : 0;
	if (!n)
		return;
	if (p->sweeps == 1)
		log_info("killed processes that a CLI had left behind");
	if (p->sweeps < MAX_SWEEPS)
		pool_sweep_later(p);
	else
		log_warn("a process that a CLI has left behind does not die");
}

/* One sweep is for all instances that end within a short time: it reads all of
 * /proc. */
void
pool_sweep_later(struct pool *p)
{
	uint64_t ms = SWEEP_SOON_MS + 10 * p->sweep_cost;

	if (!timer_is_set(&p->sweep_timer))
		loop_set(&p->worker->loop, &p->sweep_timer,
			 ms < SWEEP_LATEST_MS ? ms : SWEEP_LATEST_MS, on_sweep);
}

/* A conversation with work in the background is not idle. */
static bool
is_idle(const struct conversation *c)
{
	return c->state == CONVERSATION_IDLE && !c->turn && !c->background;
}

/* When memory is short, spares go too, and what works in the background. */
static struct conversation *
longest_idle(struct pool *p, bool is_urgent)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (is_idle(c) ||
		    (is_urgent &&
		     (c->state == CONVERSATION_SPARE ||
		      (c->state == CONVERSATION_IDLE && !c->turn))))
			return c;
	}
	return NULL;
}

static size_t
count_idle(const struct pool *p)
{
	size_t idle = 0;

	list_each (&p->conversations, n)
		idle += is_idle(container_of(n, struct conversation, node));
	return idle;
}

/* MiB that are available without swapping; UINT64_MAX if that is unknown. */
static uint64_t
free_memory(void)
{
	char line[128];
	unsigned long long kb = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %llu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb ? kb / 1024 : UINT64_MAX;
}

/* The process that has been idle longest. */
static struct instance *
find_idle_instance(struct pool *p)
{
	struct instance *longest = NULL;

	list_each (&p->instances, n) {
		struct instance *inst = container_of(n, struct instance, node);

		if (instance_is_idle(inst) &&
		    (!longest || inst->last_use < longest->last_use))
			longest = inst;
	}
	return longest;
}

/* Ends the process or the conversation that has been idle longest.  A shared
 * process ends when its last conversation has gone. */
static bool
give_memory_back(struct pool *p)
{
	struct instance *inst = find_idle_instance(p);
	struct conversation *c = longest_idle(p, true);

	if (!inst && !c)
		return false;
	log_info("memory is short: CLI %ju %s",
		 (uintmax_t)(inst ? inst->number : c->instance->number),
		 inst ? "goes" : "loses a conversation");
	if (inst)
		instance_retire(inst);
	else
		conversation_retire(c);
	return true;
}

static void on_spare_timer(struct timer *);

static void
on_tick(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, tick);

	loop_set(&p->worker->loop, &p->tick, TICK_MS, on_tick);
	reap_orphans(p);
	if (free_memory() < p->worker->harness.min_free_mb &&
	    give_memory_back(p))
		return;
	on_spare_timer(&p->spare_timer);
}

/* Idle conversations stand in the list in the order in which they became
 * idle. */
void
pool_became_idle(struct conversation *c)
{
	struct pool *p = c->pool;

	list_remove(&p->conversations, &c->node);
	list_append(&p->conversations, &c->node);
	while (count_idle(p) > p->worker->harness.max_idle)
		conversation_retire(longest_idle(p, false));
}

/* Shared processes without a conversation count against the limit of idle ones;
 * one more of them may be there as a spare. */
void
pool_limit_idle_instances(struct pool *p)
{
	const struct harness_settings *s = &p->worker->harness;
	size_t idle = 0;

	list_each (&p->instances, n)
		idle += instance_is_idle(
			container_of(n, struct instance, node));
	for (; idle > s->max_idle + (s->spares > 0); idle--)
		instance_retire(find_idle_instance(p));
}

struct conversation *
pool_find(struct pool *p, const char *session, unsigned number)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (conversation_is_free(c) && c->session &&
		    (!number || c->number == number) &&
		    !strcmp(c->session, session))
			return c;
	}
	return NULL;
}

unsigned
pool_count(const struct pool *p)
{
	return (unsigned)p->instances.len;
}

unsigned
pool_count_background(const struct pool *p)
{
	unsigned count = 0;

	list_each (&p->conversations, n)
		count += container_of(n, struct conversation, node)->background;
	return count;
}

/* What a CLI has told */

void
pool_explain_end(const struct instance *inst, struct error *e)
{
	struct str words = program_last_words(&inst->program);
	int status = inst->program.process.status;

	fail_with(e, ERR_CRASHED, "%s ended with %s%s%.*s",
		  inst->pool->worker->name, process_status_text(status),
		  words.len ? ": " : "", STR_ARG(words));
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
		e->code = ERR_NOT_SET_UP;
}

void
pool_learn_models(struct pool *p, json_t *models)
{
	json_decref(p->models);
	p->models = models;
}

/* A later version of a CLI may say things that we do not know.  Each kind is
 * logged once. */
void
pool_note_unknown(struct pool *p, const char *kind, const char *what)
{
	auto_free char *name =
		copy_format("%s \"%.80s\"", kind, what ? what : "");

	p->unknown_count++;
	if (json_object_get(p->unknown, name) ||
	    json_object_size(p->unknown) >= MAX_UNKNOWN)
		return;
	json_object_set_new_nocheck(p->unknown, name, json_true());
	log_info("%s says something that this version of cli-bridge does not "
		 "know and passes over: %s",
		 p->worker->name, log_quote(str_of(name)));
}

/* Trial conversations: see struct warm */

void
pool_try(struct pool *p)
{
	auto_free char *cli_id = new_uuid();
	const struct conversation_plan plan = { .cli_id = cli_id,
						.cwd = p->workspace,
						.trial = true };
	struct error e = { 0 };

	if (p->is_trying)
		return;
	p->is_trying = true;
	if (!conversation_start(p, &plan, &e))
		pool_trial_is_over(p, &e);
}

void
pool_trial_is_over(struct pool *p, const struct error *e)
{
	p->is_trying = false;
	p->tried(p, e);
}

/*
 * Spares: conversations that are started ahead, but not opened, so that any
 * session can take them; its terms are given to the CLI when it does.  A spare
 * has the working directory that was used last, for a process cannot change
 * its own.  There are two kinds, because a CLI is started with the choice
 * whether its conversation is kept.  A kind is wanted once a turn has needed
 * it, until a spare of it was not needed for as long as a conversation is kept
 * idle.
 */

static bool
is_spare(const struct conversation *c, bool kept)
{
	return c->state == CONVERSATION_SPARE && c->kept == kept;
}

static struct conversation *
find_spare(struct pool *p, bool kept, const char *cwd)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (is_spare(c, kept) && !strcmp(c->cwd, cwd))
			return c;
	}
	return NULL;
}

static size_t
count_spares(const struct pool *p, bool kept)
{
	size_t count = 0;

	list_each (&p->conversations, n)
		count += is_spare(container_of(n, struct conversation, node),
				  kept);
	return count;
}

/* One that waits where nobody has begun a conversation lately makes room. */
static void
retire_spare_elsewhere(struct pool *p, bool kept)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (!is_spare(c, kept) || !strcmp(c->cwd, p->spare_cwd))
			continue;
		conversation_retire(c);
		return;
	}
}

void
pool_spare_expired(struct conversation *c)
{
	c->pool->wants_spare[c->kept] = false;
}

/* Where conversations share processes, a spare is a process without one. */
static void
start_spare(struct pool *p, bool kept)
{
	auto_free char *cli_id = new_uuid();
	const struct conversation_plan plan = { .cli_id = cli_id,
						.cwd = p->spare_cwd,
						.kept = kept,
						.spare = true };
	struct error e = { 0 };

	if (p->harness->shares ? !instance_ensure(p, &e)
			       : !conversation_start(p, &plan, &e))
		log_warn("a spare CLI could not be started: %s", e.text);
}

static bool
wants_spare(struct pool *p, bool kept)
{
	const struct harness_settings *s = &p->worker->harness;

	if (!p->wants_spare[kept] || !s->spares || p->harness->one_shot ||
	    (p->harness->shares && p->instances.len))
		return false;
	if (count_spares(p, kept) >= s->spares)
		retire_spare_elsewhere(p, kept);
	return p->program && !p->unfit.code &&
	       count_spares(p, kept) < s->spares &&
	       free_memory() > s->min_free_mb;
}

/* Starts one spare at a time: none of them is needed now. */
static void
on_spare_timer(struct timer *t)
{
	struct pool *p = container_of(t, struct pool, spare_timer);

	for (int kept = 0; kept <= 1; kept++) {
		if (!wants_spare(p, kept))
			continue;
		start_spare(p, kept);
		loop_set(&p->worker->loop, t, SPARE_LATER_MS, on_spare_timer);
		return;
	}
}

static void
note_need(struct pool *p, const struct conversation_plan *plan)
{
	char *cwd = copy(str_of(plan->cwd));

	free(p->spare_cwd);
	p->spare_cwd = cwd;
	p->wants_spare[plan->kept] = true;
	if (!timer_is_set(&p->spare_timer) && p->worker->harness.spares)
		loop_set(&p->worker->loop, &p->spare_timer, SPARE_LATER_MS,
			 on_spare_timer);
}

/* A spare suits a new conversation in its directory. */
struct conversation *
pool_start(struct pool *p, const struct conversation_plan *plan,
	   struct error *e)
{
	struct conversation *c = NULL;

	if (plan->resumed || plan->history)
		return conversation_start(p, plan, e);
	note_need(p, plan);
	if (!p->harness->shares)
		c = find_spare(p, plan->kept, plan->cwd);
	if (!c)
		return conversation_start(p, plan, e);
	conversation_adopt(c, plan);
	return c;
}

/* The pool itself */

void
pool_find_program(struct pool *p)
{
	free(p->program);
	p->program = needs_program(p->worker->name);
}

bool
pool_fail_missing(const struct pool *p, struct error *e)
{
	return !needs_are_met(p->worker->name, e) ||
	       fail_with(e, ERR_NOT_SET_UP,
			 "%s was not there a moment ago: try again",
			 p->worker->name);
}

/* <data directory>/<what>/<worker>; the caller frees it. */
static char *
own_directory(const struct worker *w, const char *what, struct error *e)
{
	return ours_make_path(w->settings.data_dir, what, w->name, e);
}

/* Removes the files of conversations that an earlier process of this worker had
 * no time to remove. */
static void
clear_scratch(const char *path)
{
	static const char ending[] = ".jsonl";
	DIR *d = opendir(path);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name);

		if (len > sizeof ending &&
		    !strcmp(entry->d_name + len - (sizeof ending - 1), ending))
			(void)unlinkat(dirfd(d), entry->d_name, 0);
	}
	if (d)
		closedir(d);
}

static char *
choose_workspace(const struct pool *p, struct error *e)
{
	const char *cwd = p->worker->harness.cwd;

	return cwd ? copy(str_of(cwd))
		   : own_directory(p->worker, "workspace", e);
}

static bool
make_directories(struct pool *p, struct error *e)
{
	p->scratch = own_directory(p->worker, "scratch", e);
	p->workspace = choose_workspace(p, e);
	if (p->scratch)
		clear_scratch(p->scratch);
	return p->scratch && p->workspace;
}

/* Settings that the CLI cannot keep to make it unfit. */

static bool
choose_permission_mode(struct pool *p, struct error *e)
{
	const char *wanted = p->worker->harness.permission_mode;
	auto_free char *variable =
		settings_variable("", p->worker->name, "PERMISSION_MODE");
	struct buf words = BUF_INIT(MAX_DETAIL);

	p->permission_mode = p->harness->permission_modes[0];
	if (!wanted)
		return true;
	for (const char *const *m = p->harness->permission_modes; *m; m++) {
		buf_print(&words, "%s%s", words.len ? ", " : "", *m);
		if (strcmp(*m, wanted) == 0)
			p->permission_mode = *m;
	}
	if (strcmp(p->permission_mode, wanted) != 0)
		fail_with(e, ERR_NOT_SET_UP,
			  "%s is \"%s\", but must be one of: " STR_FMT,
			  variable, wanted, STR_ARG(buf_str(&words)));
	buf_fini(&words);
	return !e->code;
}

static bool
choose_loads(struct pool *p, struct error *e)
{
	static const struct {
		const char *word;
		enum loads loads;
	} words[] = {
		{ "nothing", LOADS_NOTHING },
		{ "project", LOADS_PROJECT },
		{ "everything", LOADS_EVERYTHING },
	};
	const char *wanted = p->worker->harness.loads;
	auto_free char *variable =
		settings_variable("", p->worker->name, "LOADS");

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].word, wanted) == 0)
			p->loads = words[i].loads;
	if (!p->loads)
		return fail_with(e, ERR_NOT_SET_UP,
				 "%s is \"%s\", but must be nothing, project "
				 "or everything",
				 variable, wanted);
	if (!(p->harness->loads & p->loads))
		return fail_with(e, ERR_NOT_SET_UP,
				 "%s is \"%s\", but %s can't be kept to that",
				 variable, wanted, p->worker->name);
	return true;
}

void
pool_use(struct pool *p, const struct harness *h)
{
	p->harness = h;
	p->unfit = (struct error){ 0 };
	p->loads = 0;
	(void)(choose_permission_mode(p, &p->unfit) &&
	       choose_loads(p, &p->unfit));
	words_fini(&p->environment);
	environment_of(h, p->worker->name, &p->environment);
}

bool
pool_is_empty(const struct pool *p)
{
	return !p->instances.len && !p->leavings.len && !p->ended_instances.len;
}

bool
pool_init(struct pool *p, struct worker *w, struct error *e)
{
	const struct harness *h;

	p->worker = w;
	list_init(&p->conversations);
	list_init(&p->leavings);
	list_init(&p->instances);
	list_init(&p->ended_instances);
	p->unknown = json_object();
	h = harness_of(w->name, e);
	if (!h)
		return false;
	pool_use(p, h);
	pool_find_program(p);
	loop_set(&w->loop, &p->tick, TICK_MS, on_tick);
	return make_directories(p, e);
}

/* Settings that change */

/* What a CLI is started with. */
struct start {
	struct words environment;
	char *program, *workspace;
	const char *permission_mode;
	enum loads loads;
};

static bool
same_text(const char *a, const char *b)
{
	return str_eq(str_of(a), str_of(b)) && !a == !b;
}

static bool
same_words(const struct words *a, const struct words *b)
{
	for (size_t i = 0; a->len == b->len && i < a->len; i++)
		if (strcmp(a->ptr[i], b->ptr[i]) != 0)
			return false;
	return a->len == b->len;
}

static bool
has_changed(const struct pool *p, const struct start *before)
{
	return !same_words(&p->environment, &before->environment) ||
	       !same_text(p->program, before->program) ||
	       !same_text(p->workspace, before->workspace) ||
	       !same_text(p->permission_mode, before->permission_mode) ||
	       p->loads != before->loads;
}

static void
retire_idle(struct pool *p)
{
	struct conversation *c;
	struct instance *inst;

	while ((c = longest_idle(p, true)))
		conversation_retire(c);
	while ((inst = find_idle_instance(p)))
		instance_retire(inst);
}

bool
pool_make_room(struct pool *p)
{
	retire_idle(p);
	list_each (&p->instances, n)
		if (instance_is_ending(container_of(n, struct instance, node)))
			return true;
	return false;
}

bool
pool_configure(struct pool *p, struct error *e)
{
	char *workspace = choose_workspace(p, e);
	struct start before = {
		.environment = p->environment,
		.program = p->program,
		.workspace = p->workspace,
		.permission_mode = p->permission_mode,
		.loads = p->loads,
	};

	if (!workspace)
		return false;
	p->environment = (struct words){ 0 };
	p->program = NULL;
	p->workspace = workspace;
	pool_use(p, p->harness);
	pool_find_program(p);
	if (has_changed(p, &before)) {
		p->generation++;
		retire_idle(p);
	}
	words_fini(&before.environment);
	free(before.program);
	free(before.workspace);
	while (count_idle(p) > p->worker->harness.max_idle)
		conversation_retire(longest_idle(p, false));
	return true;
}

/* Kills all processes first and waits for them afterwards: each takes some time
 * to die. */
static void
end_instances(struct pool *p)
{
	struct node *n;

	list_each (&p->instances, inst)
		instance_kill(container_of(inst, struct instance, node));
	while ((n = list_first(&p->conversations)))
		conversation_leave(container_of(n, struct conversation, node));
	while ((n = list_first(&p->leavings))) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		loop_unset(&p->worker->loop, &c->free_later);
		conversation_free_later(&c->free_later);
	}
	while ((n = list_first(&p->instances)))
		instance_event(container_of(n, struct instance, node),
			       INSTANCE_ON_EXIT, NULL);
	while ((n = list_first(&p->ended_instances))) {
		struct instance *inst = container_of(n, struct instance, node);

		loop_unset(&p->worker->loop, &inst->free_later);
		instance_free_later(&inst->free_later);
	}
}

void
pool_fini(struct pool *p)
{
	if (!p->worker)
		return;
	if (p->harness)
		end_instances(p);
	loop_unset(&p->worker->loop, &p->sweep_timer);
	loop_unset(&p->worker->loop, &p->tick);
	loop_unset(&p->worker->loop, &p->spare_timer);
	words_fini(&p->environment);
	json_decref(p->models);
	json_decref(p->unknown);
	free(p->workspace);
	free(p->spare_cwd);
	free(p->scratch);
	free(p->program);
	memset(p, 0, sizeof *p);
}
