#pragma once
/*
 * catalogue - the models that providers say they have
 *
 * Asked for in the background and kept for a while: whoever wants the list
 * gets at once what is known.  A provider that does not say has no models
 * here, which keeps nobody from using them.
 */
#include "workers/passthrough/providers.h"
#include "workers/passthrough/upstream.h"
#include "workers/rows.h"

struct shelf;

struct catalogue {
	struct upstream *upstream;
	struct shelf *shelves; /* one for each usable provider */
	size_t count;
};

/* Both must live as long as the catalogue. */
void catalogue_init(struct catalogue *, struct upstream *,
		    const struct providers *);
void catalogue_fini(struct catalogue *);

/* The providers are others now; those before may go afterwards.  What is known
 * of one that has stayed where it is stays known. */
void catalogue_change(struct catalogue *, const struct providers *all);

/* Asks those whose list is not there, or old. */
void catalogue_refresh(struct catalogue *);

/* Adds all that is known, or has room. */
void catalogue_list(const struct catalogue *, struct rows *);
