#include "workers/cli/parked.h"

#include "workers/io/json.h"

void
parked_forget(struct conversation *c)
{
	if (!c->parked)
		return;
	continuation_fini(c->parked);
	free(c->parked);
	c->parked = NULL;
}

void
parked_keep(const struct job *job, struct conversation *c)
{
	parked_forget(c);
	c->parked = xcalloc(1, sizeof *c->parked);
	continuation_copy(c->parked, &job->on);
	session_rename(&c->parked->session, c->cli_id);
}

static bool
has_call(const json_t *calls, const char *id)
{
	const json_t *call;
	size_t i;

	json_array_foreach (calls, i, call)
		if (!strcmp(json_text(call, "id"), id))
			return true;
	return false;
}

static struct conversation *
conversation_of(struct pool *p, const char *id)
{
	list_each (&p->conversations, n) {
		struct conversation *c =
			container_of(n, struct conversation, node);

		if (c->state == CONVERSATION_PARKED && !c->turn &&
		    has_call(c->calls, id))
			return c;
	}
	return NULL;
}

static bool
was_brought(const struct turn *t, const char *id)
{
	list_each (&t->worker->running, n) {
		const struct turn *other = container_of(n, struct turn, node);

		if (other != t && other->work &&
		    has_call(job_of(other)->given, id))
			return true;
	}
	return false;
}

static bool
check_none_was_brought(const struct turn *t, const json_t *results,
		       struct error *e)
{
	const json_t *result;
	size_t i;

	json_array_foreach (results, i, result)
		if (was_brought(t, json_text(result, "id")))
			return fail_about(e, ERR_ALREADY_RUN,
					  "messages: the result of the call "
					  "%.100s has come with another "
					  "request, which is being answered",
					  json_text(result, "id"));
	return true;
}

static json_t *
told_content(const struct prompt *p, size_t message)
{
	return json_object_get(json_array_get(prompt_told(p), message),
			       "content");
}

/* Results behind the last answer: of calls in the messages, and of calls that
 * the caller has sent the results of alone.  Files are in the place of their
 * paths once they were read. */
static json_t *
results_of(const struct prompt *p)
{
	json_t *all = json_array();
	size_t i, k;
	json_t *part;

	for (i = prompt_unanswered(p);
	     i < json_array_size(p->messages) && i < p->ours; i++)
		json_array_foreach (told_content(p, i), k, part)
			if (json_is_string(json_object_get(part, "id")))
				json_array_append(all, part);
	json_array_extend(all, p->told_strays ? p->told_strays : p->strays);
	return all;
}

bool
parked_is_answered_by(const struct prompt *p)
{
	json_t *results = results_of(p);
	bool has_some = json_array_size(results) > 0;

	json_decref(results);
	return has_some;
}

static bool
has_result(const json_t *results, const char *id)
{
	const json_t *result;
	size_t i;

	json_array_foreach (results, i, result)
		if (!strcmp(json_text(result, "id"), id))
			return true;
	return false;
}

/* The vendor wants all of them at once. */
static bool
check_all_are_there(const struct conversation *c, const json_t *results,
		    struct error *e)
{
	const json_t *call;
	size_t i;

	json_array_foreach (c->calls, i, call)
		if (!has_result(results, json_text(call, "id")))
			return fail_about(e, ERR_INVALID,
					  "messages: the result of the call "
					  "%s is missing: the results of all "
					  "calls of an answer are sent "
					  "together",
					  json_text(call, "id"));
	return true;
}

static bool
fail_foreign(const char *id, const char *what, struct error *e)
{
	return fail_about(e, ERR_INVALID, "messages: the call %.100s %s", id,
			  what);
}

static bool
is_its_session(const struct turn *t, const struct conversation *c)
{
	return !t->session || (c->session && !strcmp(c->session, t->session));
}

static bool
check(const struct turn *t, const struct conversation *c, const json_t *results,
      struct error *e)
{
	const json_t *result;
	size_t i;

	json_array_foreach (results, i, result) {
		const char *id = json_text(result, "id");

		if (!has_call(c->calls, id))
			return fail_foreign(id,
					    "was not made by the answer whose "
					    "other calls these messages have "
					    "results of",
					    e);
		if (!is_its_session(t, c))
			return fail_foreign(id, "was made in another session",
					    e);
	}
	return check_all_are_there(c, results, e);
}

bool
parked_find(const struct turn *t, struct conversation **c, struct error *e)
{
	const struct prompt *p = &job_of(t)->prompt;
	json_t *results = results_of(p);
	const json_t *result, *stray = json_array_get(p->strays, 0);
	bool ok = true;
	size_t i;

	*c = NULL;
	json_array_foreach (results, i, result)
		if (!*c)
			*c = conversation_of(&self_of(t)->pool,
					     json_text(result, "id"));
	if (*c)
		ok = check(t, *c, results, e);
	else if (!check_none_was_brought(t, results, e))
		ok = false;
	else if (stray && job_of(t)->options.tools)
		ok = fail_foreign(json_text(stray, "id"),
				  "is not in them, and nobody waits for its "
				  "result: send the message with the call, "
				  "too",
				  e);
	json_decref(results);
	return ok;
}

json_t *
parked_results(const struct conversation *c, const struct prompt *p)
{
	json_t *given = results_of(p), *all = json_array();
	const json_t *call, *result;
	size_t i, k;

	json_array_foreach (c->calls, i, call)
		json_array_foreach (given, k, result) {
			json_t *its;

			if (strcmp(json_text(result, "id"),
				   json_text(call, "id")) != 0)
				continue;
			its = json_copy((json_t *)result);
			json_object_set(its, "id",
					json_object_get(call, "cli"));
			json_array_append_new(all, its);
			break;
		}
	json_decref(given);
	return all;
}
