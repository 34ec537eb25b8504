#pragma once
/*
 * stream - each of NNG's reads and writes comes to an end, and says why
 *
 * NNG 1.5.2 can lose one.  If it closes a connection just when the length of a
 * message has arrived and it goes on to ask for the message itself, or just
 * when a part of a message has been written and the rest is to follow, then
 * nng_stream_recv() or nng_stream_send() refuses this next step and tells
 * nobody.  The protocol's own operation then never ends, and NNG's one thread
 * that removes connections waits for it, for ever: from then on this process
 * notices the end of no connection, leaks the descriptor of each, and every
 * nng_close() waits for ever.  It happens when a socket is closed, but also
 * without us, when a peer dies in the middle of a message.
 *
 * So our programs have functions of these two names, which NNG's library calls
 * instead of its own, as the dynamic linker prefers the program's.  They call
 * NNG's and, if the step was refused, end the operation with NNG_ECLOSED: the
 * next thing that NNG does then is what it always does with a closed
 * connection.
 *
 * And it can take a peer's end for its own.  A listener that greets a
 * connection whose other side has been closed already, and a dialer that does,
 * gets EPIPE from sendmsg().  NNG makes that NNG_ECLOSED, by which it also
 * tells that the socket itself is being closed: so the listener never accepts
 * another connection, and the dialer never dials again.  A command that is
 * ended just after it has connected is enough.
 *
 * So there is a function of that name, too.  A sendmsg() that is called from
 * within nng_stream_send() gives ECONNRESET for EPIPE, after which NNG goes on.
 *
 * It works only if the library was not linked with -Bsymbolic, as it is not in
 * Debian.
 */
#include <stdbool.h>

/*
 * Does NNG call our functions?  Known as soon as there has been a connection;
 * false before.
 */
bool stream_is_guarded(void);
