#include "workers/executor/docker/tidy.h"

#include "proto/buf.h"
#include "proto/log.h"
#include "workers/executor/docker/container.h"
#include "workers/io/json.h"

enum {
	END_MS = 2000,	 /* that the end of a worker may take */
	AGAIN_MS = 50,	 /* until it is seen whether there are more */
	FEWEST_LOOKS = 2 /* that find none: the engine may still make one */
};

struct removal {
	struct node node;
	struct tidying *tidying;
	struct docker_call *call;
};

struct tidying {
	struct docker_api *api;
	struct docker_call *call; /* the list; NULL: it has come */
	struct list removals;	  /* under way */
	void (*done)(void *arg, const struct error *e);
	void *arg;
};

static void
drop_removal(struct removal *r)
{
	list_remove(&r->tidying->removals, &r->node);
	free(r);
}

void
tidy_drop(struct tidying *t)
{
	if (t->call)
		docker_drop(t->call);
	list_each (&t->removals, n) {
		struct removal *r = container_of(n, struct removal, node);

		docker_drop(r->call);
		drop_removal(r);
	}
	free(t);
}

static void
finish(struct tidying *t, const struct error *e)
{
	void (*done)(void *arg, const struct error *e) = t->done;
	void *arg = t->arg;

	tidy_drop(t);
	done(arg, e);
}

/* 404, 409: it has gone, or is going. */
static void
on_removed(void *arg, int status, json_t *answer, const struct error *e)
{
	struct removal *r = arg;
	struct tidying *t = r->tidying;
	struct error why = { 0 };

	if (status != 404 && status != 409 &&
	    !docker_agrees(status, answer, e, &why))
		log_warn("a container that was left behind: %s", why.text);
	drop_removal(r);
	if (!t->removals.len)
		finish(t, NULL);
}

static void
remove_one(struct tidying *t, const json_t *container)
{
	const char *id = json_text(container, "Id");
	auto_free char *path =
		copy_format("/containers/%s?force=1&v=1", id ? id : "");
	struct removal *r;

	if (!id)
		return;
	r = xcalloc(1, sizeof *r);
	r->tidying = t;
	list_append(&t->removals, &r->node);
	r->call = docker_ask(t->api, "DELETE", path, NULL, on_removed, r);
}

static void
on_listed(void *arg, int status, json_t *answer, const struct error *e)
{
	struct tidying *t = arg;
	struct error why = { 0 };
	const json_t *container;
	size_t i;

	t->call = NULL;
	if (!docker_agrees(status, answer, e, &why)) {
		finish(t, &why);
		return;
	}
	json_array_foreach (answer, i, container)
		remove_one(t, container);
	if (!t->removals.len)
		finish(t, NULL);
}

struct tidying *
tidy(struct docker_api *a, const char *mark,
     void (*done)(void *arg, const struct error *e), void *arg)
{
	struct tidying *t = xcalloc(1, sizeof *t);
	auto_free char *filter =
		copy_format("{\"label\":[\"" CONTAINER_LABEL "=%s\"]}", mark);
	auto_free char *escaped = docker_escape(filter);
	auto_free char *path =
		copy_format("/containers/json?all=1&filters=%s", escaped);

	t->api = a;
	t->done = done;
	t->arg = arg;
	list_init(&t->removals);
	t->call = docker_ask(a, "GET", path, NULL, on_listed, t);
	return t;
}

/* At the end */

struct end {
	struct loop loop;
	struct docker_api *api;
	const char *mark;
	struct tidying *tidying; /* NULL: none under way */
	struct timer again, limit;
	unsigned looks;
};

static void
on_limit(struct timer *t)
{
	loop_stop(&container_of(t, struct end, limit)->loop);
}

static timer_fn on_again;

static void
on_tidied(void *arg, const struct error *e)
{
	struct end *end = arg;

	end->tidying = NULL;
	if (e || ++end->looks == FEWEST_LOOKS)
		loop_stop(&end->loop);
	else
		loop_set(&end->loop, &end->again, AGAIN_MS, on_again);
}

static void
on_again(struct timer *t)
{
	struct end *end = container_of(t, struct end, again);

	end->tidying = tidy(end->api, end->mark, on_tidied, end);
}

void
tidy_at_end(const char *docker_host, const char *mark)
{
	struct end end = { .loop = LOOP_INIT, .mark = mark };
	struct error e = { 0 };

	if (!loop_init(&end.loop, &e) ||
	    !(end.api = docker_api_new(&end.loop, docker_host, &e))) {
		log_warn("containers that were being made: %s", e.text);
		loop_fini(&end.loop);
		return;
	}
	loop_set(&end.loop, &end.limit, END_MS, on_limit);
	on_again(&end.again);
	if (!loop_run(&end.loop, &e))
		log_warn("containers that were being made: %s", e.text);
	if (end.tidying)
		tidy_drop(end.tidying);
	loop_unset(&end.loop, &end.again);
	loop_unset(&end.loop, &end.limit);
	docker_api_free(end.api);
	loop_fini(&end.loop);
}
