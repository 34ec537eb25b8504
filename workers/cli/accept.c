/*
 * What is done with a request before its turn starts: it is read, and it is
 * decided where in its session it goes on, and under which terms.
 */
#include "workers/cli/job.h"

#include <stdio.h>

#include "proto/variables.h"
#include "workers/executor/cwd.h"

static bool
harness_can(const struct turn *t, enum capability capability)
{
	return self_of(t)->pool.harness->can & capability;
}

static void
set_text(char **to, const char *text, size_t len)
{
	char *text_copy = copy((struct str){ text, len });

	free(*to);
	*to = text_copy;
}

static void
set_term(char **to, const char *text)
{
	set_text(to, text, text ? strlen(text) : 0);
}

/* A directory that neither the caller nor the session has named is one of the
 * operator's settings. */
bool
job_check_cwd(const struct turn *t, bool is_named, struct error *e)
{
	const struct job *job = job_of(t);
	struct executor *x = t->worker->self->pool.executor;
	auto_free char *variable = NULL;
	struct error why = { 0 };

	if (x->check_cwd(x, job->on.session.terms.cwd, &why))
		return true;
	*e = why;
	if (is_named)
		return false;
	variable = settings_variable("", t->worker->name, "CWD");
	return fail_with(e, ERR_NOT_SET_UP,
			 "%s names a directory that is of "
			 "no use: %s",
			 variable, why.text);
}

static bool
may_change_cwd(const struct turn *t, struct error *e)
{
	const struct terms *terms = &job_of(t)->on.session.terms;

	if (!job_of(t)->on.is_known || !t->cwd || !terms->cwd ||
	    !strcmp(t->cwd, terms->cwd) || harness_can(t, CAN_CWD))
		return true;
	return fail_about(e, ERR_CONFLICT,
			  "cwd: the session works in %s, and %s %s: leave cwd "
			  "out, or use another session_id",
			  terms->cwd, t->worker->name,
			  capability_refusal(CAN_CWD));
}

/*
 * What the request leaves out is as before.  The conversation was told its
 * system prompt before if it is the one that its row has.
 */
static bool
settle_terms(struct turn *t, struct error *e)
{
	struct job *job = job_of(t);
	struct terms *terms = &job->on.session.terms;
	const struct prompt *p = &job->prompt;
	bool is_named = t->cwd || terms->cwd;

	if (!may_change_cwd(t, e))
		return false;
	job->same_system =
		!p->system ||
		(terms->system &&
		 str_eq((struct str){ p->system, p->system_len },
			(struct str){ terms->system, terms->system_len }));
	if (p->system) {
		set_text(&terms->system, p->system, p->system_len);
		terms->system_len = p->system_len;
	}
	if (t->cwd)
		set_term(&terms->cwd, t->cwd);
	else if (!terms->cwd)
		set_term(&terms->cwd, self_of(t)->pool.workspace);
	if (t->model)
		set_term(&terms->model, t->model);
	return job_check_cwd(t, is_named, e);
}

enum { MAX_LIVE = 64 /* conversations of one session at once */ };

static size_t
find_live(const struct turn *t, const struct list *turns,
	  struct live_conversation *to, size_t n)
{
	list_each (turns, node) {
		const struct turn *other =
			container_of(node, struct turn, node);

		if (other == t || !other->session || !other->lane ||
		    n == MAX_LIVE || strcmp(other->session, t->session) != 0)
			continue;
		to[n++] = (struct live_conversation){ other->lane,
						      other->system };
	}
	return n;
}

/* Where the turn goes on, and under which terms. */
bool
job_decide(struct turn *t, struct error *e)
{
	struct job *job = job_of(t);
	struct live_conversation live[MAX_LIVE];
	struct continuation_query query = {
		.sessions = &self_of(t)->sessions,
		.session = t->session,
		.prompt = &job->prompt,
		.can_rewind = harness_can(t, CAN_REWIND),
		.number = t->lane,
		.live = live,
	};

	if (t->session) {
		query.live_count = find_live(t, &t->worker->running, live, 0);
		query.live_count = find_live(t, &t->worker->waiting, live,
					     query.live_count);
	}
	if (!continuation_find(&job->on, &query, e) || !settle_terms(t, e))
		return false;
	t->lane = job->on.session.number;
	t->system = system_hash(job->on.session.terms.system,
				job->on.session.terms.system_len);
	return true;
}

const char *
job_how(const struct job *job)
{
	if (job->on.is_rewound)
		return "rewound";
	if (job->on.is_known)
		return "resumed";
	return prompt_unanswered(&job->prompt) > 0 ? "replayed" : "new";
}

bool
job_accept(struct turn *t, struct acceptance *a, struct error *e)
{
	struct job *job = t->work = xcalloc(1, sizeof *job);

	job->turn = t;
	if (!health_is_set_up(&self_of(t)->health, e))
		return false;
	if (!self_of(t)->pool.program)
		pool_find_program(&self_of(t)->pool);
	if (!self_of(t)->pool.program)
		return pool_fail_missing(&self_of(t)->pool, e);
	if (!prompt_read(&job->prompt, t->body,
			 &(struct recipient){ t->worker->name,
					      self_of(t)->pool.harness->can },
			 e))
		return false;
	if (!job_decide(t, e))
		return false;
	snprintf(a->ignored, sizeof a->ignored, "%s",
		 job->prompt.ignored ? job->prompt.ignored : "");
	if (!t->session)
		return true;
	a->session = t->session;
	a->how = job_how(job);
	a->reason = job->on.reason;
	return true;
}
