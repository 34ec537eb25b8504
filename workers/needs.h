#pragma once
/*
 * needs - what must be there before a harness can work at all
 *
 * Its CLI, or the address or the key of whom it talks with.  The supervisor
 * asks before it starts a worker, so that one whose harness is not set up
 * costs nothing, and the worker asks whenever it looks at its harness: both
 * find and say the same.  It costs a few system calls and starts nothing.
 *
 * `harness` is a name such as "claude".  What each needs is in harnesses.def.
 */
#include "proto/buf.h"

/* ERR_NOT_SET_UP, with what is missing and what to do about it. */
must_check bool needs_are_met(const char *harness, struct error *);

/* The program of its CLI, with its path; NULL: there is none.  The caller
 * frees it. */
char *needs_program(const char *harness);

/* The program as it is to be looked up, such as "claude"; NULL: nobody says.
 * The caller frees it. */
char *needs_program_name(const char *harness);

/* How the CLI of a harness logs in; see harnesses.def.  NULL: it has no command
 * for that. */
struct needs_login {
	const char *harness, *arguments;
	const char *hint; /* NULL: none */
};

const struct needs_login *needs_login(const char *harness);

/* The variable with the address of something that must answer, or NULL. */
const char *needs_url(const char *harness);

/* That no provider has a key, and which variables there are. */
void needs_name_keys(struct buf *);
