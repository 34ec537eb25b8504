#include "proto/env_file.h"

#include <ctype.h>

#include "proto/buf.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct str
without_leading_blanks(struct str s)
{
	while (s.len && is_blank(*s.ptr))
		s = str_from(s, 1);
	return s;
}

static struct str
without_trailing_blanks(struct str s)
{
	while (s.len && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '_')
			return false;
	return s.len > 0 && !isdigit((unsigned char)*s.ptr);
}

/* `s` begins with a quote. */
static bool
read_quoted(struct str *value, struct str s, struct error *e)
{
	struct str rest;

	*value = str_cut(str_from(s, 1), *s.ptr, &rest);
	if (!rest.ptr)
		return fail_with(e, ERR_INVALID,
				 "the quote %c is not closed on the same line",
				 *s.ptr);
	s = without_leading_blanks(rest);
	if (!s.len || (*s.ptr == '#' && s.ptr != rest.ptr))
		return true;
	return fail_with(e, ERR_INVALID,
			 "only a comment, after white space, may stand behind "
			 "a value in quotes");
}

/* A comment needs white space before it; white space behind the "=" counts. */
static struct str
read_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '#' && i > 0 && is_blank(s.ptr[i - 1]))
			return without_trailing_blanks(
				(struct str){ s.ptr, i });
	return without_trailing_blanks(s);
}

static bool
read_value(struct str *value, struct str s, struct error *e)
{
	struct str after = without_leading_blanks(s);

	if (after.len && (*after.ptr == '"' || *after.ptr == '\''))
		return read_quoted(value, after, e);
	*value = without_leading_blanks(read_plain(s));
	return true;
}

static struct str
without_export(struct str line)
{
	static const size_t len = sizeof "export" - 1;

	if (line.len > len && str_starts(line, STR("export")) &&
	    is_blank(line.ptr[len]))
		return without_leading_blanks(str_from(line, len));
	return line;
}

static void
append(struct env_file *f, struct env_entry entry)
{
	if ((f->count & (f->count + 1)) == 0) /* full at 0, 1, 3, 7, ... */
		f->entries = xrealloc(f->entries,
				      (2 * f->count + 1) * sizeof *f->entries);
	f->entries[f->count++] = entry;
}

static bool
read_line(struct env_file *f, struct str line, struct error *e)
{
	struct env_entry entry;
	struct str right;

	if (line.len && memchr(line.ptr, '\0', line.len))
		return fail_with(e, ERR_INVALID,
				 "has a zero byte: the file must be saved as "
				 "UTF-8, not as UTF-16");
	line = without_leading_blanks(line);
	if (!line.len || *line.ptr == '#')
		return true;
	entry.name = without_trailing_blanks(
		str_cut(without_export(line), '=', &right));
	if (!right.ptr || !is_name(entry.name))
		return fail_with(e, ERR_INVALID, "must be NAME=value");
	if (!read_value(&entry.value, right, e))
		return false;
	append(f, entry);
	return true;
}

bool
env_file_read(struct env_file *f, struct str text, struct error *e)
{
	struct error why = { 0 };
	struct str line;

	*f = (struct env_file){ NULL, 0 };
	if (str_starts(text, STR("\xef\xbb\xbf")))
		text = str_from(text, 3);
	for (unsigned number = 1; text.len; number++) {
		line = str_cut(text, '\n', &text);
		if (!read_line(f, line, &why))
			return fail_with(e, ERR_INVALID, "line %u: %s", number,
					 why.text);
	}
	return true;
}

void
env_file_fini(struct env_file *f)
{
	free(f->entries);
	*f = (struct env_file){ NULL, 0 };
}

struct str
env_file_value(const struct env_file *f, struct str name)
{
	for (size_t i = f->count; i-- > 0;)
		if (str_eq(f->entries[i].name, name))
			return f->entries[i].value;
	return (struct str){ NULL, 0 };
}
