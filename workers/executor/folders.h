#pragma once
/*
 * folders - where a CLI keeps its login, its configuration and its records
 *
 * An executor that shuts a CLI off from the rest of the machine has to let it
 * have these.  The list is folders.def.
 */
#include "proto/str.h"

enum folder_kind {
	FOLDER_MADE,	 /* a missing one may be made */
	FOLDER_IF_THERE, /* a missing one is never made */
	FOLDER_FILE,	 /* a file; a missing one may be made */
};

struct folder {
	const char *harness;
	enum folder_kind kind;
	const char *path;    /* "~/.codex"; NULL: none unless `instead` is */
	const char *instead; /* "$CODEX_HOME"; NULL: never elsewhere */
	const char *begins;  /* contents of a new file; NULL: a folder */
	const char *why;     /* what is in it */
};

/*
 * The rows of a harness such as "claude", of which the first is its main
 * folder, and how many there are: none of an agent of the operator's own.
 */
const struct folder *folders_of(const char *harness, size_t *count);

/*
 * Where it is on this machine, as the CLI of a worker finds it: its harness's
 * <NAME>_ENV_<VARIABLE> counts, then the variable, then the home directory.
 * Absolute, and not looked at.  NULL: nowhere; the caller frees it.
 */
char *folder_path(const struct folder *);

/* The home directory of the harness's CLI; NULL: it has none.  The caller frees
 * it. */
char *folders_home(const char *harness);
