/*
 * engine - the work that all coding CLIs share: what is asked of a worker as a
 * whole.  job.h has the work of one turn.
 */
#include "proto/ours.h"
#include "workers/cli/job.h"
#include "workers/cli/login.h"
#include "workers/cli/models.h"
#include "workers/cli/parked.h"
#include "workers/description.h"
#include "workers/options/profiles.h"
#include "workers/worker/queue.h"

static void
list_sessions(struct engine_self *self, struct rows *to, unsigned limit)
{
	sessions_list(&self->sessions, to, limit, self->worker->name);
}

static unsigned
forget_session(struct engine_self *self, const char *id)
{
	struct conversation *c;

	while ((c = pool_find(&self->pool, id, 0)) ||
	       (c = pool_find_parked(&self->pool, id, 0)))
		conversation_retire(c);
	list_each (&self->worker->running, n) {
		struct turn *t = container_of(n, struct turn, node);

		if (t->session && !strcmp(t->session, id))
			job_of(t)->forgotten = true;
	}
	return sessions_forget(&self->sessions, id);
}

/* Takes `row`.  False if there is no room for it. */
static bool
add_model(struct rows *to, json_t *row)
{
	char *text = json_dumps(row, JSON_COMPACT);
	bool fits = !text || rows_add(to, str_of(text));

	free(text);
	json_decref(row);
	return fits;
}

/* Whether the CLI can work, as far as is known. */
static bool
can_work(const struct engine_self *self)
{
	return self->pool.program && health_may_work(&self->health);
}

static json_t *
profiles_as_models(void)
{
	json_t *faults = json_array(), *rows = profiles_list(faults);
	json_t *all = json_array(), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		json_array_append_new(
			all, json_pack("{s:O, s:O?, s:O?}", "id",
				       json_object_get(row, "id"), "name",
				       json_object_get(row, "name"), "note",
				       json_object_get(row, "description")));
	json_decref(faults);
	json_decref(rows);
	return all;
}

/* The models that the harness names, until the CLI has listed its own. */
static json_t *
told_models(const struct engine_self *self)
{
	json_t *ids;

	if (self->pool.models)
		return json_incref(self->pool.models);
	ids = json_array();

	for (const char *const *m = self->pool.harness->models; *m; m++)
		json_array_append_new(ids, json_string(*m));
	return ids;
}

static void
list_models(struct engine_self *self, struct rows *to)
{
	const char *name = self->worker->name;
	uint64_t can = self->pool.harness->can;
	bool are_profiles = profile_takes_all(self->pool.harness->takes);
	json_t *models, *told, *row;
	size_t i;

	if (!can_work(self))
		return;
	if (are_profiles) /* its name alone takes one of the request's */
		(void)add_model(to, models_own_row(name, can));
	models = are_profiles ? profiles_as_models() : told_models(self);
	json_array_foreach (models, i, told) {
		row = models_row(name, can, told);
		if (row && !add_model(to, row))
			break;
	}
	json_decref(models);
}

static unsigned
modes_of(const struct engine_self *self)
{
	unsigned modes = 0;
	struct error e;

	for (int m = 0; m < MODES; m++)
		if (job_check_mode(self, (enum mode)m, &e))
			modes |= MODE_BIT(m);
	return modes;
}

/* Any model can be asked for, but where models are profiles. */
static bool
describe(struct engine_self *self, const char *prefix, const char *model,
	 struct buf *to, struct error *e)
{
	const struct harness *h = self->pool.harness;
	const struct ability ability = {
		.can = h->can,
		.takes = h->takes ? h->takes : &profile_takes[OTHERS_TAKES],
		.efforts = h->efforts,
		.modes = modes_of(self),
		.is_set_up = true,
	};
	json_t *profile;

	if (model && strcmp(model, "default") != 0 &&
	    profile_takes_all(h->takes)) {
		profile = profiles_find("model", model, NULL, e);
		if (!profile)
			return false;
		json_decref(profile);
	}
	description_add(to, &ability);
	return true;
}

static unsigned
count_warm(const struct engine_self *self)
{
	return pool_count(&self->pool);
}

static unsigned
count_background(const struct engine_self *self)
{
	return pool_count_background(&self->pool);
}

static unsigned
count_parked(const struct engine_self *self)
{
	return pool_count_parked(&self->pool);
}

static void
probe(struct engine_self *self, bool asked)
{
	health_probe(&self->health, asked);
}

enum { LOGIN_LOOK_MS = 100 /* while turns wait for a login */ };

static void
on_login_look(struct timer *t)
{
	queue_run_waiting(
		container_of(t, struct engine_self, login_look)->worker);
}

/* A turn waits for a place of its own beside its slot, or for that where its
 * conversation is parked, and for a login that is being renewed.  Places with
 * logins of their own renew them alone. */
static bool
may_run(const struct turn *t)
{
	struct engine_self *self = self_of(t);
	const struct executor *x = self->pool.executor;

	if (!executor_is_free(t->place ? t->place : self->pool.executor,
			      t->session))
		return false;
	if (!self->pool.harness->renewed || x->has_logins)
		return true;
	login_gate_look(&self->login,
			prober_login_renewed(&self->health.prober));
	if (login_gate_is_open(&self->login, unix_ms()))
		return true;
	loop_set(&self->worker->loop, &self->login_look, LOGIN_LOOK_MS,
		 on_login_look);
	return false;
}

static void
count_places(const struct engine_self *self, struct place_counts *to)
{
	const struct executor *x = self->pool.executor;

	if (x->count)
		x->count(x, to);
}

static void
describe_places(const struct engine_self *self, struct buf *to)
{
	const struct executor *x = self->pool.executor;

	if (x->describe)
		x->describe(x, to);
}

static bool
has_another_warning(struct engine_self *self)
{
	const struct executor *x = self->pool.executor;
	char *now = x->warning ? x->warning(x) : NULL, *before = self->warning;
	bool is_another = !str_eq(str_of(now), str_of(before));

	self->warning = now;
	free(before);
	return is_another;
}

/* A look runs programs, which changes what is free: it is no cause for another
 * look. */
static void
on_executor_changed(void *owner)
{
	struct engine_self *self = owner;
	struct error e = { 0 };
	bool had_place = self->has_place;

	self->has_place = executor_place(self->pool.executor, NULL, &e) != NULL;
	queue_run_waiting(self->worker);
	if (has_another_warning(self) || !had_place || !self->has_place)
		worker_probe(self->worker, false);
}

static bool
init(struct worker *w, struct error *e)
{
	struct engine_self *self = w->self = xcalloc(1, sizeof *self);
	auto_free char *directory =
		ours_make_path(w->settings.data_dir, "sessions", NULL, e);
	auto_free char *path =
		directory ? copy_format("%s/%s.sqlite", directory, w->name)
			  : NULL;

	self->worker = w;
	self->pool.ready = job_ready;
	self->pool.spoke = job_spoke;
	self->pool.over = job_over;
	self->pool.asks_again = job_asks_again;
	self->pool.forget = parked_forget;
	self->pool.executor = executor_new(
		&(struct executor_plan){
			.name = w->name,
			.data_dir = w->settings.data_dir,
			.mark = w->mark,
			.settings = &w->harness,
			.docker_host = w->settings.docker_host,
			.loop = &w->loop,
		},
		e);
	if (self->pool.executor && self->pool.executor->configure)
		(void)self->pool.executor->configure(self->pool.executor,
						     &w->harness);
	health_init(&self->health, &self->pool, w);
	if (!self->pool.executor || !path ||
	    !sessions_open(&self->sessions, path, e) ||
	    !pool_init(&self->pool, w, e))
		return false;
	health_begin(&self->health);
	login_gate_init(&self->login, self->pool.harness->login_ms);
	self->pool.executor->changed = on_executor_changed;
	self->pool.executor->owner = self;
	return true;
}

static bool
configure(struct engine_self *self, struct error *e)
{
	if (!pool_configure(&self->pool, e))
		return false;
	health_configure(&self->health);
	return true;
}

/* The places and the login that turns hold are gone in a moment. */
static void
forget_all(struct list *turns)
{
	list_each (turns, n)
		job_forget(container_of(n, struct turn, node));
}

static void
fini(struct engine_self *self)
{
	struct executor *x = self->pool.executor;

	if (x)
		x->changed = NULL;
	loop_unset(&self->worker->loop, &self->login_look);
	health_fini(&self->health);
	pool_fini(&self->pool);
	forget_all(&self->worker->running);
	forget_all(&self->worker->waiting);
	if (x)
		x->free(x);
	sessions_close(&self->sessions);
	free(self->warning);
	free(self);
}

const struct engine engine = {
	.dialects = DIALECT_BIT(DIALECT_CHAT),
	.has_slots = true,
	.has_sessions = true,
	.init = init,
	.fini = fini,
	.login = login_run,
	.configure = configure,
	.accept = job_accept,
	.start = job_start,
	.cancel = job_cancel,
	.forget = job_forget,
	.unblock = job_unblock,
	.probe = probe,
	.list_models = list_models,
	.describe = describe,
	.list_sessions = list_sessions,
	.forget_session = forget_session,
	.may_run = may_run,
	.count_places = count_places,
	.describe_places = describe_places,
	.count_warm = count_warm,
	.count_background = count_background,
	.count_parked = count_parked,
};
