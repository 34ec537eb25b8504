#pragma once
/* exit_code - the exit codes of our programs that another program acts on */

enum {
	EXIT_WRONG_USE = 2,  /* of commands: as in LSB and supervisorctl */
	EXIT_NOT_ALL_UP = 3, /* a process is not running, or not ready */
	EXIT_NO_DAEMON = 4,  /* no daemon runs, or no process has that name */
	EXIT_WRONG_SETTINGS = 78, /* EX_CONFIG: starting again is useless */
	EXIT_NEVER_RAN = 125,	  /* of a program whose place has failed */
	EXIT_NOT_RUNNABLE = 126,  /* of the launcher, as in a shell */
	EXIT_NOT_FOUND = 127,
};
