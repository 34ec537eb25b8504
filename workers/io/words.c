#include "workers/io/words.h"

#include <stdarg.h>
#include <stdio.h>

void
words_add(struct words *w, const char *word)
{
	w->ptr = xrealloc(w->ptr, (w->len + 2) * sizeof *w->ptr);
	w->ptr[w->len++] = copy(str_of(word));
	w->ptr[w->len] = NULL;
}

void
words_print(struct words *w, const char *fmt, ...)
{
	auto_free char *word = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&word, fmt, ap) < 0)
		abort();
	va_end(ap);
	words_add(w, word);
}

const char *
words_value(const struct words *w, const char *name)
{
	struct str value;

	for (size_t i = 0; i < w->len; i++)
		if (str_is(str_cut(str_of(w->ptr[i]), '=', &value), name) &&
		    value.len)
			return value.ptr;
	return NULL;
}

void
words_fini(struct words *w)
{
	for (size_t i = 0; i < w->len; i++)
		free(w->ptr[i]);
	free(w->ptr);
	*w = (struct words){ 0 };
}

void
words_set(struct words *w, const char *variable)
{
	struct str value, name = str_cut(str_of(variable), '=', &value);

	for (size_t i = 0; i < w->len; i++) {
		if (strncmp(w->ptr[i], variable, name.len + 1))
			continue;
		free(w->ptr[i]);
		w->ptr[i] = copy(str_of(variable));
		return;
	}
	words_add(w, variable);
}
