#pragma once
/*
 * control - the worker's side of cli-bridge-slot: orders, and what it tells
 *
 * We are attached to the container's standard input and output, as if it were a
 * program with pipes.  What goes wrong there is the end of the container: see
 * slot_fail().
 *
 * A slot in which a process was killed, or has ended, is proven clean before a
 * turn begins in it: cli-bridge-slot kills every process that belongs to no run
 * that lives, until there is none.  A proof waits while the engine starts a
 * process, which belongs to no run for a moment.
 *
 * While turns are under way cli-bridge-slot has to answer now and then.  If it
 * is silent the engine is asked what has become of its container: a container
 * that was paused, and an engine that hangs, would otherwise leave turns
 * waiting for ever.
 */
#include "workers/executor/docker/slot.h"

void control_init(struct slot *);

/* Attaches to the container that was created; making_attached() follows. */
must_check bool control_begin(struct slot *, struct error *);

/* The container was started: looks for the program once it can, and once
 * nothing is left to be proven (way.h). */
void control_greet(struct slot *);

/* Its output has ended: the slot fails.  While the engine starts the container
 * this waits for the answer, and has to be called again then. */
void control_ended(struct slot *);

/* A slot that is up lets its runs begin now. */
void control_go_on(struct slot *);

/* Sees to it that the slot answers while it has a turn, and while another slot
 * has trouble that all may have. */
void control_watch(struct slot *);
void control_end(struct slot *);

/* What it did not do before it is proven clean again, it does later. */
void control_prove(struct slot *);

/* An order to cli-bridge-slot: see slot_orders.def. */
void control_order(struct slot *, const char *order, ...) printf_like(2);
