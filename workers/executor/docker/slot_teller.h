#pragma once
/*
 * slot_teller - what cli-bridge-slot tells its worker, one line each
 *
 * Telling never waits: lines that the pipe does not take are kept, and written
 * when it does.  While much is kept, nothing should be done that has an answer:
 * see teller_is_behind().  If too much is kept nevertheless, or if nobody can
 * read it, `lost` is called, once.
 */
#include "proto/buf.h"
#include "proto/loop.h"

struct teller {
	struct loop *loop;
	int fd;
	struct watch room; /* watched while something is kept */
	struct buf kept;
	bool is_lost;			    /* nothing is told any more */
	void (*caught_up)(struct teller *); /* nothing is kept any more */
	void (*lost)(struct teller *);
};

/* `fd` stays the caller's. */
void teller_init(struct teller *, struct loop *, int fd,
		 void (*caught_up)(struct teller *),
		 void (*lost)(struct teller *));
void teller_fini(struct teller *);

/* Then caught_up() will follow, or lost(). */
bool teller_is_behind(const struct teller *);

/* One line, without its newline. */
void tell(struct teller *, const char *fmt, ...) printf_like(2);
