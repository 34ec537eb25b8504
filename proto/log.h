#pragma once
/*
 * log - says what happened, once, to standard error
 *
 * A line starts with when, how grave and who, then with what it is about:
 *
 *   2026-01-31T12:00:00.123Z info worker.claude: turn 7: cancelled
 *
 * Levels: error, somebody must look; warn, something is not as it was meant;
 * info, the lives of processes and turns; debug, every message.  User text
 * goes through log_quote(), which cuts and escapes it.  errno is kept.
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

/* For one log call: good until the fourth next one. */
const char *log_quote(struct str);
