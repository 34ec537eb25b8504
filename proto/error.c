#include "proto/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/utf8.h"

static const struct {
	const char *name;
	int http;
	const char *type, *slug;
	enum error_retry retry;
} errors[] = {
#define ERROR(NAME, http, type, code, retry) \
	{ #NAME, http, type, code, RETRY_##retry },
#include "proto/errors.def"
};

/* A cut can leave half a character at the end, which no peer would accept. */
static void
mend(struct error *e)
{
	e->text[utf8_whole(str_of(e->text))] = '\0';
}

static void
say(struct error *e, enum error_code code, const char *fmt, va_list ap)
{
	e->code = code;
	e->retry_ms = 0;
	e->field_len = 0;
	vsnprintf(e->text, sizeof e->text, fmt, ap);
}

bool
fail_with(struct error *e, enum error_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(e, code, fmt, ap);
	va_end(ap);
	mend(e);
	return false;
}

bool
fail_about(struct error *e, enum error_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(e, code, fmt, ap);
	va_end(ap);
	mend(e);
	e->field_len = (uint16_t)strcspn(e->text, " :");
	return false;
}

bool
fail_errno(struct error *e, const char *fmt, ...)
{
	const char *why = strerrordesc_np(errno);
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	say(e, ERR_SYSTEM, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %s", why ? why : "?");
	mend(e);
	return false;
}

const char *
error_name(enum error_code code)
{
	return errors[code].name;
}

const char *
error_type(enum error_code code)
{
	return errors[code].type;
}

const char *
error_slug(enum error_code code)
{
	return errors[code].slug;
}

int
error_http(enum error_code code)
{
	return errors[code].http;
}

enum error_retry
error_retry(enum error_code code)
{
	return errors[code].retry;
}
