#pragma once
/*
 * workers - the workers: who is there, and which model leads to whom
 *
 * A model id is "<prefix>/<rest>"; the supervisor says which prefix leads to
 * which worker, and what harness that is does not matter here.  For each
 * worker there is a client that asks it and an inlet that hears it.  When one
 * is there to take orders `came` is called.  When it goes away what it has
 * still said is heard first, and then `lost` is called.  `bad`: it said
 * something of one turn that could not be understood.  `broken`: that may have
 * been of any turn.
 *
 * Both lists may change while turns are under way.  A worker that is not in
 * the list any more gets no new turns; the link to it stays until it has ended
 * its turns and is gone.
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
	struct timer again; /* to greet, when that has failed */
	struct inlet inlet;
	struct outlet orders;
	uint64_t id;	 /* of its process; 0: not known */
	bool is_known;	 /* to be there: its coming was told */
	bool is_leaving; /* it takes no more orders; another one will come */
	struct order_window window;
	bool is_retired;    /* gets no new turns, and goes when it is gone */
	struct timer grave; /* frees it when no callback is under way */
	bool is_dialled;    /* it has been there: until then nothing is open */
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
	struct loop *loop;	  /* NULL: nobody is dialled yet */
	char *directory;	  /* where they listen */
	struct arrivals arrivals; /* of sockets in it */
	struct worker_link links[MAX_CHILDREN];
	struct prefix prefixes[MAX_PREFIXES];
	size_t prefix_count;
	size_t order_window; /* bytes, for each link; to be set before they
			      * are made, or change */
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
 * functions are to be set before; fini is needed even if it failed.
 */
must_check bool workers_init(struct workers *, const char *workers,
			     const char *routes, struct error *);
must_check bool workers_dial(struct workers *, struct loop *,
			     const char *directory, struct error *);
void workers_fini(struct workers *);

/* The lists are others now.  On ERR_INVALID nothing has changed. */
must_check bool workers_change(struct workers *, const char *workers,
			       const char *routes, struct error *);

/* For i from 0 to MAX_CHILDREN - 1; NULL: there is none in this place that
 * new turns could go to. */
struct worker_link *workers_at(struct workers *, size_t i);

/* How many can take orders. */
size_t workers_present(const struct workers *);

/* ERR_NO_MODEL, with the prefixes there are. */
must_check bool workers_find(struct workers *, struct str model,
			     struct destination *, struct error *);

/* Does a bare prefix do, as it is the name of a harness or an alias of one?
 * The prefixes of providers lead to a worker that has no model of its own. */
bool workers_has_default(const struct workers *, const struct destination *);

struct worker_link *workers_link(struct workers *, struct str name);
