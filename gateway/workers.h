#pragma once
/*
 * workers - the links to the workers, and which model id leads to which worker
 *
 * A model id is "<prefix>/<rest>"; the supervisor says which prefix leads to
 * which worker.  A link has three connections: for questions, for orders and
 * for events.  `came` is called when all three are there.  When one of them
 * ends, the events that have already come are handled first, and then `lost` is
 * called.  `bad` reports an event of one turn that is not as messages.def says,
 * `broken` one of which even the turn can't be read.
 *
 * Workers and prefixes may change while turns are under way.  A worker that is
 * removed gets no new turns (it is retired); its link is freed when the worker
 * has ended its turns and its connections are closed.
 */
#include "gateway/arrivals.h"
#include "gateway/order_window.h"
#include "proto/link.h"

struct workers;

struct worker_link {
	struct workers *workers;
	char *name; /* NULL: this place is free */
	struct client client;
	struct ask greeting;
	struct timer again; /* to send GREET again, after a failure */
	struct inlet inlet;
	struct outlet orders;
	uint64_t id;	 /* of its process; 0: not known */
	bool is_known;	 /* `came` was called, and `lost` was not */
	bool is_leaving; /* it is being stopped, and takes no more orders */
	struct order_window window;
	bool is_retired;	 /* it was removed: it gets no new turns */
	struct timer free_later; /* of a retired link: not in its callbacks */
	bool is_dialled;	 /* its connections were opened */
};

static inline bool
worker_link_is_up(const struct worker_link *m)
{
	return m->id != 0 && !m->is_leaving && m->orders.reader.connected &&
	       m->inlet.writer.connected;
}

struct prefix {
	char *name;
	struct worker_link *link;
};

struct workers {
	struct loop *loop;	  /* NULL: workers_dial() was not called yet */
	char *directory;	  /* of the workers' sockets */
	struct arrivals arrivals; /* of sockets in it */
	struct worker_link links[MAX_CHILDREN];
	struct prefix prefixes[MAX_PREFIXES];
	size_t prefix_count;
	size_t order_window; /* bytes, for each link; set before workers_init()
			      * and workers_change() */
	void (*heard)(struct worker_link *, const struct msg *);
	void (*came)(struct worker_link *);
	void (*lost)(struct worker_link *);
	void (*bad)(struct worker_link *, uint64_t turn, const struct error *);
	void (*broken)(struct worker_link *, const struct error *);
};

/* Where a model id leads. */
struct destination {
	struct worker_link *link;
	const char *prefix;
	struct str model; /* absent: the default */
};

/*
 * `workers` is "claude echo", `routes` is "claude=claude cc=claude".  The five
 * functions are set before; fini is needed even if it failed.
 */
must_check bool workers_init(struct workers *, const char *workers,
			     const char *routes, struct error *);
must_check bool workers_dial(struct workers *, struct loop *,
			     const char *directory, struct error *);
void workers_fini(struct workers *);

/* Adds and retires workers.  On ERR_INVALID nothing has changed. */
must_check bool workers_change(struct workers *, const char *workers,
			       const char *routes, struct error *);

/* For i from 0 to MAX_CHILDREN - 1; NULL: the place is free, or its worker is
 * retired. */
struct worker_link *workers_at(struct workers *, size_t i);

/* How many workers can take orders. */
size_t workers_present(const struct workers *);

/* ERR_NO_MODEL, with the prefixes there are. */
must_check bool workers_find(struct workers *, struct str model,
			     struct destination *, struct error *);

/* Is a prefix alone a model?  That of a harness is, the CLI's default; that of
 * a provider is not. */
bool workers_has_default(const struct workers *, const struct destination *);

struct worker_link *workers_link(struct workers *, struct str name);
