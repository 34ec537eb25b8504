#pragma once
/*
 * slot_gate - does a connection begin as a request to a proxy?
 *
 * The proxy of a pool's containers decides by the address in the first line of
 * a request: "CONNECT host:port", or "GET http://host:port/path".  It also
 * takes requests that are meant for a server, and goes where their Host header
 * says; what that header may contain can deceive its filter.  So these do not
 * get to it.  It looks at one request of each connection only.
 */
#include "proto/str.h"

enum { MAX_GATE_BYTES = 8 << 10 /* of the line */ };

enum gate_answer {
	GATE_UNDECIDED, /* until there are more bytes */
	GATE_PASSES,
	GATE_REFUSES,
};

/* Of the first bytes of a connection. */
enum gate_answer gate_look(struct str);
