#include "workers/acp/acp.h"

#include "proto/settings.h"

static const struct acp_kind kinds[] = {
#define AGENT(NAME, ...) { .name = NAME, __VA_ARGS__ },
#include "workers/acp/agents.def"
};

/* One of the operator's: its words are split on white space. */
static struct acp_kind own;

static bool
read_own(const char *name, struct error *e)
{
	auto_free char *variable = settings_variable("BRIDGE_", "ACP", name);
	const char *value = getenv(variable);
	struct str rest, program = str_of(value);

	program = str_trim(program);
	if (!program.len)
		return fail_with(e, ERR_NOT_SET_UP,
				 "%s must be a command, and is not set",
				 variable);
	program.len = strcspn(program.ptr, " \t\r\n") < program.len
			      ? strcspn(program.ptr, " \t\r\n")
			      : program.len;
	rest = str_from(str_of(program.ptr), program.len);
	own = (struct acp_kind){
		.name = copy(str_of(name)),
		.program = copy(program),
		.arguments = copy(rest),
		.install = copy_format("install it, or change %s", variable),
		.log_in = copy_format("run %s and log in", name),
		.modes = "allow= reject=",
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
