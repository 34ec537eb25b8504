/* Any JSON in the place of `tools` and `tool_choice`: refused or read, and what
 * was read keeps what tools.h promises of it. */
#include <assert.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "proto/utf8.h"
#include "workers/io/json.h"
#include "workers/options/tools.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_told(const json_t *all, const json_t *tool, size_t max)
{
	auto_free char *told = tool_told_name(json_text(tool, "name"), max);

	assert(*told && strlen(told) <= max);
	assert(!told[strspn(told, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")]);
	assert(tools_find_told(all, told, max) == tool);
}

static void
check(const json_t *all)
{
	const json_t *tool;
	size_t i;

	assert(json_array_size(all) <= MAX_TOOLS);
	json_array_foreach (all, i, tool) {
		const json_t *schema = json_object_get(tool, "parameters");

		assert(!strcmp(json_text(schema, "type"), "object"));
		assert(json_is_object(json_object_get(schema, "properties")));
		assert(json_is_string(json_object_get(tool, "description")));
		check_told(all, tool, 44);
		check_told(all, tool, 64);
		check_told(all, tool, 113);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	json_t *json = json_loadb((const char *)data, len,
				  JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	json_t *others = json_object(), *all;
	enum tool_choice choice = TOOL_CHOICE_AUTO;
	const char *name = NULL;
	struct error e = { 0 };

	if (json && json_array_size(json) < 64) {
		all = tools_read("tools", json, others, &e);
		if (all)
			check(all);
		else
			assert(e.code == ERR_INVALID &&
			       utf8_valid(str_of(e.text)));
		json_decref(all);
		e = (struct error){ 0 };
		if (tools_read_choice("tool_choice", json, &choice, &name, &e))
			assert(choice != TOOL_CHOICE_NAMED || name);
		else
			assert(e.code == ERR_INVALID);
	}
	json_decref(others);
	json_decref(json);
	return 0;
}
