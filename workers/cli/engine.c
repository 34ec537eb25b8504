/*
 * engine - the work that all coding CLIs share: what is asked of a worker as a
 * whole.  job.h has the work of one turn.
 */
#include "proto/ours.h"
#include "workers/cli/job.h"
#include "workers/cli/models.h"

static void
list_sessions(struct engine_self *self, struct rows *to, unsigned limit)
{
	sessions_list(&self->sessions, to, limit, self->worker->name);
}

static unsigned
forget_session(struct engine_self *self, const char *id)
{
	struct conversation *c;

	while ((c = pool_find(&self->pool, id, 0)))
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

/* The models that the harness names, until the CLI has listed its own. */
static json_t *
known_models(const struct engine_self *self)
{
	json_t *ids = json_array();

	for (const char *const *m = self->pool.harness->models; *m; m++)
		json_array_append_new(ids, json_string(*m));
	return ids;
}

static void
list_models(struct engine_self *self, struct rows *to)
{
	json_t *models = self->pool.models ? json_incref(self->pool.models)
					   : known_models(self);
	json_t *told, *row;
	size_t i;

	if (can_work(self))
		json_array_foreach (models, i, told) {
			row = models_row(self->worker->name,
					 self->pool.harness->can, told);
			if (row && !add_model(to, row))
				break;
		}
	json_decref(models);
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

static void
probe(struct engine_self *self, bool asked)
{
	health_probe(&self->health, asked);
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
	self->pool.executor = executor_new(w->name, w->settings.data_dir, e);
	health_init(&self->health, &self->pool, w);
	if (!self->pool.executor || !path ||
	    !sessions_open(&self->sessions, path, e) ||
	    !pool_init(&self->pool, w, e))
		return false;
	health_begin(&self->health);
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

static void
fini(struct engine_self *self)
{
	struct executor *x = self->pool.executor;

	health_fini(&self->health);
	pool_fini(&self->pool);
	if (x)
		x->free(x);
	sessions_close(&self->sessions);
	free(self);
}

const struct engine engine = {
	.dialects = DIALECT_BIT(DIALECT_CHAT),
	.has_slots = true,
	.has_sessions = true,
	.init = init,
	.fini = fini,
	.configure = configure,
	.accept = job_accept,
	.start = job_start,
	.cancel = job_cancel,
	.forget = job_forget,
	.unblock = job_unblock,
	.probe = probe,
	.list_models = list_models,
	.list_sessions = list_sessions,
	.forget_session = forget_session,
	.count_warm = count_warm,
	.count_background = count_background,
};
