#pragma once
/*
 * terminal - the controlling terminal, if we were started from one
 *
 * The kernel says with SIGHUP that it has gone, which is what an operator
 * says when the settings are to be read again.
 */
#include <stdbool.h>

/* Is there one now? */
bool terminal_is_there(void);
