/*
 * role - the handlers and senders of one actor, made of messages.def
 *
 *     #define ACTOR worker
 *     #define ROLE  WORKER
 *     #include "proto/role.h"
 *
 * For every request and event that a WORKER must hear, this declares
 *
 *     static void worker_on_<message>(struct worker *,
 *                                     const struct msg_<message> *);
 *
 * and it defines worker_hear(), which calls the handler of a message.  The
 * handler of a request must reply before it returns.  For every message that a
 * WORKER may send, this defines one of
 *
 *     ask_<request>(struct client *, const struct msg_<request> *,
 *                   struct ask *, uint64_t ms, answer_fn *)
 *     tell_<request>(struct client *, const struct msg_<request> *)
 *     reply_<reply>(struct server *, const struct msg_<reply> *)
 *     send_<event>(struct outlet *, const struct msg_<event> *)
 *
 * So the compiler names the handler that is missing after a message was added,
 * and an actor can't send a message of another role.
 */
#include "proto/link.h"

#include <stdlib.h>

/* clang-format off */

/* IF_<role>_IN_<who>(x) is x if the role belongs to `who`, else nothing. */
#define IF_SUPERVISOR_IN_SUPERVISOR(...) __VA_ARGS__
#define IF_SUPERVISOR_IN_GATEWAY(...)
#define IF_SUPERVISOR_IN_WORKER(...)
#define IF_SUPERVISOR_IN_CHILD(...)
#define IF_SUPERVISOR_IN_VISITOR(...)
#define IF_SUPERVISOR_IN_ANYBODY(...)    __VA_ARGS__
#define IF_GATEWAY_IN_SUPERVISOR(...)
#define IF_GATEWAY_IN_GATEWAY(...)       __VA_ARGS__
#define IF_GATEWAY_IN_WORKER(...)
#define IF_GATEWAY_IN_CHILD(...)         __VA_ARGS__
#define IF_GATEWAY_IN_VISITOR(...)       __VA_ARGS__
#define IF_GATEWAY_IN_ANYBODY(...)       __VA_ARGS__
#define IF_WORKER_IN_SUPERVISOR(...)
#define IF_WORKER_IN_GATEWAY(...)
#define IF_WORKER_IN_WORKER(...)         __VA_ARGS__
#define IF_WORKER_IN_CHILD(...)          __VA_ARGS__
#define IF_WORKER_IN_VISITOR(...)
#define IF_WORKER_IN_ANYBODY(...)        __VA_ARGS__
#define IF_COMMAND_IN_SUPERVISOR(...)
#define IF_COMMAND_IN_GATEWAY(...)
#define IF_COMMAND_IN_WORKER(...)
#define IF_COMMAND_IN_CHILD(...)
#define IF_COMMAND_IN_VISITOR(...)       __VA_ARGS__
#define IF_COMMAND_IN_ANYBODY(...)       __VA_ARGS__

#define IF_IN(role, who, ...)  IF_IN_(role, who, __VA_ARGS__)
#define IF_IN_(role, who, ...) IF_##role##_IN_##who(__VA_ARGS__)
#define OF(actor, name)        OF_(actor, name)
#define OF_(actor, name)       actor##_##name

#define REPLY(NAME, name, from, to)
#define MESSAGE(NAME, name, from, to)                                       \
	IF_IN(ROLE, to,                                                     \
	      static void OF(ACTOR, on_##name)(struct ACTOR *,              \
					       const struct msg_##name *);)
#include "proto/messages.def"

static inline void
OF(ACTOR, hear)(struct ACTOR *actor, const struct msg *m)
{
	switch ((int)m->type) {
#define REPLY(NAME, name, from, to)
#define MESSAGE(NAME, name, from, to)                                       \
	IF_IN(ROLE, to,                                                     \
	      case MSG_##NAME:                                              \
	              OF(ACTOR, on_##name)(actor, &m->body.name);           \
	              break;)
#include "proto/messages.def"
	default:
		abort(); /* link.c or pipeline.c has checked the type */
	}
}

#define REPLY(NAME, name, from, to)                                         \
	IF_IN(ROLE, from,                                                   \
	      static inline void                                            \
	      reply_##name(struct server *s, const struct msg_##name *m)    \
	      {                                                             \
	              server_reply(s, MSG_##NAME, m);                       \
	      })
#define EVENT(NAME, name, from, to)                                         \
	IF_IN(ROLE, from,                                                   \
	      static inline void                                            \
	      send_##name(struct outlet *o, const struct msg_##name *m)     \
	      {                                                             \
	              outlet_send(o, MSG_##NAME, m);                        \
	      })
#define REQUEST(NAME, name, from, to)                                       \
	IF_IN(ROLE, from,                                                   \
	      static inline void                                            \
	      ask_##name(struct client *c, const struct msg_##name *m,      \
	                 struct ask *a, uint64_t ms, answer_fn *answered)   \
	      {                                                             \
	              client_ask(c, MSG_##NAME, m, a, ms, answered);        \
	      }                                                             \
	      static inline void                                            \
	      tell_##name(struct client *c, const struct msg_##name *m)     \
	      {                                                             \
	              client_ask(c, MSG_##NAME, m, NULL, 0, NULL);          \
	      })
#include "proto/messages.def"
/* clang-format on */
