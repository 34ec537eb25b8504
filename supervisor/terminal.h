#pragma once
/*
 * terminal - the controlling terminal, if the daemon was started from one
 *
 * The kernel sends SIGHUP when the terminal goes; an operator sends SIGHUP to
 * have the settings read again.  This module tells the two apart.
 */
#include <stdbool.h>

/* Does the process have a controlling terminal now? */
bool terminal_is_there(void);
