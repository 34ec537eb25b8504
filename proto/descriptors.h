#pragma once
/*
 * descriptors - how many descriptors a process of ours may have
 *
 * Every client, stream and CLI costs a descriptor, so our daemons raise their
 * soft limit to the hard limit.  The programs that they start keep the
 * inherited limit (spawn.h): some of them close, or look at, each number below
 * the limit, and select() works for the first 1,024 only.
 */
#include <sys/resource.h>

/* Call this once, at the start. */
void descriptors_raise(void);

/* The soft limit that this process was started with. */
rlim_t descriptors_inherited(void);
