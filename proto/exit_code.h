#pragma once
/* exit_code - the exit codes of our programs that somebody acts on */

enum {
	EXIT_WRONG_USE = 2,	  /* of commands: as LSB and supervisorctl */
	EXIT_NOT_ALL_UP = 3,	  /* something is not running, or not ready */
	EXIT_NO_DAEMON = 4,	  /* nobody answers, or has that name */
	EXIT_WRONG_SETTINGS = 78, /* EX_CONFIG: starting again is no use */
	EXIT_NOT_RUNNABLE = 126,  /* of the launcher, as a shell's */
	EXIT_NOT_FOUND = 127,
};
