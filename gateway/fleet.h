#pragma once
/*
 * fleet - the workers: who is there, and which model leads to whom
 *
 * A model id is "<prefix>/<rest>"; the supervisor says which prefix leads to
 * which worker, and what harness that is does not matter here.  For each
 * worker there is a client that asks it and an inlet that hears it.  When one
 * is there to take orders `came` is called.  When it goes away what it has
 * still said is heard first, and then `lost` is called.  `broken`: it said
 * what could not be understood, which may have been anything.
 */
#include "proto/link.h"

struct fleet;

struct member {
	struct fleet *fleet;
	char *name;
	struct client client;
	struct ask greeting;
	struct timer again; /* to greet, when that has failed */
	struct inlet inlet;
	struct outlet orders;
	uint64_t id;   /* of its process; 0: not known */
	bool is_known; /* to be there: its coming was told */
};

static inline bool
member_is_there(const struct member *m)
{
	return m->id != 0 && m->orders.reader.connected &&
	       m->inlet.writer.connected;
}

struct prefix {
	char *name;
	struct member *member;
};

struct fleet {
	struct loop *loop;
	struct member members[MAX_CHILDREN];
	struct prefix prefixes[MAX_PREFIXES];
	size_t member_count, prefix_count;
	void (*heard)(struct member *, const struct msg *);
	void (*came)(struct member *);
	void (*lost)(struct member *);
	void (*broken)(struct member *, const struct error *);
};

/* Where a model id leads. */
struct destination {
	struct member *member;
	const char *prefix;
	struct str model; /* absent: the default */
};

/*
 * `workers` is "claude echo", `routes` is "claude=claude cc=claude".  The four
 * functions are to be set before; fini is needed even if it failed.
 */
must_check bool fleet_init(struct fleet *, const char *workers,
			   const char *routes, struct error *);
must_check bool fleet_dial(struct fleet *, struct loop *, const char *directory,
			   struct error *);
void fleet_fini(struct fleet *);

/* How many can take orders. */
size_t fleet_present(const struct fleet *);

/* ERR_NO_MODEL, with the prefixes there are. */
must_check bool fleet_find(struct fleet *, struct str model,
			   struct destination *, struct error *);

/* Does a bare prefix do, as it is the name of a harness or an alias of one?
 * The prefixes of providers lead to a worker that has no model of its own. */
bool fleet_has_default(const struct fleet *, const struct destination *);

struct member *fleet_member(struct fleet *, struct str name);
