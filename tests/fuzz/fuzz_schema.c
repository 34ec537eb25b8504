/* Any schema, and behind a line end any value: it is no schema and the error
 * says why, or the value fits, or the error says why it does not. */
#include "proto/str.h"
#include "workers/schema/schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static json_t *
read(struct str text)
{
	return json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL,
			  NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str second,
		first = str_cut((struct str){ (const char *)bytes, len }, '\n',
				&second);
	json_t *schema = read(first), *value = read(second);
	struct error e = { 0 };

	if (schema && value &&
	    (!schema_check(schema, "schema", len % 2, &e) ||
	     !schema_fits(schema, value, &e)) &&
	    (e.code == ERR_NONE || !e.text[0]))
		abort();
	(void)(schema && schema_is_openai_strict(schema));
	json_decref(schema);
	json_decref(value);
	return 0;
}
