/* capabilities - the command that tells what each harness can do */
#include "workers/capabilities.h"

#include <stdio.h>
#include <string.h>

#include "supervisor/commands.h"
#include "supervisor/report.h"
#include "workers/description.h"

static bool
is_wanted(const struct order *o, const char *name)
{
	bool any = false;

	for (char **n = o->names; *n; n++) {
		if (!strcmp(*n, name) || !strcmp(*n, "all"))
			return true;
		any = true;
	}
	return !any;
}

static bool
is_known(const char *name)
{
	for (const struct harness_can *h = harnesses_can; h->name; h++)
		if (!strcmp(h->name, name))
			return true;
	return !strcmp(name, "all");
}

static void
print_names(const char *before, uint64_t set)
{
	json_t *names = capabilities_in(set), *name;
	size_t i;

	printf("%-13s", before);
	json_array_foreach (names, i, name)
		printf(" %s", json_string_value(name));
	printf("\n");
	json_decref(names);
}

/* As GET /v1/capabilities has it, but for what is known only of a harness that
 * runs. */
static json_t *
description_named(const char *name)
{
	struct ability a = { 0 };
	json_t *row = json_pack("{s:s}", "harness", name), *description;

	if (!ability_listed(&a, name))
		return row;
	description = description_of(&a);
	json_object_update(row, description);
	json_decref(description);
	return row;
}

int
command_capabilities(const struct order *o)
{
	json_t *list = json_array();
	int code = EXIT_SUCCESS;

	for (const struct harness_can *h = harnesses_can; h->name; h++) {
		if (!is_wanted(o, h->name))
			continue;
		if (!o->json) {
			print_names(h->name, h->can);
			print_names("  lacks", capabilities_all() & ~h->can);
			continue;
		}
		json_array_append_new(list, description_named(h->name));
	}
	for (char **name = o->names; *name; name++)
		if (!is_known(*name)) {
			fprintf(stderr, "%s: ERROR (no such harness)\n", *name);
			code = EXIT_NO_DAEMON;
		}
	if (o->json)
		report_print_json(list);
	else
		json_decref(list);
	return code;
}
