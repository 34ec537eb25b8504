#pragma once
/*
 * queries - what sessions.c asks of its database, in SQL
 *
 * The tables are in database.c.  `disk` is the file, and `main` the memory:
 * what is there is newer than the file.
 */

/* Each pair is of the file and of the memory, in this order. */
enum query {
	FIND,
	FIND_ANSWER,
	LIST,
	WRITE_ROW,
	WRITE_ROW_IN_MEMORY,
	DROP_CHECKPOINTS,
	DROP_CHECKPOINTS_IN_MEMORY,
	ADD_CHECKPOINT,
	ADD_CHECKPOINT_IN_MEMORY,
	DROP_CONVERSATIONS,
	DROP_CONVERSATIONS_IN_MEMORY,
	FORGET,
	FORGET_IN_MEMORY,
	NOTE_FORGOTTEN,
	COPY_ROW,
	COPY_CHECKPOINTS,
	DROP_SESSIONS,
	DROP_OLDEST_SESSION,
	QUERIES,
};

/* To be added to the first of a pair. */
enum place { IN_FILE, IN_MEMORY };

extern const char *const queries[QUERIES];
