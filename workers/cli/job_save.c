/* What is kept of a turn in its session's row. */
#include "workers/cli/job.h"

void
job_save(struct turn *t, const struct conversation *c)
{
	struct job *job = job_of(t);
	struct session *s = &job->on.session;
	bool unsaved;

	session_rename(s, c->cli_id); /* the CLI may have chosen another */
	checkpoint_fini(&s->newest);
	s->newest = (struct checkpoint){
		.number = job->on.at.number + 1,
		.asked = job->asked,
		.answer = c->answer == ANSWER_EMPTY ? 0 : c->answer,
		.position = copy(str_of(c->position)),
	};
	if (self_of(t)->pool.harness->keeps_effort &&
	    job->options.effort != EFFORT_USUAL)
		s->terms.options = options_keep_effort(s->terms.options);
	s->turns++;
	s->last_used_at = unix_ms();
	sessions_save(&self_of(t)->sessions, s, &s->newest, &unsaved);
}

/*
 * A CLI that keeps the effort with its conversation does so as soon as it is
 * told, and may be killed before the turn has ended.  The rest of the row stays
 * as it was.
 */
void
job_keep_effort(struct turn *t)
{
	const struct job *job = job_of(t);
	struct sessions *sessions = &self_of(t)->sessions;
	struct session *list;
	struct error e = { 0 };
	bool unsaved;
	size_t n;

	if (!self_of(t)->pool.harness->keeps_effort || !job->on.is_known ||
	    job->options.effort == EFFORT_USUAL || job->options.kept_effort ||
	    !sessions_find(sessions, t->session, &list, &n, &e))
		return;
	for (size_t i = 0; i < n; i++) {
		if (list[i].number != job->on.session.number)
			continue;
		list[i].terms.options =
			options_keep_effort(list[i].terms.options);
		sessions_save(sessions, &list[i], NULL, &unsaved);
	}
	sessions_free(list, n);
}
