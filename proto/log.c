#include "proto/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_LOG_LINE = 2048, /* bytes */
	MAX_QUOTE = 160,     /* bytes of it that are shown */
};

static const char *const names[] = { "error", "warn", "info", "debug" };

static struct {
	const char *who;
	enum log_level level;
} self = { "cli-bridge", LOG_INFO };

void
log_open(const char *who, enum log_level level)
{
	self.who = who;
	self.level = level;
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

/* One write per line, so that the lines of several processes do not mix. */
static void
say(enum log_level level, const char *fmt, va_list ap)
{
	char line[MAX_LOG_LINE];
	struct timespec now;
	struct tm utc;
	size_t n;
	int kept = errno, more;

	if (!log_is_on(level))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
	n += (size_t)snprintf(line + n, sizeof line - n,
			      ".%03ldZ %s %s: ", now.tv_nsec / 1000000,
			      names[level], self.who);
	more = vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
	if (more > 0)
		n += (size_t)more;
	if (n > sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, n); /* nowhere left to complain */
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

const char *
log_quote(struct str s)
{
	static char bufs[4][4 * MAX_QUOTE + 8];
	static unsigned turn;
	char *buf = bufs[turn++ % 4];
	size_t n = 0, shown = s.len < MAX_QUOTE ? s.len : MAX_QUOTE;

	buf[n++] = '"';
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < ' ' || c == '"' || c == '\\' || c == 0x7f)
			n += (size_t)snprintf(buf + n, 5, "\\x%02x", c);
		else
			buf[n++] = (char)c;
	}
	snprintf(buf + n, 5, "%s", shown < s.len ? "\"..." : "\"");
	return buf;
}
