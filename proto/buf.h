#pragma once
/*
 * buf - bytes that grow, up to a maximum that is set at the start
 *
 * This module is also the only way to allocate memory.  If there is none the
 * process aborts, and is started again.
 */
#include <stdlib.h>

#include "proto/error.h"
#include "proto/str.h"

struct buf {
	char *ptr;
	size_t len, size, max;
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })

void buf_fini(struct buf *);

/* Makes room for `more` bytes behind the content; ERR_TOO_LARGE. */
must_check bool buf_reserve(struct buf *, size_t more, struct error *);
must_check bool buf_add(struct buf *, struct str, struct error *);

/* Appends text that is known to fit: asserts that it does. */
void buf_put(struct buf *, struct str);

/* Like printf, for text that is known to fit: asserts that it does. */
void buf_print(struct buf *, const char *fmt, ...) printf_like(2);

/* Drops `n` bytes at the front, and frees memory that is much too large now. */
void buf_drop(struct buf *, size_t n);

static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->ptr ? b->ptr : "", b->len };
}

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *, size_t size);

/* A NUL-terminated copy, NULL if the text is absent.  The caller frees it. */
char *copy(struct str);
char *copy_format(const char *fmt, ...) printf_like(1);

static inline void
free_at(void *pointer)
{
	free(*(void **)pointer);
}

#define auto_free __attribute__((cleanup(free_at)))
