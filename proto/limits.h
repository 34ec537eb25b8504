#pragma once
/*
 * limits - every maximum in one place
 *
 * A name from this list bounds everything that a user or a peer can make grow.
 * If an operator may want another value, the limit is a setting (settings.def),
 * and the names here are the ends of its range.
 */
#define MAX_ERROR_TEXT 512 /* bytes, with the final NUL */
#define MAX_NAME 64	   /* of a worker, a harness, a provider */
#define MAX_ID 256	   /* the ids of sessions, which callers may choose */
#define MAX_MODEL 512	   /* what follows "<harness>/" */
#define MAX_PATH 4096
#define MAX_URL 2048
#define MAX_DETAIL 2048		   /* a text for people, in a reply */
#define MAX_HEADERS (64u << 10)	   /* of an upstream's response, as JSON */
#define MAX_BODY (64u << 20)	   /* one HTTP request */
#define MAX_BODIES (16ull << 30)   /* all HTTP requests together */
#define MAX_BODY_DEPTH 512	   /* levels of nested JSON in a body */
#define MAX_BODY_VALUES (1u << 20) /* JSON values in it, 100+ bytes each */
#define MAX_BODY_FIELD (64u << 10) /* JSON of one that the gateway reads */
#define MAX_ANSWER (256u << 20)	   /* one answer that is not streamed */
#define MAX_LINE (160u << 20) /* one line of a CLI: a 64 MiB text, escaped */
#define MAX_DELTA (64u << 10) /* one piece of an answer */
#define MAX_SERVICE_EVENT (32u << 20)	  /* one event of a service's stream */
#define MAX_TOKENS (1ull << 40)		  /* of one turn */
#define MAX_COST_NANODOLLARS (1ull << 50) /* of one turn */
#define EVENT_COST 512 /* bytes of credit for an event, besides its text */
#define MAX_MEANWHILE MAX_DELTA /* of what a CLI says between its turns */
#define MAX_LIST (8u << 20)	/* one list, as JSON: sessions, models */
#define MAX_STDERR (8u << 10)	/* the end of a CLI's standard error */
#define MAX_BATCH (128u << 10)	/* bytes of events in one NNG message */
#define MAX_MAIL 128		/* messages received, and not yet handled */
#define MAX_PIPES 16		/* connections of one NNG socket */
#define MAX_FIELDS 20		/* of one message */
#define MAX_WIRE (MAX_BODY + (1u << 20)) /* one message between processes */
#define MAX_WINDOW (1u << 20) /* bytes a worker may be ahead of a client */
#define MAX_BACKLOG \
	(16u << 20) /* the same, where the CLI can't be made to wait */
#define MAX_CONVERSATIONS 512	    /* conversations of one CLI process */
#define MAX_SESSION_CONVERSATIONS 8 /* of one session; the oldest go */
#define MAX_CHECKPOINTS 1000	    /* of one conversation; the oldest go */
#define MAX_RECENT_SESSIONS 64	  /* of which a worker keeps a copy in memory */
#define MAX_UNSAVED_SESSIONS 1000 /* in memory while the disk is full */
#define MAX_UNSAVED_BYTES (64u << 20) /* the same */
#define MAX_UNKNOWN 64	      /* kinds of a CLI's lines that we don't know */
#define MAX_UNSENT (8u << 20) /* bytes of a stream for a slow client */
#define MAX_HEAD (16u << 10)  /* of an HTTP request */
#define MAX_TURNS 8192	      /* turns in the gateway at once */
#define MAX_ENVIRONMENT (2u << 20)   /* bytes, of a process: as on Linux */
#define MAX_SERVERS 32		     /* MCP servers of one conversation */
#define MAX_SERVERS_BYTES (1u << 20) /* of them, as JSON */
#define MAX_TOOLS 1000		     /* of the caller, in one request */
#define MAX_SERVER_NAME 32	     /* of an MCP server */
#define MAX_PROFILE (1u << 20)	     /* bytes of one agent_profile, as JSON */
#define MAX_PROFILE_FILES 256	     /* skills, agents, commands and files */
#define MAX_PROFILE_NAME 128	     /* of one of them, and of a profile's id */
#define MAX_PROFILE_PATH 512	     /* of a file in a profile's directory */
#define MAX_PROFILES 256	     /* in the catalogue */
#define MAX_FILE (32u << 20)	     /* bytes of one file in a message */
#define MAX_FILES (48u << 20)	     /* of all local files of one request */
#define MAX_FILE_NAME 1024	     /* bytes, as a caller calls it */
#define MAX_ATTACHMENTS 500	     /* images and files of one request */
#define MAX_SLOTS 64		     /* containers of one worker */
#define MAX_SLOT_SESSIONS (1u << 16) /* sessions that keep their container */
#define MAX_CHILDREN 32		     /* of the supervisor */
#define MAX_PREFIXES 128	     /* model prefixes that lead to a worker */
#define MAX_CONNECTIONS 8192	     /* of HTTP clients */
#define MAX_SEEN_TURNS 4096	     /* turn ids that a worker remembers */
#define MAX_STORY                                                         \
	(4u << 20)	 /* of a turn's answer, for requests that join it \
			  */
#define MAX_LISTENERS 16 /* requests that are answered by one turn */
#define MAX_PASTS 1024	 /* ended turns that a worker can repeat... */
#define MAX_STORIES (32u << 20) /* ...and bytes of all their answers */
#define MAX_OUTBOXES                                                           \
	(64u << 20) /* bytes of answers that wait in a worker for all its      \
		     * slow clients; beyond that it tells no answer again, nor \
		     * waits as long for who shares one */
