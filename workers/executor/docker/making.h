#pragma once
/*
 * making - the requests by which a slot gets its container, one after the other
 *
 * The image is looked at, an earlier container of the slot's name is removed, a
 * volume of its name is compared, and the container is created, attached to and
 * started: each state of slot.h from SLOT_CHECKING to SLOT_STARTING is one
 * request, and a table says what follows from its answer.  Whatever goes wrong
 * is the slot's failure.
 */
#include "workers/executor/docker/slot.h"

void making_begin(struct slot *);

/* We are attached to the container that was created. */
void making_attached(struct slot *);
