#include "workers/cli/terms.h"

#include "proto/buf.h"
#include "workers/io/hash.h"

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
		.options = copy(str_of(from->options)),
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
	free(t->options);
	memset(t, 0, sizeof *t);
}

static void
add_text(struct hash *hash, struct str text)
{
	hash_add(hash, text.ptr ? STR("+") : STR("-"));
	hash_add_field(hash, text);
}

uint64_t
terms_hash(const struct terms *t)
{
	struct hash hash = HASH_INIT;

	add_text(&hash, (struct str){ t->system, t->system_len });
	add_text(&hash, str_of(t->cwd));
	add_text(&hash, str_of(t->model));
	add_text(&hash, str_of(t->permission_mode));
	add_text(&hash, str_of(t->loads));
	add_text(&hash, str_of(t->options));
	return hash_value(&hash);
}
