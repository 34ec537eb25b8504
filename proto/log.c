#include "proto/log.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "proto/output.h"
#include "proto/utf8.h"

enum {
	MAX_LOG_LINE = 2048, /* bytes */
	MAX_NOTE = 256,	     /* bytes of the note about unwritten lines */
	MAX_QUOTE = 160,     /* bytes of a quoted text that are shown */
	MAX_ESCAPE = 4,	     /* bytes that one byte can become */
};

_Static_assert(MAX_LOG_LINE + MAX_NOTE <= PIPE_BUF, "one write, one piece");

static const char *const names[] = { "error", "warn", "info", "debug" };

static struct {
	const char *who;
	enum log_level level;
	struct output output;
	uintmax_t unwritten; /* lines lost since the last written one */
} self = { "cli-bridge", LOG_INFO, OUTPUT_INIT(STDERR_FILENO), 0 };

void
log_open(const char *who, enum log_level level)
{
	self.who = who;
	self.level = level;
	self.output.way = OUTPUT_UNKNOWN;
}

bool
log_is_on(enum log_level level)
{
	return level <= self.level;
}

bool
log_level_read(const char *name, enum log_level *level)
{
	for (int i = LOG_ERROR; name && i <= LOG_DEBUG; i++) {
		if (strcmp(name, names[i]))
			continue;
		*level = (enum log_level)i;
		return true;
	}
	return false;
}

/* Escaping: a terminal that shows a line does nothing else with it. */

/*
 * Control characters of ASCII and Latin-1, and those of Unicode that break
 * lines or change the direction of writing.
 */
static bool
is_control(const char *c, size_t len)
{
	unsigned char first = (unsigned char)c[0];
	unsigned char second = len > 1 ? (unsigned char)c[1] : 0;
	unsigned char third = len > 2 ? (unsigned char)c[2] : 0;

	if (len == 1)
		return (first < ' ' && first != '\t') || first == 0x7f;
	if (len == 2)
		return first == 0xc2 && second < 0xa0;
	return first == 0xe2 &&
	       ((second == 0x80 && third >= 0xa8 && third <= 0xae) ||
		(second == 0x81 && third >= 0xa6 && third <= 0xa9));
}

/*
 * Copies the character at the start of `s`, or its first byte if it is no
 * character, to `to`, and escapes it if necessary.  Returns the number of bytes
 * read, and adds the number written to *at: up to MAX_ESCAPE for each byte.
 */
static size_t
show(char *to, size_t *at, struct str s, const char *escaped)
{
	size_t len = utf8_first(s);
	char escape[MAX_ESCAPE + 1];

	if (len && !is_control(s.ptr, len) &&
	    !(len == 1 && strchr(escaped, *s.ptr))) {
		memcpy(to + *at, s.ptr, len);
		*at += len;
		return len;
	}
	if (*s.ptr == '\n')
		snprintf(escape, sizeof escape, "\\n");
	else
		snprintf(escape, sizeof escape, "\\x%02x",
			 (unsigned)(unsigned char)*s.ptr);
	memcpy(to + *at, escape, strlen(escape));
	*at += strlen(escape);
	return 1;
}

/* Copies as much of `text` as there is room for; returns the new end. */
static size_t
show_all(char *to, size_t at, size_t room, struct str text)
{
	size_t next;

	while (text.len && at + MAX_ESCAPE < room) {
		next = show(to, &at, text, "");
		text = str_from(text, next);
	}
	return at;
}

const char *
log_quote(struct str s)
{
	static char bufs[4][MAX_ESCAPE * MAX_QUOTE + 8];
	static unsigned turn;
	char *buf = bufs[turn++ % 4];
	size_t n = 0, next;
	struct str left = { s.ptr, s.len < MAX_QUOTE ? s.len : MAX_QUOTE };

	if (left.len < s.len)
		left.len = utf8_whole(left);
	buf[n++] = '"';
	for (; left.len; left = str_from(left, next))
		next = show(buf, &n, left, "\"\\");
	snprintf(buf + n, 5, "%s", s.len > MAX_QUOTE ? "\"..." : "\"");
	return buf;
}

/* Lines */

/* Writes the time, the level and the name of the process. */
static size_t
begin_line(char *line, size_t size, enum log_level level)
{
	struct timespec now;
	struct tm utc;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
	n += (size_t)snprintf(line + n, size - n,
			      ".%03ldZ %s %s: ", now.tv_nsec / 1000000,
			      names[level], self.who);
	return n < size ? n : size - 1;
}

static size_t
note_unwritten(char *line)
{
	size_t n;

	if (!self.unwritten)
		return 0;
	n = begin_line(line, MAX_NOTE, LOG_WARN);
	n += (size_t)snprintf(line + n, MAX_NOTE - n,
			      "%ju line%s could not be written before this "
			      "one\n",
			      self.unwritten, self.unwritten == 1 ? "" : "s");
	if (n < MAX_NOTE)
		return n;
	line[MAX_NOTE - 1] = '\n';
	return MAX_NOTE;
}

/* One write for each line, so that lines of several processes don't mix. */
static void
say(enum log_level level, const char *fmt, va_list ap)
{
	char line[MAX_NOTE + MAX_LOG_LINE], text[MAX_LOG_LINE];
	int kept = errno;
	size_t n;

	if (!log_is_on(level))
		return;
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		*text = '\0';
	n = note_unwritten(line);
	n += begin_line(line + n, MAX_LOG_LINE, level);
	n = show_all(line, n, sizeof line - 1, str_of(text));
	line[n++] = '\n';
	if (output_line(&self.output, line, n))
		self.unwritten = 0;
	else
		self.unwritten++;
	errno = kept;
}

#define LOG_FUNCTION(name, level)       \
	void name(const char *fmt, ...) \
	{                               \
		va_list ap;             \
                                        \
		va_start(ap, fmt);      \
		say(level, fmt, ap);    \
		va_end(ap);             \
	}

LOG_FUNCTION(log_error, LOG_ERROR)
LOG_FUNCTION(log_warn, LOG_WARN)
LOG_FUNCTION(log_info, LOG_INFO)
LOG_FUNCTION(log_debug, LOG_DEBUG)

/* A line without a time, for the person who typed the command. */
void
log_tell(const char *fmt, ...)
{
	char line[MAX_LOG_LINE], text[MAX_LOG_LINE];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		*text = '\0';
	va_end(ap);
	n = show_all(line, 0, sizeof line - 1, str_of(text));
	line[n++] = '\n';
	if (!output_line(&self.output, line, n))
		self.unwritten++;
}
