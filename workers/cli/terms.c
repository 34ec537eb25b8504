#include "workers/cli/terms.h"

#include "proto/buf.h"

void
terms_copy(struct terms *to, const struct terms *from)
{
	*to = (struct terms){
		.system = copy((struct str){ from->system, from->system_len }),
		.system_len = from->system_len,
		.cwd = copy(str_of(from->cwd)),
		.model = copy(str_of(from->model)),
		.permission_mode = copy(str_of(from->permission_mode)),
		.loads = copy(str_of(from->loads)),
	};
}

void
terms_fini(struct terms *t)
{
	free(t->system);
	free(t->cwd);
	free(t->model);
	free(t->permission_mode);
	free(t->loads);
	memset(t, 0, sizeof *t);
}

/* FNV-1a. */
static void
add_bytes(uint64_t *hash, const void *bytes, size_t len)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < len; i++)
		*hash = (*hash ^ b[i]) * 0x100000001b3;
}

/* The length keeps neighbours apart: "ab", "c" is not "a", "bc". */
static void
add_field(uint64_t *hash, struct str s)
{
	uint64_t len = s.ptr ? s.len : UINT64_MAX;

	add_bytes(hash, &len, sizeof len);
	add_bytes(hash, s.ptr, s.len);
}

uint64_t
terms_hash(const struct terms *t)
{
	uint64_t hash = 0xcbf29ce484222325;

	add_field(&hash,
		  (struct str){ t->system, t->system ? t->system_len : 0 });
	add_field(&hash, str_of(t->cwd));
	add_field(&hash, str_of(t->model));
	add_field(&hash, str_of(t->permission_mode));
	add_field(&hash, str_of(t->loads));
	return hash ? hash : 1;
}
