#pragma once
/* routes - which handler is asked for, by method and path */
#include "proto/error.h"
#include "proto/str.h"

struct gateway;
struct request;

enum key { OPEN, NEEDS_KEY };
enum body { NO_BODY, JSON_BODY };

/* Answers, at once or later. */
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
 * HEAD is found as GET.  ERR_NOT_FOUND or ERR_METHOD; with the latter *allow
 * is the methods there are, good until the next call.
 */
must_check bool routes_find(struct str method, struct str path,
			    const struct route **, const char **allow,
			    struct error *);

/*
 * What stands in `path` behind that of the route, without its escapes; to be
 * freed.  Paths are taken as they were sent: a %2F is no slash of theirs.
 */
must_check bool route_tail(const struct route *, struct str path, char **tail,
			   struct error *);

/* For people: the next route's "POST /v1/embeddings"; NULL after the last. */
const char *routes_list(size_t n);
