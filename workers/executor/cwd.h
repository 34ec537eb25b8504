#pragma once
/*
 * cwd - may a CLI work in this directory?
 *
 * Asked before a turn is accepted, and again when one has failed to start: a
 * directory that has vanished meanwhile is the reason then, whatever the CLI
 * or the system says of it.
 */
#include "proto/error.h"

/* A directory that a caller has named.  ERR_BAD_CWD says what is wrong. */
must_check bool cwd_check(const char *cwd, struct error *);
