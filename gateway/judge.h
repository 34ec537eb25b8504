#pragma once
/*
 * judge - whether a request may come in, by its head
 *
 * It looks at where the request comes from (Host, Origin), at its key, its
 * path, its method and the type of its body.  The body is read only if all of
 * that is in order.
 */
#include "gateway/http/http.h"

/* For http.judge and http.explain.  A refusal has CORS headers for a web page
 * that may call, even if the request's head could not be read. */
bool judge(struct request *, struct error *);
void judge_explain(struct request *, const struct error *, struct buf *);

/* Is it a preflight, by which a browser asks whether a page may call? */
bool judge_is_preflight(const struct request *);

/* May its client see paths, process ids and the like? */
bool judge_may_see(const struct request *);
