/*
 * What is done with a request before its turn starts: it is read, and it is
 * decided where in its session it goes on, and under which terms.
 */
#include "workers/cli/job.h"

#include <stdio.h>

#include "proto/variables.h"
#include "workers/cli/attach.h"
#include "workers/cli/deadline.h"
#include "workers/cli/ignored.h"
#include "workers/cli/mcp.h"
#include "workers/cli/mended_json.h"
#include "workers/cli/parked.h"
#include "workers/executor/cwd.h"
#include "workers/options/profiles.h"

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
	struct executor *all = t->worker->self->pool.executor;
	struct executor *x =
		job->options.mode == MODE_SAFE ? executor_reader(all) : all;
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

/* It gets the profile itself, and what is in that is not ours to settle. */
static bool
takes_whole_profile(const struct turn *t)
{
	return profile_takes_all(self_of(t)->pool.harness->takes);
}

/* The profile's model is the session's, unless the request names one. */
static bool
settle_profile(const struct turn *t, bool is_known, struct error *e)
{
	const struct engine_self *self = self_of(t);
	struct job *job = job_of(t);
	struct terms *terms = &job->on.session.terms;
	const struct options *o = &job->options;
	const char *name = t->worker->name;
	bool names_one = t->model && strcmp(t->model, "default") != 0;
	auto_free char *model = NULL;

	if (takes_whole_profile(t))
		return true;
	if (!persona_agrees(o, name, t->model, e))
		return false;
	if (!o->profile || names_one || (is_known && !o->said))
		return true;
	model = persona_model(o->profile, name, self->pool.models);
	if (model)
		set_term(&terms->model, model);
	return true;
}

/*
 * What the request leaves out is as before.  The conversation was told its
 * system prompt before if it is the one that its row has.  A turn that goes on
 * with results keeps the one that it was begun with: clients tell the time in
 * it.
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
		!p->system || job->parked ||
		(terms->system &&
		 str_eq((struct str){ p->system, p->system_len },
			(struct str){ terms->system, terms->system_len }));
	if (p->system && !job->parked) {
		set_text(&terms->system, p->system, p->system_len);
		terms->system_len = p->system_len;
	}
	if (t->cwd)
		set_term(&terms->cwd, t->cwd);
	else if (!terms->cwd)
		set_term(&terms->cwd, self_of(t)->pool.workspace);
	if (t->model)
		set_term(&terms->model, t->model);
	job->options.keeps_tools = self_of(t)->pool.harness->keeps_tools;
	if (!options_inherit(&job->options, terms->options, e) ||
	    !settle_profile(t, job->on.is_known, e))
		return false;
	job->drops_instead =
		options_drop_system_of(&job->options, terms->options);
	job->same_system &=
		options_has_profile_of(&job->options, terms->options);
	set_term(&terms->options, job->options.text);
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
		to[n++] = (struct live_conversation){
			.number = other->lane,
			.system = other->system,
			.options = other->work ? job_of(other)->options.text
					       : NULL,
		};
	}
	return n;
}

static size_t
find_parked(const struct turn *t, struct live_conversation *to, size_t n)
{
	list_each (&self_of(t)->pool.conversations, node) {
		const struct conversation *c =
			container_of(node, struct conversation, node);
		const struct session *s =
			c->parked ? &c->parked->session : NULL;

		if (c->state != CONVERSATION_PARKED || c->turn || !s ||
		    !c->session || n == MAX_LIVE ||
		    strcmp(c->session, t->session) != 0)
			continue;
		to[n++] = (struct live_conversation){
			.number = c->number,
			.system = system_hash(s->terms.system,
					      s->terms.system_len),
			.options = s->terms.options,
		};
	}
	return n;
}

/* Whether the request answers calls of the caller's tools. */
static bool
answers_calls(const struct job *job)
{
	return job->options.tools && parked_is_answered_by(&job->prompt);
}

static bool
has_other_tools(const struct turn *t)
{
	const struct job *job = job_of(t);

	return self_of(t)->pool.harness->keeps_tools && job->on.is_known &&
	       !options_has_tools_of(&job->options,
				     job->on.session.terms.options);
}

/* Calls that nobody waits for any more were of a process that is gone, with
 * what it knew beside the messages. */
static bool
find_place(struct turn *t, const struct continuation_query *query,
	   struct error *e)
{
	static const char gone[] = "the calls that the messages end with are "
				   "not waited for any more";
	static const char others[] =
		"the session was begun with other tools of the caller's, and "
		"the harness cannot change them: it was told the messages of "
		"the request";
	struct job *job = job_of(t);

	job->parked = NULL;
	if (harness_can(t, CAN_TOOLS) && !parked_find(t, &job->parked, e))
		return false;
	if (job->parked) {
		if (!job->options.tools)
			options_keep_tools(&job->options, &job->parked->options,
					   self_of(t)->pool.harness->binds &
						   BINDS_TOOLS);
		t->runs_once = true;
		deadline_of_parking(job->parked); /* it may wait for a slot */
		continuation_fini(&job->on);
		continuation_copy(&job->on, job->parked->parked);
		job->on.reason = NULL; /* it was told with the calls */
		if (!t->session)
			t->session = copy(str_of(job->parked->session));
		return true;
	}
	if (!continuation_find(&job->on, query, e))
		return false;
	if (self_of(t)->pool.harness->forgets && job->on.is_known)
		continuation_retell(&job->on,
				    "the harness keeps no conversation: it was "
				    "told the messages of the request");
	if (answers_calls(job))
		continuation_renew(&job->on, gone);
	else if (has_other_tools(t))
		continuation_renew(&job->on, others);
	return true;
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
		.has_tools = job->options.tools != NULL,
		.number = t->lane,
		.live = live,
	};

	if (t->session) {
		query.live_count = find_live(t, &t->worker->running, live, 0);
		query.live_count = find_live(t, &t->worker->waiting, live,
					     query.live_count);
		query.live_count = find_parked(t, live, query.live_count);
	}
	if (!find_place(t, &query, e) || !settle_terms(t, e))
		return false;
	job->has_standing = t->session || answers_calls(job);
	t->lane = job->on.session.number;
	t->place = job->parked ? job->parked->executor : NULL;
	t->system = system_hash(job->on.session.terms.system,
				job->on.session.terms.system_len);
	return true;
}

/* Of what the CLI will be told: all messages, if it does not know them.  Files
 * that it has heard of may be gone by now. */
static size_t
first_told(const struct job *job)
{
	if (job->parked)
		return prompt_unanswered(&job->prompt);
	return job->on.is_known ? job->on.from : 0;
}

static struct attach
attach_of(const struct turn *t)
{
	return (struct attach){
		.recipient = { t->worker->name, self_of(t)->pool.harness->can },
		.executor = self_of(t)->pool.executor,
		.cwd = job_of(t)->on.session.terms.cwd,
	};
}

bool
job_attach(const struct turn *t, bool anew, struct error *e)
{
	struct attach a = attach_of(t);

	return attach_files(&job_of(t)->prompt,
			    anew ? 0 : first_told(job_of(t)), &a, e);
}

static bool
check_files(const struct turn *t, struct error *e)
{
	struct attach a = attach_of(t);

	return attach_check(&job_of(t)->prompt, first_told(job_of(t)), &a, e);
}

const char *
job_how(const struct job *job)
{
	if (job->parked)
		return "continued";
	if (job->on.is_rewound)
		return "rewound";
	if (job->on.is_known)
		return "resumed";
	return prompt_unanswered(&job->prompt) > 0 ? "replayed" : "new";
}

const char *
job_cache(const struct job *job)
{
	return job->is_warm ? "warm" : job_how(job);
}

/* An executor says itself what it lacks. */
static bool
is_sealed(const struct engine_self *self, struct error *e)
{
	struct executor *x = self->pool.executor;
	const char *name = self->worker->name;
	auto_free char *variable = NULL;

	if (self->pool.harness->is_remote)
		return true;
	if (x->is_sealed)
		return x->is_sealed(x, e);
	variable = settings_variable("", name, "");
	return fail_about(e, ERR_MODE,
			  "mode: %s runs on the bridge's own machine, and the "
			  "mode %s needs containers that reach nothing but "
			  "what you name: set %sEXECUTOR=docker, and %sNET or "
			  "%sDOCKER_NETWORK=none",
			  name, mode_name(MODE_SANDBOXED), variable, variable,
			  variable);
}

/* <NAME>_SAFE_JAIL=required. */
static bool
check_jail(const struct engine_self *self, struct error *e)
{
	const struct executor *x = self->pool.executor;
	const struct worker *w = self->worker;
	auto_free char *variable = NULL;

	if (strcmp(w->harness.safe_jail, "required") != 0 ||
	    (x->reader && !x->reader->is_unfit))
		return true;
	variable = settings_variable("", w->name, "SAFE_JAIL");
	return fail_about(e, ERR_MODE,
			  "mode: %s wants a jail for the mode %s, and there is "
			  "none: %s",
			  variable, mode_name(MODE_SAFE),
			  x->reader ? self->health.prober.unfit
				    : "containers have no such jail");
}

bool
job_check_mode(const struct engine_self *self, enum mode mode, struct error *e)
{
	if (mode == MODE_SANDBOXED)
		return is_sealed(self, e);
	if (mode == MODE_SAFE && !(self->pool.harness->can & CAN_SAFE))
		return fail_about(e, ERR_MODE, "mode: %s %s",
				  self->worker->name,
				  capability_refusal(CAN_SAFE));
	return mode != MODE_SAFE || check_jail(self, e);
}

/* Tools of the caller's servers could do what hosted-safe is there to prevent.
 */
static bool
check_mode(const struct turn *t, struct error *e)
{
	const struct options *o = &job_of(t)->options;

	if (!job_check_mode(self_of(t), o->mode, e))
		return false;
	return o->mode != MODE_SAFE || !o->servers ||
	       fail_about(e, ERR_UNSUPPORTED,
			  "mcp.mcpServers: a conversation in the mode %s gets "
			  "no MCP servers: their tools could write, run and "
			  "fetch",
			  mode_name(MODE_SAFE));
}

static bool
check_cwd(const struct turn *t, struct error *e)
{
	return !t->cwd || !self_of(t)->pool.harness->is_remote ||
	       fail_about(e, ERR_UNSUPPORTED,
			  "cwd: %s works on machines of a service's, and in no "
			  "directory of this one: leave it out",
			  t->worker->name);
}

/* What the harness cannot do is refused, never left out.  What stands in a
 * profile that it takes as a whole it can. */
static bool
check_options(const struct turn *t, struct error *e)
{
	const struct options *o = &job_of(t)->options;
	const struct harness *h = self_of(t)->pool.harness;
	struct options asked = *o;
	enum effort effort; /* that may be the profile's */

	if (takes_whole_profile(t)) {
		asked.servers = options_own_servers(o);
		asked.effort = o->said_effort;
	}
	return effort_settle(&asked, t->worker->name, h->efforts, &effort, e) &&
	       check_mode(t, e) &&
	       mcp_check(&asked, t->worker->name, h->can, e) &&
	       (!h->check || h->check(o, e));
}

static void
add_ignored(struct job *job, const char *names)
{
	char *before = job->prompt.ignored;

	job->prompt.ignored = copy_format("%s%s%s", before ? before : "",
					  before ? ", " : "", names);
	free(before);
}

/* What the profile asks for in vain: what nobody knows, and what the harness
 * does not have. */
static void
note_of_profile(const struct turn *t, json_t *all)
{
	const struct options *o = &job_of(t)->options;
	json_t *receipt, *name;
	size_t i;

	if (!o->unknown || takes_whole_profile(t))
		return;
	json_object_update(all, o->unknown);
	receipt = persona_receipt(o, self_of(t)->pool.harness);
	json_array_foreach (json_object_get(receipt, "ignored"), i, name) {
		auto_free char *path = copy_format("agent_profile.%s",
						   json_string_value(name));

		json_object_set_new_nocheck(all, path, json_true());
	}
	json_decref(receipt);
}

/* No CLI can be told that its model must call a tool, nor how many. */
static void
note_of_tools(const struct turn *t, json_t *all)
{
	struct options *o = &job_of(t)->options;
	bool can = harness_can(t, CAN_TOOLS);

	json_object_update(all, o->other_tools);
	if (o->tools && !can)
		json_object_set_new(all, "tools", json_true());
	if (o->choice > TOOL_CHOICE_NONE || (o->choice && !can))
		json_object_set_new(all, "tool_choice", json_true());
	if (o->is_serial)
		json_object_set_new(all, "parallel_tool_calls", json_true());
	if (o->keeps_own_tools && !can)
		json_object_set_new(all, "bridge.builtin_tools", json_true());
	if (!can) {
		json_decref(o->tools);
		o->tools = NULL;
	}
}

static void
note_ignored(const struct turn *t)
{
	struct job *job = job_of(t);
	json_t *all = json_object();
	auto_free char *mine = NULL;

	note_of_profile(t, all);
	note_of_tools(t, all);
	mine = ignored_list(all);
	json_decref(all);
	if (mine)
		add_ignored(job, mine);
}

/* The caller wants to know of everything that would be left out. */
static bool
check_ignored(const struct job *job, struct error *e)
{
	return !job->options.is_strict || !job->prompt.ignored ||
	       options_fail_strict(job->prompt.ignored, e);
}

/* What the request says.  What a harness cannot be told at all is ignored if it
 * may be: see effort.h. */
static bool
settle_said_effort(const struct turn *t, struct error *e)
{
	struct job *job = job_of(t);
	struct options *o = &job->options;
	const struct options said = { .effort = o->said_effort,
				      .is_strict = o->is_strict };

	if (!effort_settle(&said, t->worker->name,
			   self_of(t)->pool.harness->efforts, &o->said_effort,
			   e))
		return false;
	if (said.effort != o->said_effort)
		add_ignored(job, "reasoning_effort");
	return true;
}

/*
 * The model of such a harness is a profile of the catalogue.  It becomes what
 * the request asks for, so one that names another profile is refused.
 */
static bool
name_profile(const struct turn *t, json_t *body, const json_t *headers,
	     struct error *e)
{
	const char *model = t->model;
	json_t *said = json_object_get(body, "agent_profile"), *unknown;
	json_t *profile;

	if (!model || !strcmp(model, "default") || !takes_whole_profile(t))
		return true;
	if (json_object_size(said) || json_string_length(said) ||
	    json_object_get(headers, "X-Agent-Profile"))
		return fail_about(e, ERR_INVALID,
				  "agent_profile: the model %s/%s names a "
				  "profile already: leave one of them out",
				  t->worker->name, model);
	unknown = json_object();
	profile = profiles_find("model", model, unknown, e);
	json_decref(unknown);
	if (profile)
		json_object_set_new(body, "agent_profile", profile);
	return profile != NULL;
}

/* The body is read once, as a tree, which is gone before the turn runs. */
static bool
read_request(struct turn *t, struct error *e)
{
	struct job *job = job_of(t);
	const struct recipient recipient = { t->worker->name,
					     self_of(t)->pool.harness->can };
	json_error_t why;
	json_t *body = mended_json(t->body, &why);
	json_t *headers = t->headers ? json_loads(t->headers, 0, NULL) : NULL;
	bool ok = json_is_object(body) ||
		  fail_with(e, ERR_INVALID, "the body is not JSON: %s",
			    body ? "it is no object" : why.text);

	ok = ok && name_profile(t, body, headers, e) &&
	     options_read(&job->options, body, headers, e) &&
	     prompt_read(&job->prompt, body, &recipient, e) &&
	     settle_said_effort(t, e);
	if (ok && job->options.authorization &&
	    !harness_can(t, CAN_AUTHORIZATION))
		add_ignored(job, "X-Tangle-Forwarded-Authorization");
	if (ok)
		note_ignored(t);
	ok = ok && check_ignored(job, e);
	json_decref(headers);
	json_decref(body);
	return ok;
}

/* What has become of it. */
static void
tell_profile(const struct turn *t, struct acceptance *a)
{
	const struct options *o = &job_of(t)->options;
	json_t *receipt;
	char *text;

	if (!o->profile)
		return;
	receipt = persona_receipt(o, self_of(t)->pool.harness);
	text = json_dumps(receipt, JSON_COMPACT);
	snprintf(a->profile, sizeof a->profile, "%s", text);
	free(text);
	json_decref(receipt);
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
	if (!check_cwd(t, e) || !read_request(t, e) || !job_decide(t, e) ||
	    !check_options(t, e) || !check_files(t, e))
		return false;
	a->mode = mode_name(job->options.mode);
	tell_profile(t, a);
	snprintf(a->ignored, sizeof a->ignored, "%s",
		 job->prompt.ignored ? job->prompt.ignored : "");
	if (!job->has_standing)
		return true;
	a->session = t->session;
	a->how = job_how(job);
	a->reason = job->on.reason;
	/* It may need another process, for other options. */
	job->is_warm = job->on.is_known && !job->on.is_rewound &&
		       pool_find(&self_of(t)->pool, t->session,
				 job->on.session.number);
	a->cache = job_cache(job);
	return true;
}
