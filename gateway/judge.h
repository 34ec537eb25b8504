#pragma once
/*
 * judge - whether a request may come in, by its head
 *
 * Where it says it comes from (Host, Origin), whose key it has, what it wants
 * and in which form: the body is read only if all of that is in order.
 */
#include "gateway/http/http.h"

/* For http.judge and http.explain: also an answer to a request whose head was
 * never read whole lets a web page that may call read it. */
bool judge(struct request *, struct error *);
void judge_explain(struct request *, const struct error *, struct buf *);

/* Does it only ask, before it calls from another origin? */
bool judge_is_preflight(const struct request *);

/* May its client see more than whether the bridge works? */
bool judge_may_see(const struct request *);
