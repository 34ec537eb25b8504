#pragma once
/*
 * limits - every maximum in one place
 *
 * Whatever a user or a peer can make grow is bounded by a name from here.
 * What an operator may want otherwise is a setting (settings.def); these are
 * the ends of its range.
 */
#define MAX_ERROR_TEXT 512 /* bytes, with the final NUL */
#define MAX_NAME 64	   /* of a worker, a harness, a provider */
#define MAX_ID 256	   /* session ids, as callers may choose them */
#define MAX_MODEL 512	   /* what stands behind "<harness>/" */
#define MAX_PATH 4096
#define MAX_URL 2048
#define MAX_DETAIL 2048		   /* words for a person, in a reply */
#define MAX_HEADERS (64u << 10)	   /* of an upstream's response, as JSON */
#define MAX_BODY (64u << 20)	   /* one HTTP request */
#define MAX_BODIES (16ull << 30)   /* all HTTP requests that are held */
#define MAX_BODY_DEPTH 512	   /* of nested JSON in it */
#define MAX_BODY_VALUES (1u << 20) /* in it: each costs 100 bytes or more */
#define MAX_ANSWER (256u << 20)	   /* one answer that is not streamed */
#define MAX_LINE (160u << 20)  /* one line of a CLI: a 64 MiB text, escaped */
#define MAX_DELTA (64u << 10)  /* one piece of an answer */
#define EVENT_COST 512	       /* bytes that an event counts beside its text */
#define MAX_LIST (8u << 20)    /* one list, as JSON: sessions, models */
#define MAX_STDERR (8u << 10)  /* what is kept of a CLI's last words */
#define MAX_BATCH (128u << 10) /* bytes of events that travel together */
#define MAX_MAIL 128	       /* messages received, and not yet heard */
#define MAX_PIPES 16	       /* connections at once to one socket of NNG's */
#define MAX_FIELDS 14	       /* of one message */
#define MAX_WIRE (MAX_BODY + (1u << 20)) /* one message between processes */
#define MAX_WINDOW (1u << 20) /* bytes of an answer nobody has read yet */
#define MAX_BACKLOG \
	(16u << 20)    /* the same, where the CLI can't be made to wait */
#define MAX_TALKS 512  /* that a shared CLI process gets in its life */
#define MAX_UNKNOWN 64 /* kinds of what a CLI says that we do not know */
#define MAX_UNSENT (8u << 20)	   /* of a stream, for a client that is slow */
#define MAX_HEAD (16u << 10)	   /* of an HTTP request */
#define MAX_TURNS 8192		   /* at once in the gateway */
#define MAX_ENVIRONMENT (2u << 20) /* bytes, of a process: as Linux */
#define MAX_CHILDREN 32		   /* of the supervisor */
#define MAX_PREFIXES 128	   /* names that lead to a worker */
#define MAX_CONNECTIONS 8192	   /* of HTTP clients */
#define MAX_SEEN_TURNS 4096	   /* ids a worker remembers to refuse */
