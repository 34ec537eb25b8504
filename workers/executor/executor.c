#include "workers/executor/executor.h"

#include "proto/ours.h"
#include "workers/executor/host.h"

struct executor *
executor_new(const char *name, const char *data_dir, struct error *e)
{
	auto_free char *scratch = ours_make_path(data_dir, "scratch", name, e);

	return scratch ? host_new(scratch) : NULL;
}
