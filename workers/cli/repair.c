/*
 * A turn whose answer is to be JSON: what the CLI is asked, and that it is
 * asked again if its answer does not fit.  See structured.h.
 *
 * It is asked again in the same conversation.  If the process of that ends with
 * the turn, the conversation is resumed in another one; one that is not kept
 * cannot be, so another conversation is begun behind all that was said.
 */
#include "workers/cli/job.h"

#include "workers/cli/structured.h"

bool
job_wants_json(const struct job *job)
{
	return job->options.format != FORMAT_TEXT;
}

static bool
is_told_by_harness(const struct job *job)
{
	const struct harness *h = self_of(job->turn)->pool.harness;

	return h->takes_format && h->takes_format(&job->options);
}

const json_t *
job_messages(struct job *job, size_t *from)
{
	struct repair *r = &job->repair;

	r->is_due = false;
	if (r->again) {
		*from = json_array_size(r->again) - 1;
		return r->again;
	}
	*from = job->on.from;
	if (!job_wants_json(job) || is_told_by_harness(job))
		return prompt_told(&job->prompt);
	if (!r->question)
		r->question = structured_ask(prompt_told(&job->prompt),
					     &job->options);
	return r->question;
}

/* What was used by both tries is what the turn has used. */
static void
count_usage(struct repair *r, struct outcome *o)
{
	struct usage before = r->usage;

	if (o->usage && r->answer)
		r->usage = usage_of_both(&before, o->usage);
	else if (o->usage)
		r->usage = *o->usage;
	else
		r->usage = (struct usage){ 0 };
	o->usage = &r->usage;
}

/* A text that ends in the middle would end there again. */
static bool
may_ask_again(const struct repair *r, const struct outcome *o)
{
	return !r->answer && o->reason == FINISH_STOP;
}

static void
prepare_again(struct job *job, struct str answer)
{
	struct repair *r = &job->repair;

	r->answer = json_pack("{s:s, s:[{s:s, s:o}]}", "role", "assistant",
			      "content", "type", "text", "text",
			      json_stringn(answer.len ? answer.ptr : "-",
					   answer.len ? answer.len : 1));
	r->again =
		json_pack("[o]", structured_ask_again(&job->options, &r->why,
						      is_told_by_harness(job)));
	r->is_due = true;
}

static void
explain(const struct job *job, const struct outcome *o, struct error *e)
{
	struct error why = *e;

	if (o->reason == FINISH_STOP)
		fail_with(e, ERR_INVALID_OUTPUT,
			  "%s: the answer does not have the form that "
			  "response_format asks for, and was asked for twice: "
			  "%s",
			  job->turn->worker->name, why.text);
	else
		fail_with(e, ERR_INVALID_OUTPUT,
			  "%s: the answer ended early (%s), and does not have "
			  "the form that response_format asks for: %s",
			  job->turn->worker->name,
			  finish_reason_chat(o->reason), why.text);
}

/*
 * The CLI has ended the turn well.  What it has said is told, if it fits.  True
 * if the turn is to go on instead, with what job_messages() has then; if it is
 * to fail, the outcome says so.
 */
bool
job_asks_again(struct conversation *c, struct outcome *o)
{
	struct job *job = job_of(c->turn);
	struct repair *r = &job->repair;
	struct str answer = buf_str(&c->held), json;

	if (!job_wants_json(job))
		return false;
	count_usage(r, o);
	r->why = (struct error){ 0 };
	if (structured_find(answer, &job->options, &json, &r->why)) {
		c->answer = answer_add(ANSWER_EMPTY, json);
		turn_text(c->turn, json);
		return false;
	}
	if (may_ask_again(r, o)) {
		prepare_again(job, answer);
		return true;
	}
	explain(job, o, &r->why);
	o->error = &r->why;
	return false;
}

/* Everything that was said, and what asks again behind it.  There may be files
 * among it now that the question was asked without. */
static void
tell_all(struct job *job)
{
	struct repair *r = &job->repair;
	size_t last = json_array_size(r->again) - 1;
	json_t *again = json_incref(json_array_get(r->again, last));
	const json_t *told = prompt_told(&job->prompt);
	json_t *all = r->question ? structured_ask(told, &job->options)
				  : json_copy((json_t *)told);

	json_array_append(all, r->answer);
	json_decref(job->history);
	job->history = json_copy(all);
	json_array_append_new(all, again);
	json_decref(r->again);
	r->again = all;
}

void
job_resume_repair(struct job *job, const struct conversation *c)
{
	json_decref(job->history);
	job->history = NULL;
	job->repair.is_due = false;
	if (!c->kept || self_of(job->turn)->pool.harness->forgets) {
		job_repair_anew(job);
		return;
	}
	session_rename(&job->on.session, c->cli_id);
	job->on.is_known = job->same_system = job->at_end = true;
	job->on.is_rewound = false;
}

void
job_repair_anew(struct job *job)
{
	job->at_end = false;
	continuation_renew(&job->on, job->on.reason);
	tell_all(job);
}

void
repair_fini(struct repair *r)
{
	json_decref(r->question);
	json_decref(r->answer);
	json_decref(r->again);
}
