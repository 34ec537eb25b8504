#pragma once
/*
 * end_limit - a limit for how long the end of a process may take
 *
 * nng_close() waits for NNG's threads.  proto/stream keeps these from waiting
 * for ever, but on a busy machine they may be slow, and no process should need
 * them for its end.  So each of our processes sets this limit before it closes
 * its sockets.  When the limit is set, everything that must be written has been
 * written, and nothing is lost with the rest.
 *
 * It can't fail.  It uses SIGALRM and the timer ITIMER_REAL; what standard
 * output still holds is not written.
 */

/* From the limit to the end of the process: less than END_MS, after which the
 * supervisor kills a process. */
enum { END_LIMIT_MS = 1000 };

/* In `ms` milliseconds the process ends with the exit code `code`, whatever its
 * threads wait for. */
void end_limit_set(unsigned ms, int code);

/* The sockets are closed: what follows, as the check for leaks of a sanitizer,
 * may take longer. */
void end_limit_unset(void);
