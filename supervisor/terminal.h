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

/*
 * Does the process end when its terminal goes?  It does not if SIGHUP was
 * ignored when it was started, which is how nohup(1) asks it to go on.
 */
bool terminal_ends_us(void);
