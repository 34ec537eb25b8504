#pragma once
/* str - a view of bytes that another object owns; absent if ptr is NULL */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct str {
	const char *ptr;
	size_t len;
};

#define STR(literal) ((struct str){ "" literal, sizeof literal - 1 })
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr

static inline struct str
str_of(const char *cstr)
{
	return (struct str){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

static inline bool
str_is(struct str a, const char *cstr)
{
	return str_eq(a, str_of(cstr));
}

/* Ignores the case of ASCII letters. */
static inline bool
str_same(struct str a, struct str b)
{
	return a.len == b.len &&
	       (a.len == 0 || !strncasecmp(a.ptr, b.ptr, a.len));
}

static inline bool
str_starts(struct str s, struct str with)
{
	return s.len >= with.len && !memcmp(s.ptr, with.ptr, with.len);
}

static inline struct str
str_from(struct str s, size_t at)
{
	return (struct str){ at ? s.ptr + at : s.ptr, s.len - at };
}

/*
 * Splits `s` at the first `c`: returns the part before it and leaves the part
 * behind it in *rest, which is absent if there was no `c`.
 */
static inline struct str
str_cut(struct str s, char c, struct str *rest)
{
	const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;

	if (!at) {
		*rest = (struct str){ NULL, 0 };
		return s;
	}
	*rest = str_from(s, (size_t)(at - s.ptr) + 1);
	return (struct str){ s.ptr, (size_t)(at - s.ptr) };
}

/* The zero byte is no space, though strchr() would find it. */
static inline bool
str_is_space(char c)
{
	return c && strchr(" \t\r\n\v\f", c);
}

static inline struct str
str_trim(struct str s)
{
	while (s.len && str_is_space(s.ptr[s.len - 1]))
		s.len--;
	while (s.len && str_is_space(*s.ptr))
		s = str_from(s, 1);
	return s;
}

/*
 * Takes the next word off a list whose words are separated by commas or white
 * space.  False at its end.
 */
static inline bool
str_word(struct str *list, struct str *word)
{
	while (list->len && strchr(", \t\r\n", *list->ptr))
		*list = str_from(*list, 1);
	*word = (struct str){ list->ptr, 0 };
	while (list->len && !strchr(", \t\r\n", *list->ptr)) {
		*list = str_from(*list, 1);
		word->len++;
	}
	return word->len > 0;
}

/* Is `what` in a list of words?  Ignores the case of ASCII letters. */
static inline bool
str_list_has(struct str list, struct str what)
{
	struct str word;

	while (str_word(&list, &word))
		if (str_same(word, what))
			return true;
	return false;
}

/* Copies text whose length was checked into `size` bytes, with a final NUL. */
static inline void
str_keep(char *to, size_t size, struct str s)
{
	assert(s.len < size);
	memcpy(to, s.len ? s.ptr : "", s.len);
	to[s.len] = '\0';
}
