/*
 * Any file of settings: refused with the number of its line, or every name is
 * one that a shell knows, and every value is a part of the text on one line.
 */
#include <stdint.h>

#include "proto/buf.h"
#include "proto/env_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check(struct str text, const struct env_entry *entry)
{
	struct str name = entry->name, value = entry->value;

	if (!name.len || (*name.ptr >= '0' && *name.ptr <= '9'))
		abort();
	if (memchr(name.ptr, '=', name.len) || memchr(name.ptr, ' ', name.len))
		abort();
	if (!value.ptr || value.ptr < text.ptr ||
	    value.ptr + value.len > text.ptr + text.len)
		abort();
	if (value.len && (memchr(value.ptr, '\n', value.len) ||
			  memchr(value.ptr, '\0', value.len)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = { (const char *)data, len };
	struct error e = { 0 };
	struct env_file f;

	if (env_file_read(&f, text, &e)) {
		for (size_t i = 0; i < f.count; i++)
			check(text, &f.entries[i]);
	} else if (e.code != ERR_INVALID ||
		   !str_starts(str_of(e.text), STR("line "))) {
		abort();
	}
	env_file_fini(&f);
	return 0;
}
