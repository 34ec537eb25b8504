#pragma once
/*
 * deadline - how long a conversation may be in its state
 *
 * A conversation has one clock, which is set to the deadline of the state that
 * it has entered: the start (start_ms), silence in a turn (timeout_ms), the
 * stop of a turn (cancel_ms), idleness (idle_ms), results of the caller's tools
 * (tool_wait_ms).  A sign of life begins the
 * deadline of the start or of the silence anew.  ON_TIME follows when it has
 * passed.
 *
 * What the CLI does by itself - commands in the background, and turns for which
 * nobody has asked - keeps a conversation, but no longer than background_ms
 * after the last turn of a client's.
 */
#include "workers/cli/conversation.h"

/* One that was ready before it was taken has no start to wait for. */
void deadline_of_start(struct conversation *);

/* It does not run while the CLI is not read for the sake of a slow client.  A
 * turn of the CLI's own is limited as a whole, too. */
void deadline_of_silence(struct conversation *);
void deadline_of_stop(struct conversation *);
void deadline_of_idleness(struct conversation *);
void deadline_of_parking(struct conversation *);
void deadline_of_spare(struct conversation *);
void deadline_clear(struct conversation *);

/* Whether it has worked by itself for as long as it may. */
bool deadline_of_own_work_is_over(const struct conversation *);

/* What has not come in time. */
void deadline_explain_start(const struct conversation *, struct error *);
void deadline_explain_silence(const struct conversation *, struct error *);
void deadline_explain_own_work(const struct conversation *, struct error *);
