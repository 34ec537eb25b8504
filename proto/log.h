#pragma once
/*
 * log - writes what happened, once, to standard error
 *
 * A line starts with the time, the level, the process, and the thing that it is
 * about:
 *
 *   2026-01-31T12:00:00.123Z info worker.claude: turn 7: cancelled
 *
 * Levels: error, an operator must act; warn, something is not as intended;
 * info, what an operator wants to read; debug, every process and every message.
 *
 * Logging never waits for the reader of the log: lines that could not be
 * written are counted, and the next line that is written gives their number.  A
 * line is always one line and can't send commands to a terminal, because
 * control characters are escaped.  Text of users also goes through log_quote(),
 * which shows where it ends.  errno is kept.
 */
#include "proto/error.h"
#include "proto/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* `who` is not copied. */
void log_open(const char *who, enum log_level);
bool log_is_on(enum log_level);

/* Reads the name of a level, such as "warn"; false if there is none. */
bool log_level_read(const char *name, enum log_level *);

void log_error(const char *fmt, ...) printf_like(1);
void log_warn(const char *fmt, ...) printf_like(1);
void log_info(const char *fmt, ...) printf_like(1);
void log_debug(const char *fmt, ...) printf_like(1);

/* A line without time and name, for the person who typed the command. */
void log_tell(const char *fmt, ...) printf_like(1);

/* Quotes text for one log call: valid until the fourth call from now. */
const char *log_quote(struct str);
