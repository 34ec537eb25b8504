#include "workers/acp/acp.h"

/*
 * A profile, as an agent takes it: the protocol has no field for a system
 * prompt, but some agents read theirs from a file that a variable names when
 * they start.  So conversations with different ones are in different processes.
 */

bool
acp_add_options(struct instance *inst, struct words *env, struct error *e)
{
	struct acp_agent *agent = inst->own;
	struct executor *x = inst->executor;
	struct str instead = profile_system(inst->options.profile);
	auto_free char *variable = NULL;

	if (!instead.len || !agent->kind->instead_variable)
		return true;
	agent->instead = copy_format("%s/%s-%ju.instead.jsonl", inst->scratch,
				     inst->name, (uintmax_t)inst->number);
	variable = copy_format("%s=%s", agent->kind->instead_variable,
			       agent->instead);
	words_set(env, variable);
	return x->write(x, agent->instead, instead, e);
}

void
acp_remove_options(struct instance *inst)
{
	struct acp_agent *agent = inst->own;

	if (agent->instead)
		inst->executor->remove(inst->executor, agent->instead);
	free(agent->instead);
	agent->instead = NULL;
}
