/*
 * Any bytes as a provider's list of models.  Whatever they are, the rows that
 * come out are JSON, and each has an id with the provider's name before it.
 */
#include <assert.h>
#include <jansson.h>

#include "workers/passthrough/model_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check(struct str rows)
{
	auto_free char *text = copy_format("[%.*s]", STR_ARG(rows));
	json_t *all = json_loads(text, 0, NULL), *row;
	size_t i;

	assert(all);
	json_array_foreach (all, i, row) {
		const char *id = json_string_value(json_object_get(row, "id"));

		assert(id && !strncmp(id, "acme/", 5) && id[5]);
	}
	json_decref(all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf rows = BUF_INIT(1 << 20);
	struct error e = { 0 };
	unsigned left_out;

	if (model_list_read(&rows, "acme",
			    (struct str){ (const char *)bytes, len }, &left_out,
			    &e))
		check(buf_str(&rows));
	buf_fini(&rows);
	return 0;
}
