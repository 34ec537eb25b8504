#include "workers/cli/session.h"

void
checkpoint_fini(struct checkpoint *k)
{
	free(k->position);
	memset(k, 0, sizeof *k);
}

void
session_fini(struct session *s)
{
	free(s->id);
	free(s->cli_id);
	terms_fini(&s->terms);
	checkpoint_fini(&s->newest);
	memset(s, 0, sizeof *s);
}

void
sessions_free(struct session *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		session_fini(&list[i]);
	free(list);
}

void
session_copy(struct session *to, const struct session *from)
{
	*to = *from;
	to->id = copy(str_of(from->id));
	to->cli_id = copy(str_of(from->cli_id));
	to->newest.position = copy(str_of(from->newest.position));
	terms_copy(&to->terms, &from->terms);
}

void
session_rename(struct session *s, const char *cli_id)
{
	char *id = copy(str_of(cli_id));

	free(s->cli_id);
	s->cli_id = id;
}
