#pragma once
/*
 * jail_view - what a jailed CLI sees of the machine
 *
 * It becomes the arguments of bubblewrap, bwrap(1), which puts a tree of mounts
 * together, in order: what comes later covers what came before.  Every path in
 * it is real: a symbolic link on the way to one is made again where it would be
 * missing.
 *
 * JAIL_WRITE shows the whole machine, and lets the CLI write in its working
 * directory and its own folders only.  JAIL_READ shows it the system, its
 * program, and these.  JAIL_SAFE is the same, but the CLI cannot write in its
 * working directory, wherever that is.  In all of them /tmp and /run are new
 * and empty, and nothing of the bridge's data directory is there but the
 * scratch directory of the harness: there are sockets in all three, and who can
 * connect to one may have somebody else do what he may not do himself.
 *
 * The network is that of the machine.
 */
#include "proto/error.h"
#include "workers/io/words.h"

enum jail_mode { JAIL_OFF, JAIL_WRITE, JAIL_READ, JAIL_SAFE };

struct jail_terms {
	enum jail_mode mode;
	char *variable; /* that says so: "CLAUDE_JAIL" */
	char *home;	/* NULL: none */
	char *data_dir, *scratch;
	struct words reads, writes; /* whole paths; missing ones are passed
				     * over */
};

void jail_terms_fini(struct jail_terms *);

/* ERR_BAD_CWD, and why, for a directory that would open the jail: the CLI may
 * write in it, so nothing that is kept from it may be inside. */
must_check bool jail_check_cwd(const struct jail_terms *, const char *cwd,
			       struct error *);

/*
 * Adds the arguments, up to the one behind which the program comes.  Links to
 * the program are followed, its interpreter is looked up in `path`, as in PATH,
 * and what belongs to both is shown as well.  cwd NULL: the program works
 * nowhere.
 */
void jail_view(const struct jail_terms *, const char *program, const char *path,
	       const char *cwd, struct words *argv);
