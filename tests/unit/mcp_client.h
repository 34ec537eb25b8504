#pragma once
/*
 * mcp_client - a client of the MCP server, for unit tests: one connection at a
 * time, which asks one thing, and what has been heard on it so far
 */
#include "unit.h"

#include "proto/buf.h"
#include "proto/loop.h"
#include "waits.h"

struct mcp_client {
	struct loop *loop;
	int fd; /* -1: none */
	struct watch watch;
	struct buf heard;
	bool is_over; /* by the server */
};

void mcp_init(struct mcp_client *, struct loop *);
void mcp_fini(struct mcp_client *);

/* Of the address "http://127.0.0.1:PORT/PATH", or of another path there; NULL:
 * the headers that a CLI sends. */
void mcp_asks(struct mcp_client *, const char *method, const char *url,
	      const char *path, const char *headers, struct str body);
void mcp_posts(struct mcp_client *, const char *url, const char *body);
void mcp_hangs_up(struct mcp_client *);

bool mcp_has_heard(struct mcp_client *, const char *words);

/* Waits for that. */
void mcp_hears(struct mcp_client *, const char *words);
