#pragma once
/*
 * log - says what happened, once, to standard error
 *
 * A line starts with when, how grave and who, then with what it is about:
 *
 *   2026-01-31T12:00:00.123Z info worker.claude: turn 7: cancelled
 *
 * Levels: error, somebody must look; warn, something is not as it was meant;
 * info, what an operator wants to read; debug, every process and every message.
 *
 * A line never waits for whoever reads it: lines that could not be written are
 * counted, and the next one that is written says how many there were.  A line
 * is one line, whatever is in it, and can't command the terminal that shows
 * it: control characters are escaped.  User text also goes through
 * log_quote(), so that one sees where it ends.  errno is kept.
 */
#include "proto/error.h"
#include "proto/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* `who` is not copied. */
void log_open(const char *who, enum log_level);
bool log_is_on(enum log_level);

/* "warn"; false if there is no such level. */
bool log_level_read(const char *name, enum log_level *);

void log_error(const char *fmt, ...) printf_like(1);
void log_warn(const char *fmt, ...) printf_like(1);
void log_info(const char *fmt, ...) printf_like(1);
void log_debug(const char *fmt, ...) printf_like(1);

/* A line without time and name, for whoever typed the command that fails. */
void log_tell(const char *fmt, ...) printf_like(1);

/* For one log call: good until the fourth next one. */
const char *log_quote(struct str);
