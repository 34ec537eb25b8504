#include "gateway/terms.h"

#include <jansson.h>

#include "gateway/http/http.h"
#include "proto/buf.h"
#include "proto/limits.h"
#include "proto/utf8.h"

/* `what` is the text, for the error. */
static bool
check_text(const char *what, struct str text, struct error *e)
{
	if (!text.len || text.len > MAX_ID)
		return fail_with(e, ERR_INVALID, "%s has 1 to %d bytes", what,
				 MAX_ID);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
			return fail_with(e, ERR_INVALID,
					 "%s has no control characters", what);
	return utf8_valid(text) ||
	       fail_with(e, ERR_INVALID, "%s is UTF-8", what);
}

bool
terms_check_session(struct str id, struct error *e)
{
	return check_text("a session id", id, e);
}

bool
terms_key(struct str said, struct str *key, struct error *e)
{
	if (said.len && !check_text("an Idempotency-Key", said, e))
		return false;
	*key = said.len ? said : (struct str){ 0 };
	return true;
}

bool
terms_headers(const struct request *r, char **headers, const char **where,
	      struct error *e)
{
	static const char *const names[] = {
#define OPTION(ID, kind, scope, by, name, field, alias, header, limit, unit, \
	       doc)                                                          \
	header,
#include "proto/options.def"
	};
	json_t *said = json_object();
	bool ok = true;

	for (size_t i = 0; i < sizeof names / sizeof *names && ok; i++) {
		const char *value =
			names[i] ? request_header(r, names[i]) : NULL;

		*where = names[i];
		if (!value || !*value)
			continue;
		ok = utf8_valid(str_of(value)) ||
		     fail_with(e, ERR_INVALID, "%s must be UTF-8", names[i]);
		json_object_set_new(said, names[i], json_string(value));
	}
	*headers = ok && json_object_size(said) ? json_dumps(said, JSON_COMPACT)
						: NULL;
	json_decref(said);
	return ok;
}

bool
terms_is_retry(struct str said)
{
	bool is_more = false;

	said = str_trim(said);
	for (size_t i = 0; i < said.len; i++) {
		if (said.ptr[i] < '0' || said.ptr[i] > '9')
			return false;
		is_more |= said.ptr[i] != '0';
	}
	return is_more;
}

/* The first place that says something; NULL: none does. */
static const struct said *
find_said(const struct said *said, size_t places)
{
	for (size_t i = 0; i < places; i++)
		if (said[i].what.len)
			return &said[i];
	return NULL;
}

static bool
agree(const struct said *first, const struct said *said, size_t places,
      const char **where, struct error *e)
{
	for (size_t i = 0; i < places; i++) {
		if (!said[i].what.len || str_eq(said[i].what, first->what))
			continue;
		*where = said[i].where;
		return fail_with(e, ERR_INVALID,
				 "%s and %s differ; say it once, or the same",
				 first->where, said[i].where);
	}
	return true;
}

bool
terms_session(const struct said *said, size_t places, struct str *session,
	      const char **where, struct error *e)
{
	const struct said *first = find_said(said, places);

	*session = (struct str){ 0 };
	if (!first)
		return true;
	*where = first->where;
	if (!terms_check_session(first->what, e) ||
	    !agree(first, said, places, where, e))
		return false;
	*session = first->what;
	return true;
}

static bool
check_cwd(const struct said *said, struct error *e)
{
	struct str path = said->what;

	if (*path.ptr != '/' || memchr(path.ptr, '\0', path.len))
		return fail_with(e, ERR_BAD_CWD, "%s must be an absolute path",
				 said->where);
	if (path.len > MAX_PATH)
		return fail_with(e, ERR_BAD_CWD,
				 "%s has %zu bytes; a path has at most %d",
				 said->where, path.len, MAX_PATH);
	return utf8_valid(path) ||
	       fail_with(e, ERR_BAD_CWD, "%s must be UTF-8", said->where);
}

bool
terms_cwd(const struct said *said, size_t places, struct str *cwd,
	  const char **where, struct error *e)
{
	const struct said *first = find_said(said, places);

	*cwd = (struct str){ 0 };
	if (!first)
		return true;
	*where = first->where;
	if (!check_cwd(first, e) || !agree(first, said, places, where, e))
		return false;
	*cwd = first->what;
	return true;
}
