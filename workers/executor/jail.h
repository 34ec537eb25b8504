#pragma once
/*
 * jail - the executor that runs programs on this machine, and lets them have
 * only a part of it if <NAME>_JAIL says so
 *
 * Without a jail it is host.c.  With one, each program is started by
 * bubblewrap, in a tree of mounts (jail_view.h) and a pid namespace of its own:
 * with the program every process ends that it has started.  As a program gets
 * its working directory when it is started, and can have no other one later,
 * those that hold many conversations are started once for each directory.
 *
 * Where bubblewrap is not installed, or cannot make its namespaces, nothing is
 * run.
 *
 * Its reader has a jail of its own, whatever <NAME>_JAIL says, unless
 * <NAME>_SAFE_JAIL is off.
 */
#include "workers/executor/executor.h"

/* Of the worker `name`, with the directory `scratch`.  Never NULL; without a
 * jail until it is configured. */
struct executor *jail_new(const char *name, const char *data_dir,
			  const char *scratch);
