#pragma once
/*
 * report - how the command line shows a row, to people and to programs
 *
 * People get supervisorctl's words and columns, which they may know already;
 * programs get JSON.
 */
#include <jansson.h>

#include "supervisor/control.h"

/*
 * "pid 123, uptime 0:01:02, 2 running, 0 queued, 3 warm", or why the process
 * ended.  `now` is Unix time in ms.
 */
void report_describe(struct buf *out, const struct row *, uint64_t now);

void report_print_status(const struct row *, uint64_t now);
void report_print_health(const struct row *);

/* Gives a new reference. */
json_t *report_json(const struct row *);

/* Takes the array and prints it. */
void report_print_json(json_t *);
