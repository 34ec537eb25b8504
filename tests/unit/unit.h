#pragma once
/*
 * unit - the words in which unit tests are written
 *
 * The only place that includes cmocka.h: it needs the four headers before it
 * and defines a macro fail(), which nothing of ours may therefore be called.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/error.h"
#include "proto/str.h"

/* `call` may use `e`. */
#define must(call)                                         \
	do {                                               \
		struct error e = { 0 };                    \
		if (!(call))                               \
			fail_msg("%s: %s", #call, e.text); \
	} while (0)

#define must_fail(want, why, call)                \
	do {                                      \
		struct error e = { 0 };           \
		assert_false(call);               \
		assert_string_equal(e.text, why); \
		assert_int_equal(e.code, want);   \
	} while (0)

#define assert_str(got, want)                                  \
	do {                                                   \
		struct str got_ = (got);                       \
		assert_int_equal(got_.len, strlen(want));      \
		assert_memory_equal(got_.ptr, want, got_.len); \
	} while (0)
