#include "workers/executor/executor.h"

#include "proto/ours.h"
#include "proto/settings.h"
#include "workers/executor/docker/docker.h"
#include "workers/executor/docker/settings.h"
#include "workers/executor/jail.h"

struct executor *
executor_new(const struct executor_plan *plan, struct error *e)
{
	auto_free char *scratch = NULL;

	if (docker_is_wanted(plan->settings, plan->name, e))
		return docker_new(plan, e);
	if (e->code)
		return NULL;
	scratch = ours_make_path(plan->data_dir, "scratch", plan->name, e);
	return scratch ? jail_new(plan->name, plan->data_dir, scratch) : NULL;
}
