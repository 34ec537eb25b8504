#include "workers/needs.h"

#include <ctype.h>
#include <unistd.h>

#include "proto/provider.h"
#include "proto/settings.h"
#include "proto/spawn.h"
#include "proto/variables.h"

#define OURS "cli-bridge-" /* begins the names of our own programs */

static const struct cli_row {
	const char *harness, *program, *install;
} clis[] = {
/* clang-format off */
#define NEEDS_CLI(harness, program, install) { harness, program, install },
#include "workers/harnesses.def"
};

static const struct url_row {
	const char *harness, *variable, *advice;
} urls[] = {
#define NEEDS_URL(harness, variable, advice) { harness, variable, advice },
#include "workers/harnesses.def"
};

static const struct needs_login logins[] = {
#define LOGIN(harness, arguments, hint) { harness, arguments, hint },
#include "workers/harnesses.def"
};

static const char *const keepers_of_keys[] = {
#define NEEDS_KEY_PROVIDERS(name) name,
#define NEEDS_KEY_CLI(name)
#define NEEDS_KEY_NOTHING(name)
#define HARNESS(name, program, aliases, serves, meaning) NEEDS_KEY_##serves(name)
#include "workers/harnesses.def"
};

static const char *const prefixes[] = {
#define FAMILY(prefix, more, program) prefix,
#include "workers/harnesses.def"
};

static const struct {
	const char *name, *key;
} vendors[] = {
#define PROVIDER(name, base_url, key) { name, key },
#include "workers/passthrough/providers.def"
};
/* clang-format on */

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const struct cli_row *
find_cli(const char *harness)
{
	for (size_t i = 0; i < COUNT(clis); i++)
		if (!strcmp(clis[i].harness, harness))
			return &clis[i];
	return NULL;
}

static const struct url_row *
find_url(const char *harness)
{
	for (size_t i = 0; i < COUNT(urls); i++)
		if (!strcmp(urls[i].harness, harness))
			return &urls[i];
	return NULL;
}

const struct needs_login *
needs_login(const char *harness)
{
	for (size_t i = 0; i < COUNT(logins); i++)
		if (!strcmp(logins[i].harness, harness))
			return &logins[i];
	return NULL;
}

const char *
needs_url(const char *harness)
{
	const struct url_row *row = find_url(harness);

	return row ? row->variable : NULL;
}

/* The variable with the command of a harness of the operator's own, which the
 * caller frees; NULL: it is none of these. */
static char *
own_variable(const char *harness)
{
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		char *variable = copy_format("%s%s", prefixes[i], harness);

		for (char *c = variable; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		if (variable_value(variable).len)
			return variable;
		free(variable);
	}
	return NULL;
}

static struct str
first_word(struct str s)
{
	size_t len = 0;

	while (len < s.len && !str_is_space(s.ptr[len]))
		len++;
	return (struct str){ s.ptr, len };
}

char *
needs_program_name(const char *harness)
{
	const struct cli_row *row = find_cli(harness);
	auto_free char *bin = settings_variable("", harness, "BIN");
	auto_free char *own = own_variable(harness);
	struct error wrong = { 0 };

	if (variable_value(bin).len)
		return settings_expand(bin, variable_value(bin), &wrong);
	if (row)
		return copy(str_of(row->program));
	if (!own)
		return NULL;
	return settings_expand(own, first_word(variable_value(own)), &wrong);
}

char *
needs_program(const char *harness)
{
	auto_free char *name = needs_program_name(harness), *path = NULL;

	if (!name)
		return NULL;
	if (!strncmp(name, OURS, strlen(OURS)))
		return program_of_ours(name);
	path = copy(variable_value("PATH"));
	return program_in_path(name, path);
}

static bool
fail_without_program(const char *harness, struct error *e)
{
	const struct cli_row *row = find_cli(harness);
	auto_free char *bin = settings_variable("", harness, "BIN");
	auto_free char *own = own_variable(harness);

	if (variable_value(bin).len)
		return fail_with(e, ERR_NOT_SET_UP,
				 "%s is \"" STR_FMT "\", which can't be run",
				 bin, STR_ARG(variable_value(bin)));
	if (row)
		return fail_with(e, ERR_NOT_SET_UP,
				 "the program %s is not installed: %s",
				 row->program, row->install);
	return fail_with(e, ERR_NOT_SET_UP,
			 "the program of %s is not installed: install it, or "
			 "change %s",
			 harness, own ? own : bin);
}

static bool
serves_providers(const char *harness)
{
	for (size_t i = 0; i < COUNT(keepers_of_keys); i++)
		if (!strcmp(keepers_of_keys[i], harness))
			return true;
	return false;
}

static bool
is_known_vendor(const char *name)
{
	for (size_t i = 0; i < COUNT(vendors); i++)
		if (!strcmp(vendors[i].name, name))
			return true;
	return false;
}

/* Does the variable make a provider usable?  One of the operator's own needs an
 * address, and perhaps no key. */
static bool
is_enough(struct str variable)
{
	char name[MAX_NAME + 1];

	for (size_t i = 0; i < COUNT(vendors); i++)
		if (str_is(variable, vendors[i].key))
			return true;
	return provider_read_name(name, variable, PROVIDER_BASE_URL) ||
	       (provider_read_name(name, variable, PROVIDER_API_KEY) &&
		is_known_vendor(name));
}

static bool
has_provider(void)
{
	struct str variable, value;

	for (char *const *v = environ; *v; v++) {
		variable = str_cut(str_of(*v), '=', &value);
		if (str_trim(value).len && is_enough(variable))
			return true;
	}
	return false;
}

void
needs_name_keys(struct buf *to)
{
	buf_print(to, "no provider has a key: set ");
	for (size_t i = 0; i < COUNT(vendors); i++)
		buf_print(to, "%s%s", i ? ", " : "", vendors[i].key);
	buf_print(to, " or BRIDGE_PROVIDER_<NAME>_BASE_URL");
}

static bool
fail_without_key(struct error *e)
{
	struct buf text = BUF_INIT(MAX_DETAIL);

	needs_name_keys(&text);
	fail_with(e, ERR_NOT_SET_UP, STR_FMT, STR_ARG(buf_str(&text)));
	buf_fini(&text);
	return false;
}

/* Its program is in the image of the containers that it runs in. */
static bool
runs_elsewhere(const char *harness)
{
	auto_free char *own = settings_variable("", harness, "EXECUTOR");
	auto_free char *program = needs_program_name(harness);
	struct str executor = variable_value(own);

	if (!executor.len)
		executor = variable_value("BRIDGE_DEFAULT_EXECUTOR");
	return program && strncmp(program, OURS, strlen(OURS)) != 0 &&
	       str_is(executor, "docker");
}

bool
needs_are_met(const char *harness, struct error *e)
{
	const struct url_row *url = find_url(harness);
	auto_free char *program = NULL;

	if (serves_providers(harness))
		return has_provider() || fail_without_key(e);
	if (url && !variable_value(url->variable).len)
		return fail_with(e, ERR_NOT_SET_UP, "%s is not set: %s",
				 url->variable, url->advice);
	if (runs_elsewhere(harness))
		return true;
	program = needs_program(harness);
	return program || fail_without_program(harness, e);
}
