/* What the worker's settings mean for how a CLI is started, also when they
 * change.  A setting that the CLI cannot keep to makes it unfit. */
#include "workers/cli/pool.h"

#include "proto/ours.h"
#include "workers/cli/environment.h"
#include "workers/cli/eviction.h"

char *
pool_choose_workspace(const struct pool *p, struct error *e)
{
	const char *cwd = p->worker->harness.cwd;

	if (!cwd)
		cwd = p->executor->workspace;
	return cwd ? copy(str_of(cwd))
		   : ours_make_path(p->worker->settings.data_dir, "workspace",
				    p->worker->name, e);
}

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
	if (p->executor->adapt)
		p->executor->adapt(p->executor, &p->environment);
}

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
has_changed(struct pool *p, const struct start *before)
{
	struct executor *x = p->executor;

	if (x->configure && x->configure(x, &p->worker->harness))
		return true;
	return !same_words(&p->environment, &before->environment) ||
	       !same_text(p->program, before->program) ||
	       !same_text(p->workspace, before->workspace) ||
	       !same_text(p->permission_mode, before->permission_mode) ||
	       p->loads != before->loads;
}

bool
pool_configure(struct pool *p, struct error *e)
{
	char *workspace = pool_choose_workspace(p, e);
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
		evict_idle(p);
	}
	words_fini(&before.environment);
	free(before.program);
	free(before.workspace);
	evict_surplus(p);
	return true;
}
