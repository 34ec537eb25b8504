#pragma once
/*
 * conversation_notes - a talk that takes notes instead of doing anything
 *
 * For tests of a harness without a process: what it calls is written down,
 * one line a call, text of the same kind in one line as long as nothing else
 * comes between.
 */
#include "proto/buf.h"
#include "workers/cli/harness.h"
#include "workers/executor/host.h"

struct notes {
	struct buf heard;   /* "text Hello\nfinish stop\n" */
	struct buf written; /* what it wrote to its CLI */
	char last;	    /* the kind of what was heard last */
	bool has_spoken;
	bool input_ended;
	bool counts_uuids; /* each new UUID ends with the next number */
	unsigned uuids;	   /* that were made */
};

extern struct notes notes;

/* The talk that instance_talk() finds if its cli_id is asked for. */
extern struct conversation *notes_talk;

/* Forgets everything. */
void notes_clear(void);
