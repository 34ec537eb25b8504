#pragma once
/* places - how many places for turns an executor has, by what happens there */

struct place_counts {
	unsigned free; /* nothing happens there */
	unsigned busy; /* a turn is under way */
	unsigned warm; /* no turn is, but a CLI waits for the next one */
	unsigned dead; /* no program can run there now */
};
