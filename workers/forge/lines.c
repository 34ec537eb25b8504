#include "workers/forge/forge.h"

#include <ctype.h>
#include <stdio.h>

#include "proto/utf8.h"

/*
 * Lines about what forge does begin with a coloured disc and the time.  All
 * other lines are the model's words or the output of a tool, which look the
 * same.  Colours are switched on: thoughts are dim, and a line of an answer
 * that begins with a disc has no colour, so it is not taken for one of forge's.
 */

#define DISC "\xe2\x97\x8f"

/*
 * Takes an escape sequence off the front of `s`, and leaves in *style the
 * numbers of a change of colour; absent if it was none.  False if `s` begins
 * with no escape sequence.
 */
static bool
take_escape(struct str *s, struct str *style)
{
	size_t n = 2;

	*style = (struct str){ NULL, 0 };
	if (s->len < 2 || s->ptr[0] != '\x1b')
		return false;
	if (s->ptr[1] == ']') {
		while (n < s->len && s->ptr[n] != '\a' && s->ptr[n] != '\\')
			n++;
	} else if (s->ptr[1] == '[') {
		while (n < s->len && (isdigit((unsigned char)s->ptr[n]) ||
				      strchr(";:?", s->ptr[n])))
			n++;
		if (n < s->len && s->ptr[n] == 'm')
			*style = (struct str){ s->ptr + 2, n - 2 };
	}
	*s = str_from(*s, n < s->len ? n + 1 : s->len);
	return true;
}

/* The first character of `s`, or a byte that belongs to no character. */
static struct str
first_of(struct str s)
{
	for (size_t n = 1; n <= 4 && n <= s.len; n++)
		if (utf8_valid((struct str){ s.ptr, n }))
			return (struct str){ s.ptr, n };
	return (struct str){ s.ptr, 1 };
}

/* A tool may print any bytes: those that are no text become U+FFFD.  The caller
 * frees the copy. */
static char *
text_of(struct str s)
{
	struct buf b = BUF_INIT(3 * s.len);
	struct str first;
	struct error e;
	char *text;

	for (; s.len; s = str_from(s, first.len)) {
		first = first_of(s);
		(void)!buf_add(&b,
			       utf8_valid(first) ? first : STR("\xef\xbf\xbd"),
			       &e);
	}
	text = copy(buf_str(&b));
	buf_fini(&b);
	return text;
}

char *
forge_plain(struct str s)
{
	struct buf b = BUF_INIT(s.len + 1);
	struct str style;
	char *plain;

	while (s.len)
		if (!take_escape(&s, &style)) {
			buf_print(&b, "%c", *s.ptr);
			s = str_from(s, 1);
		}
	plain = text_of(buf_str(&b));
	buf_fini(&b);
	return plain;
}

/* What the model says */

static void
on_text(struct conversation *c, struct str s)
{
	struct forge *f = c->own;
	auto_free char *mended = utf8_valid(s) ? NULL : text_of(s);

	if (!s.len)
		return;
	if (mended)
		s = str_of(mended);
	if (f->is_dim) {
		conversation_reasoning(c, s);
		return;
	}
	if (f->owes_newline && f->has_text)
		conversation_text(c, STR("\n"));
	f->owes_newline = false;
	f->has_text = true;
	conversation_text(c, s);
}

/* A newline is passed on together with the next line, so that the last line has
 * none. */
static void
end_line(struct conversation *c)
{
	struct forge *f = c->own;

	if (f->is_dim) {
		conversation_reasoning(c, STR("\n"));
		return;
	}
	if (f->owes_newline && f->has_text)
		conversation_text(c, STR("\n"));
	f->owes_newline = true;
}

/* Thoughts are dim; quotations are dim and slanted. */
static void
set_style(struct forge *f, struct str style)
{
	if (style.len == 0 || str_is(style, "0"))
		f->is_dim = false;
	else if (str_is(style, "2"))
		f->is_dim = true;
}

static void
on_words(struct conversation *c, struct str line)
{
	struct forge *f = c->own;
	struct str style, words = { line.ptr, 0 };

	while (line.len) {
		words.ptr = line.ptr;
		words.len = 0;
		while (words.len < line.len && words.ptr[words.len] != '\x1b')
			words.len++;
		on_text(c, words);
		line = str_from(line, words.len);
		if (!take_escape(&line, &style) && line.len)
			line = str_from(line, 1);
		if (style.ptr)
			set_style(f, style);
	}
	end_line(c);
}

/* What forge does */

/* forge begins a conversation that it does not know without a warning. */
static void
on_conversation(struct conversation *c, struct str words)
{
	struct forge *f = c->own;

	f->has_forgotten = c->resumed && str_starts(words, STR("Initialize "));
	if (f->has_forgotten)
		conversation_lost(c);
}

static void
on_finished(struct conversation *c, struct str words)
{
	struct forge *f = c->own;

	f->has_finished = true;
}

/* forge asks the vendor again, and repeats the answer from its start. */
static void
on_error(struct conversation *c, struct str words)
{
	struct forge *f = c->own;
	struct error e = { 0 };

	snprintf(f->failure, sizeof f->failure, STR_FMT, STR_ARG(words));
	if (!conversation_has_spoken(c))
		return;
	fail_with(&e, ERR_TRUNCATED, "forge: " STR_FMT, STR_ARG(words));
	conversation_abort(c, &e);
}

static void
on_tool(struct conversation *c, struct str words)
{
	struct forge *f = c->own;
	struct str name, arguments = words;

	name = str_cut(words, ' ', &arguments);
	conversation_tool(c, json_pack("{s:o, s:s%, s:s%}", "id",
				       json_sprintf("forge-%u", ++f->tools),
				       "name", name.ptr, name.len, "arguments",
				       arguments.ptr ? arguments.ptr : "",
				       arguments.len));
}

static const struct {
	const char *begins;
	void (*hear)(struct conversation *, struct str words);
} titles[] = {
	{ "Initialize ", on_conversation },
	{ "Continue ", on_conversation },
	{ "Finished ", on_finished },
	{ "ERROR: ", on_error },
	{ "WARNING: ", NULL },
	{ "", on_tool },
};

/* "Finished ID" has the id of the conversation, which only forge can print. */
static bool
is_of_ours(const struct conversation *c, struct str words)
{
	struct str id;

	(void)str_cut(words, ' ', &id);
	return c->cli_id && id.len && str_is(id, c->cli_id);
}

static void
on_title(struct conversation *c, struct str words)
{
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
		struct str begins = str_of(titles[i].begins);

		if (!str_starts(words, begins))
			continue;
		if (titles[i].hear == on_finished && !is_of_ours(c, words))
			continue;
		if (titles[i].hear)
			titles[i].hear(c, words);
		return;
	}
}

/* The line begins with a coloured disc, a space and "[hh:mm:ss] ". */
static bool
is_title(struct str line)
{
	struct str style = { NULL, 0 };
	bool coloured = false;

	while (take_escape(&line, &style))
		coloured =
			style.len && !str_is(style, "0") && !str_is(style, "2");
	return coloured && str_starts(line, STR(DISC "\x1b"));
}

static bool
has_time(struct str words)
{
	static const char shape[] = DISC " [00:00:00] ";
	size_t len = sizeof shape - 1;

	if (words.len < len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (shape[i] == '0' ? !isdigit((unsigned char)words.ptr[i])
				    : words.ptr[i] != shape[i])
			return false;
	return true;
}

bool
forge_line(struct conversation *c, struct str line, struct error *e)
{
	struct forge *f = c->own;
	auto_free char *plain = NULL;
	struct str words;

	if (!is_title(line)) {
		on_words(c, line);
		return true;
	}
	plain = forge_plain(line);
	words = str_of(plain);
	if (!has_time(words)) {
		on_words(c, line);
		return true;
	}
	f->is_dim = false;
	on_title(c, str_from(words, sizeof DISC " [00:00:00] " - 1));
	return true;
}
