/*
 * How long the model may think.  The protocol has a kind of session option for
 * that, "thought_level", with "off", "on" or words of our own: it is set before
 * a prompt, and the session keeps it.  Other agents have it for a whole
 * process: as an argument, or as a setting that overrides the user's.
 */
#include "workers/acp/acp.h"

static bool
is_of_process(const struct acp_kind *kind)
{
	return kind->effort_argument || kind->effort_setting;
}

/* Of the process */

/* The settings, with the word in place of their asterisk. */
static char *
with_word(const char *settings, const char *word)
{
	struct str end, begin = str_cut(str_of(settings), '*', &end);

	return copy_format(STR_FMT "%s" STR_FMT, STR_ARG(begin), word,
			   STR_ARG(end));
}

bool
acp_add_effort(const struct instance *inst, const struct acp_kind *kind,
	       struct words *argv, struct words *env, struct error *e)
{
	const char *word = effort_name(inst->options.effort);
	auto_free char *path = NULL, *settings = NULL;

	if (!word)
		return true;
	if (kind->effort_argument) {
		words_add(argv, kind->effort_argument);
		words_add(argv, word);
	}
	if (!kind->effort_setting)
		return true;
	if (words_value(env, kind->overrides_variable))
		return fail_about(e, ERR_UNSUPPORTED,
				  "reasoning_effort: %s has settings in %s, "
				  "which say it already",
				  kind->name, kind->overrides_variable);
	path = copy_format("%s/%s-overrides.json", inst->scratch, kind->name);
	settings = with_word(kind->effort_setting, word);
	if (!inst->executor->write(inst->executor, path, str_of(settings), e))
		return false;
	words_print(env, "%s=%s", kind->overrides_variable, path);
	return true;
}

/* Of the session */

void
acp_read_efforts(struct acp *own, const json_t *opened)
{
	const json_t *option;
	size_t i;

	json_array_foreach (json_object_get(opened, "configOptions"), i,
			    option) {
		const char *category = json_text(option, "category");

		if (!category || strcmp(category, "thought_level") ||
		    !json_text(option, "id"))
			continue;
		json_decref(own->thought);
		own->thought = json_incref((json_t *)option);
		free(own->effort);
		own->effort = copy(str_of(json_text(option, "currentValue")));
		if (!own->usual_effort)
			own->usual_effort = copy(str_of(own->effort));
	}
}

static unsigned
efforts_of(const struct acp *own)
{
	return effort_set_of(json_object_get(own->thought, "options"), "value");
}

/* The option's word for it. */
static const char *
value_of(const struct acp *own, enum effort effort)
{
	const json_t *value;
	size_t i;

	json_array_foreach (json_object_get(own->thought, "options"), i,
			    value) {
		const char *word = json_text(value, "value");

		if (word && effort_named(word) == effort)
			return word;
	}
	return NULL;
}

bool
acp_choose_effort(struct conversation *c, struct error *e)
{
	struct acp *own = c->own;
	auto_free char *who = copy_format("%s/%s", conversation_name(c),
					  c->model ? c->model : "default");

	own->asked_effort = EFFORT_USUAL;
	return is_of_process(acp_agent_of(c)->kind) ||
	       effort_settle(&c->options, who, efforts_of(own),
			     &own->asked_effort, e);
}

static void
on_effort_set(void *whom, const json_t *result, const json_t *error)
{
	struct conversation *c = whom;
	struct acp *own = c->own;
	struct error e = { 0 };

	if (!error) {
		acp_send_prompt(c);
		return;
	}
	free(own->effort);
	own->effort = NULL; /* it is not known now */
	acp_explain(c, error, &e);
	acp_fail(c, &e);
}

/* `then` MAY be NULL: nobody waits for the answer. */
static void
set(struct conversation *c, const char *value, rpc_answer_fn *then)
{
	struct acp *own = c->own;
	json_t *params = acp_params(c, "configId",
				    json_string(json_text(own->thought, "id")));
	char *now = copy(str_of(value));

	json_object_set_new(params, "value", json_string(value));
	rpc_ask(&acp_agent_of(c)->rpc, "session/set_config_option", params,
		then, then ? c : NULL);
	free(own->effort);
	own->effort = now;
}

static bool
has(const struct acp *own, const char *value)
{
	return own->effort && !strcmp(value, own->effort);
}

/* False: the session has it already. */
bool
acp_ask_effort(struct conversation *c)
{
	struct acp *own = c->own;
	const char *wanted = own->asked_effort == EFFORT_USUAL
				     ? own->usual_effort
				     : value_of(own, own->asked_effort);

	if (!own->thought || !wanted || has(own, wanted))
		return false;
	set(c, wanted, on_effort_set);
	return true;
}

/* An agent may keep it with the session, and begin with it when that is opened
 * again, of which we would not know. */
void
acp_reset_effort(struct conversation *c)
{
	const struct acp *own = c->own;

	if (own->thought && own->usual_effort && own->effort &&
	    !has(own, own->usual_effort))
		set(c, own->usual_effort, NULL);
}
