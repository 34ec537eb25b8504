#include "proto/descriptors.h"

#include <stdbool.h>

static struct {
	bool is_raised;
	rlim_t inherited;
} self;

rlim_t
descriptors_inherited(void)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

	if (self.is_raised)
		return self.inherited;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

void
descriptors_raise(void)
{
	struct rlimit limit;

	if (self.is_raised || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	self.inherited = limit.rlim_cur;
	self.is_raised = true;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
