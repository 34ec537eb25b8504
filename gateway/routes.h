#pragma once
/* routes - finds the handler for a method and a path (routes.def) */
#include "proto/error.h"
#include "proto/str.h"

struct gateway;
struct request;

enum key { OPEN, NEEDS_KEY };
enum body { NO_BODY, JSON_BODY };

/* Answers the request, at once or later. */
typedef void handler_fn(struct gateway *, struct request *);

struct route {
	const char *method, *path;
	handler_fn *handler;
	enum key key;
	enum body body;
};

#define ROUTE(METHOD, path, handler, key, body) handler_fn handle_##handler;
#include "gateway/routes.def"

/*
 * HEAD is found as GET.  Fails with ERR_NOT_FOUND, or with ERR_METHOD and the
 * allowed methods in *allow, good until the next call.
 */
must_check bool routes_find(struct str method, struct str path,
			    const struct route **, const char **allow,
			    struct error *);

/*
 * The part of `path` behind the route's own path, with its escapes decoded; the
 * caller frees it.  A %2F in it is no slash of the path.
 */
must_check bool route_tail(const struct route *, struct str path, char **tail,
			   struct error *);

/* For people: the next route's "POST /v1/embeddings"; NULL after the last. */
const char *routes_list(size_t n);
