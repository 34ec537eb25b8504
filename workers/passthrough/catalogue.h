#pragma once
/*
 * catalogue - the models that providers list
 *
 * The providers are asked in the background, and their lists are kept for a
 * while, so that a request for models is answered at once with what is known.
 * The models of a provider that lists none can be used all the same.
 */
#include "workers/passthrough/providers.h"
#include "workers/io/upstream.h"
#include "workers/worker/rows.h"

struct listing;

struct catalogue {
	struct upstream *upstream;
	struct listing *listings; /* one for each usable provider */
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
