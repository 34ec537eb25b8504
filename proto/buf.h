#pragma once
/*
 * buf - bytes that grow, up to a maximum that is fixed at the start
 *
 * Also the one way to allocate: what cannot be had is a bug of the plan, and
 * ends the process, which is then started again.
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

/* Makes room for `more` bytes behind what is there; ERR_TOO_LARGE. */
must_check bool buf_reserve(struct buf *, size_t more, struct error *);
must_check bool buf_add(struct buf *, struct str, struct error *);

/* Appends what is known to fit: asserts it. */
void buf_put(struct buf *, struct str);

/* Like printf; for text that is known to fit: asserts it. */
void buf_print(struct buf *, const char *fmt, ...) printf_like(2);

/* Drops `n` bytes at the front, and memory that is no longer in proportion. */
void buf_drop(struct buf *, size_t n);

static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->ptr ? b->ptr : "", b->len };
}

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *, size_t size);

/* A NUL-terminated copy, NULL if absent.  The caller frees it. */
char *copy(struct str);
char *copy_format(const char *fmt, ...) printf_like(1);

static inline void
free_at(void *pointer)
{
	free(*(void **)pointer);
}

#define auto_free __attribute__((cleanup(free_at)))
