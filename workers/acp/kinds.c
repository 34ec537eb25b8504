#include "workers/acp/acp.h"

#include "proto/settings.h"
#include "proto/variables.h"
#include "workers/cli/mcp.h"

static const struct acp_kind kinds[] = {
#define AGENT(NAME, ...) { .name = NAME, __VA_ARGS__ },
#include "workers/acp/agents.def"
};

/* An agent of the operator's: its command is split on white space. */
static struct acp_kind own;

static bool
read_own(const char *name, struct error *e)
{
	auto_free char *variable = settings_variable("BRIDGE_", "ACP", name);
	struct str rest = variable_value(variable), word = rest;
	auto_free char *program = NULL;

	if (!rest.len)
		return fail_with(e, ERR_NOT_SET_UP,
				 "%s must be a command, and is not set",
				 variable);
	while (rest.len && !str_is_space(*rest.ptr))
		rest = str_from(rest, 1);
	word.len -= rest.len;
	/* needs_program() looks it up */
	program = settings_expand(variable, word, e);
	if (!program)
		return false;
	own = (struct acp_kind){
		.name = copy(str_of(name)),
		.arguments = copy(rest),
		.log_in = copy_format("run %s and log in", name),
		.modes = "allow= reject=",
		.can = OWN_AGENT_CAN,
		.takes = OTHERS_TAKES,
		.server_sign = ACP_SIGN_ANY,
	};
	return true;
}

const struct acp_kind *
acp_kind_of(const char *name, struct error *e)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(name, kinds[i].name))
			return &kinds[i];
	if (own.name && !strcmp(name, own.name))
		return &own;
	return read_own(name, e) ? &own : NULL;
}
