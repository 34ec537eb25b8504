#include "proto/stream.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/socket.h>

#include <nng/nng.h>

typedef void step_fn(nng_stream *, nng_aio *);

typedef ssize_t sendmsg_fn(int, const struct msghdr *, int);

static _Atomic(step_fn *) receive, transmit; /* NNG's own; NULL: not known */
static _Atomic(sendmsg_fn *) send_message;   /* libc's */
static _Thread_local bool is_transmitting;

bool
stream_is_guarded(void)
{
	return receive && transmit;
}

/* Two threads that look at the same time find the same. */
static step_fn *
look_up(_Atomic(step_fn *) *known, const char *name)
{
	step_fn *step = *known;

	if (!step)
		*known = step = (step_fn *)dlsym(RTLD_NEXT, name);
	assert(step);
	return step;
}

/*
 * Whoever calls this holds the lock that the operation's callback takes, so the
 * operation can't have gone further than the step.  Nothing else gives it this
 * result: closing gives NNG_ECLOSED, and cancelling waits for the same lock.
 */
static void
end_if_refused(nng_aio *aio)
{
	if (nng_aio_result(aio) == NNG_ECANCELED)
		nng_aio_finish(aio, NNG_ECLOSED);
}

void
nng_stream_recv(nng_stream *s, nng_aio *aio)
{
	look_up(&receive, "nng_stream_recv")(s, aio);
	end_if_refused(aio);
}

void
nng_stream_send(nng_stream *s, nng_aio *aio)
{
	is_transmitting = true;
	look_up(&transmit, "nng_stream_send")(s, aio);
	is_transmitting = false;
	end_if_refused(aio);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	sendmsg_fn *own = send_message;
	ssize_t n;

	if (!own)
		send_message = own = (sendmsg_fn *)dlsym(RTLD_NEXT, "sendmsg");
	assert(own);
	n = own(fd, m, flags);
	if (n < 0 && errno == EPIPE && is_transmitting)
		errno = ECONNRESET;
	return n;
}
