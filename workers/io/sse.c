#include "workers/io/sse.h"

void
sse_fini(struct sse *s)
{
	buf_fini(&s->data);
	*s = SSE_INIT;
}

/* A name that is too long is none that anybody knows; its beginning is for a
 * message. */
static void
set_name(struct sse *s, struct str name)
{
	if (name.len >= sizeof s->name)
		name.len = sizeof s->name - 1;
	str_keep(s->name, sizeof s->name, name);
}

/* Several lines of data are one text, with line ends between them. */
static bool
add_data(struct sse *s, struct str data, struct error *e)
{
	bool ok = (!s->has_data || buf_add(&s->data, STR("\n"), e)) &&
		  buf_add(&s->data, data, e);

	s->has_data = true;
	return ok ||
	       fail_with(e, ERR_TOO_LARGE, "an event has more than %u bytes",
			 MAX_SERVICE_EVENT);
}

/* An event without data is none. */
static void
end_event(struct sse *s, bool *is_whole)
{
	*is_whole = s->has_data;
	s->was_taken = true;
}

static void
begin_event(struct sse *s)
{
	s->name[0] = '\0';
	buf_drop(&s->data, s->data.len);
	s->has_data = s->was_taken = false;
}

static struct str
without_bom(struct str line)
{
	return str_starts(line, STR("\xef\xbb\xbf")) ? str_from(line, 3) : line;
}

bool
sse_line(struct sse *s, struct str line, bool *is_whole, struct error *e)
{
	struct str value, field;

	*is_whole = false;
	if (s->was_taken)
		begin_event(s);
	if (!s->has_begun)
		line = without_bom(line);
	s->has_begun = true;
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (!line.len) {
		end_event(s, is_whole);
		return true;
	}
	field = str_cut(line, ':', &value);
	if (!value.ptr)
		value = STR("");
	else if (str_starts(value, STR(" ")))
		value = str_from(value, 1);
	if (str_is(field, "data"))
		return add_data(s, value, e);
	if (str_is(field, "event"))
		set_name(s, value);
	return true;
}
