#include "workers/cli/continuation.h"

#include "proto/loop.h"
#include "workers/cli/harness.h"

uint64_t
system_hash(const char *system, size_t len)
{
	uint64_t hash = answer_add(ANSWER_EMPTY, (struct str){ system, len });

	return !system ? 0 : hash ? hash : 1;
}

static void
set_checkpoint(struct checkpoint *to, const struct checkpoint *from)
{
	free(to->position);
	*to = *from;
	to->position = copy(str_of(from->position));
}

/* Takes the row out of the list. */
static void
take_row(struct continuation *c, struct session *row)
{
	session_fini(&c->session);
	c->session = *row;
	memset(row, 0, sizeof *row);
	c->is_known = true;
	if (c->session.unsaved)
		c->reason = "the session's database cannot be written: what "
			    "the session is, is known until the worker ends";
	set_checkpoint(&c->at, &c->session.newest);
}

static struct session *
row_of(struct session *list, size_t n, unsigned number)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].number == number)
			return &list[i];
	return NULL;
}

static void
begin(struct continuation *c, const char *session, unsigned number,
      const char *reason)
{
	session_fini(&c->session);
	c->session.id = copy(str_of(session));
	c->session.number = number;
	c->session.cli_id = new_uuid();
	c->session.created_at = unix_ms();
	c->is_known = false;
	c->reason = reason;
}

void
continuation_retell(struct continuation *c, const char *reason)
{
	free(c->at.position);
	c->at.position = NULL;
	c->is_known = c->is_rewound = false;
	c->reason = reason;
}

void
continuation_renew(struct continuation *c, const char *reason)
{
	free(c->session.cli_id);
	c->session.cli_id = new_uuid();
	checkpoint_fini(&c->session.newest);
	memset(&c->session.newest, 0, sizeof c->session.newest);
	/* The answers before it stay the session's: they are in the messages.
	 */
	free(c->at.position);
	c->at.position = NULL;
	c->is_known = false;
	c->reason = reason;
}

/*
 * The last message that is an answer of the session's: `*found` is its
 * checkpoint.  An answer counts with its question; but some clients change
 * their questions later, so an answer alone counts as well.
 */
static bool
find_answer(const struct continuation_query *q, size_t *message,
	    unsigned *number, struct checkpoint *found)
{
	for (size_t n = prompt_unanswered(q->prompt); n > 0; n--) {
		uint64_t answer = prompt_answer(q->prompt, n - 1);
		uint64_t asked = prompt_asked(q->prompt, n - 1);

		if (!answer)
			continue;
		if (!sessions_find_answer(q->sessions, q->session, asked,
					  answer, number, found) &&
		    !sessions_find_answer(q->sessions, q->session, 0, answer,
					  number, found))
			continue;
		if (!q->number || *number == q->number) {
			*message = n - 1;
			return true;
		}
		checkpoint_fini(found);
	}
	return false;
}

static unsigned
next_number(const struct session *list, size_t n,
	    const struct continuation_query *q)
{
	unsigned last = 0;

	for (size_t i = 0; i < n; i++)
		last = list[i].number > last ? list[i].number : last;
	for (size_t i = 0; i < q->live_count; i++)
		last = q->live[i].number > last ? q->live[i].number : last;
	return last + 1;
}

/* The one that was used last, of those that have tools of the caller's as the
 * request has; NULL: there is none. */
static const struct session *
last_alike(const struct session *list, size_t n,
	   const struct continuation_query *q)
{
	for (size_t i = 0; i < n; i++)
		if (options_had_tools(list[i].terms.options) == q->has_tools)
			return &list[i];
	return NULL;
}

/* The conversation of a request that has no answer of the session's; of one
 * that is not known, *is_beside says whether it is not the first. */
static unsigned
choose_number(const struct session *list, size_t n,
	      const struct continuation_query *q, bool *is_beside)
{
	const struct prompt *p = q->prompt;
	uint64_t system = system_hash(p->system, p->system_len);
	const struct session *alike = last_alike(list, n, q);

	for (size_t i = 0; system && i < n; i++)
		if (system_hash(list[i].terms.system,
				list[i].terms.system_len) == system)
			return list[i].number;
	for (size_t i = 0; system && i < q->live_count; i++)
		if (q->live[i].system == system)
			return q->live[i].number;
	if (system && !q->live_count && alike)
		return alike->number;
	if (system && (n || q->live_count)) {
		*is_beside = true;
		return next_number(list, n, q);
	}
	if (n)
		return list[0].number;
	return q->live_count ? q->live[0].number : 1;
}

/* What the session asks for: the turn under way may have changed it. */
static const char *
options_of_session(const struct session *list, size_t n,
		   const struct continuation_query *q)
{
	for (size_t i = 0; i < q->live_count; i++)
		if (q->live[i].options)
			return q->live[i].options;
	return n ? list[0].terms.options : NULL;
}

static void
go_on_without_answers(struct continuation *c, struct session *list, size_t n,
		      const struct continuation_query *q)
{
	bool is_beside = false;
	unsigned number =
		q->number ? q->number : choose_number(list, n, q, &is_beside);
	struct session *row = row_of(list, n, number);

	c->from = prompt_unanswered(q->prompt);
	if (!row) {
		begin(c, q->session, number,
		      q->live_count && (is_beside || n)
			      ? "another conversation of the session is under "
				"way, with another system prompt"
		      : n ? "the session's other conversations have another "
			    "system prompt, and not the same use of tools"
			  : "no such session before");
		c->session.terms.options =
			copy(str_of(options_of_session(list, n, q)));
		return;
	}
	take_row(c, row);
	if (q->prompt->goes_on)
		continuation_renew(c, "the session did not give the answer "
				      "that the caller wants continued");
	else if (c->from)
		c->reason = "no answer in the messages is the session's: the "
			    "messages behind the last answer were sent";
}

static void
go_back(struct continuation *c, const struct continuation_query *q)
{
	static const char reason[] =
		"the messages end behind an earlier answer of the session: "
		"what came after that is taken back";

	c->is_rewound = true;
	if (q->can_rewind && c->at.position)
		c->reason = reason;
	else
		continuation_renew(c, reason);
}

static void
go_on_behind(struct continuation *c, struct session *row, size_t message,
	     const struct checkpoint *found, const struct continuation_query *q)
{
	size_t unanswered = prompt_unanswered(q->prompt);

	take_row(c, row);
	c->has_answers = true;
	c->from = unanswered;
	if (message + 1 < unanswered) {
		continuation_renew(c, "the messages have answers that the "
				      "session did not give");
		return;
	}
	set_checkpoint(&c->at, found);
	if (found->number != c->session.newest.number)
		go_back(c, q);
}

bool
continuation_find(struct continuation *c, const struct continuation_query *q,
		  struct error *e)
{
	struct session *list, *row;
	struct checkpoint found = { 0 };
	unsigned number = 0;
	size_t n, message;

	continuation_fini(c);
	if (!q->session) {
		begin(c, NULL, 0, NULL);
		c->from = prompt_unanswered(q->prompt);
		return true;
	}
	if (!sessions_find(q->sessions, q->session, &list, &n, e))
		return false;
	if (n && find_answer(q, &message, &number, &found) &&
	    (row = row_of(list, n, number)))
		go_on_behind(c, row, message, &found, q);
	else
		go_on_without_answers(c, list, n, q);
	checkpoint_fini(&found);
	sessions_free(list, n);
	return true;
}

void
continuation_copy(struct continuation *to, const struct continuation *from)
{
	*to = *from;
	session_copy(&to->session, &from->session);
	to->at.position = copy(str_of(from->at.position));
}

void
continuation_fini(struct continuation *c)
{
	session_fini(&c->session);
	checkpoint_fini(&c->at);
	memset(c, 0, sizeof *c);
}
