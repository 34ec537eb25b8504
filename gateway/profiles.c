/* profiles - GET /profiles and GET /profiles/{id}: the operator's catalogue */
#include "workers/options/profiles.h"

#include "gateway/gateway.h"
#include "gateway/reply.h"
#include "proto/log.h"
#include "workers/io/json.h"

/* A file that is no profile is told to the caller as well: whoever misses it
 * in the list is the one who wants to know. */
void
handle_list_profiles(struct gateway *g, struct request *r)
{
	json_t *faults = json_array(), *fault;
	json_t *rows = profiles_list(faults);
	size_t i;

	json_array_foreach (faults, i, fault)
		log_warn("profile %s: %s", json_text(fault, "file"),
			 json_text(fault, "error"));
	reply_json(r, 200,
		   json_pack("{s:s, s:o, s:b, s:o}", "object", "list", "data",
			     rows, "has_more", 0, "errors", faults));
}

void
handle_show_profile(struct gateway *g, struct request *r)
{
	struct error e = { 0 };
	char *id auto_free = NULL;
	json_t *profile = NULL;

	if (route_tail(r->route, str_of(r->path), &id, &e))
		profile = profiles_show(id, &e);
	if (profile)
		reply_json(
			r, 200,
			json_pack("{s:s, s:o}", "id", id, "profile", profile));
	else
		reply_error(r, &e, "id");
}
