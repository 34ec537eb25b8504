#pragma once
/*
 * descriptors - how many of them a process of ours may have
 *
 * Every client, stream and CLI is a descriptor, so our daemons take as many as
 * they may have.  The programs that they start do not: some of them close, or
 * look at, each number below the limit, and select() knows only the first
 * 1,024.  So what was inherited is kept, and handed on by spawn.h.
 */
#include <sys/resource.h>

/* To be called once, at the start. */
void descriptors_raise(void);

/* The soft limit that this process was started with. */
rlim_t descriptors_inherited(void);
