#include "supervisor/commands.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/end_limit.h"
#include "supervisor/control.h"
#include "supervisor/report.h"
#include "workers/io/json.h"
#include "workers/options/profiles.h"

enum { /* milliseconds */
       POLL_MS = 50,
       VERIFY_MS = 30000,
       CHANGE_MS = 3700000, /* more than the longest BRIDGE_DRAIN_MS */
};

static int
give_up(const char *about, const struct error *e)
{
	fprintf(stderr, "%s: %s\n", about, e->text);
	return e->code == ERR_UNAVAILABLE || e->code == ERR_WORKER_LOST
		       ? EXIT_NO_DAEMON
		       : EXIT_FAILURE;
}

/* The daemon's rows: all of them, or those that the command names */

struct rows {
	struct row *row;
	size_t count;
};

static bool
is_named(const struct order *o, const char *name)
{
	bool any = false;

	for (char **n = o->names; *n; n++) {
		if (!strcmp(*n, name) || !strcmp(*n, "all"))
			return true;
		any = true;
	}
	return !any;
}

static bool
read_rows(struct control *c, struct rows *rows, struct error *e)
{
	struct error end = { 0 };
	size_t n = 0;

	rows->row = xcalloc(MAX_CHILDREN, sizeof *rows->row);
	while (n < MAX_CHILDREN && control_row(c, n, &rows->row[n], &end))
		n++;
	rows->count = n;
	if (end.code == ERR_NONE || end.code == ERR_NOT_FOUND)
		return true;
	*e = end;
	return false;
}

static bool
is_there(const struct rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->count; i++)
		if (!strcmp(rows->row[i].name, name))
			return true;
	return !strcmp(name, "all");
}

/* Prints each unknown name; returns EXIT_NO_DAEMON then, otherwise `code`. */
static int
complain_of_unknown(const struct rows *rows, const struct order *o, int code)
{
	for (char **name = o->names; *name; name++) {
		if (is_there(rows, *name))
			continue;
		fprintf(o->json ? stderr : stdout,
			"%s: ERROR (no such process)\n", *name);
		code = EXIT_NO_DAEMON;
	}
	return code;
}

static int
disconnect(struct control *c, int code)
{
	fflush(stdout);
	end_limit_set(END_LIMIT_MS, code);
	control_fini(c);
	end_limit_unset();
	return code;
}

/* Connects, runs `work`, disconnects. */
static int
with_rows(const struct order *o,
	  int (*work)(struct control *, const struct rows *,
		      const struct order *))
{
	struct control c = CONTROL_INIT;
	struct rows rows = { NULL, 0 };
	struct error e = { 0 };
	int code;

	if (!control_init(&c, &e) || !read_rows(&c, &rows, &e))
		code = give_up("cli-bridge", &e);
	else
		code = work(&c, &rows, o);
	free(rows.row);
	return disconnect(&c, code);
}

/* status */

static int
show_status(struct control *c, const struct rows *rows, const struct order *o)
{
	json_t *list = json_array();
	int code = EXIT_SUCCESS;

	for (size_t i = 0; i < rows->count; i++) {
		const struct row *r = &rows->row[i];

		if (!is_named(o, r->name))
			continue;
		if (strcmp(r->state, "RUNNING") != 0 && !row_is_dormant(r))
			code = EXIT_NOT_ALL_UP;
		if (o->json)
			json_array_append_new(list, report_json(r));
		else
			report_print_status(r, unix_ms());
	}
	if (o->json)
		report_print_json(list);
	else
		json_decref(list);
	return complain_of_unknown(rows, o, code);
}

int
command_status(const struct order *o)
{
	return with_rows(o, show_status);
}

/* start, stop, restart */

/* Did the command name this process, instead of only saying "all"? */
static bool
is_said(const struct order *o, const char *name)
{
	for (char **n = o->names; *n; n++)
		if (!strcmp(*n, name))
			return true;
	return false;
}

static int
complain(const char *name, const char *why)
{
	printf("%s: ERROR (%s)\n", name, why);
	return EXIT_FAILURE;
}

static bool
is_in(const struct row *r, const char *states)
{
	struct str left = str_of(states), word;

	while (str_word(&left, &word))
		if (str_is(word, r->state))
			return true;
	return false;
}

/* Waits for start number `starts` and one of the states. */
static bool
await(struct control *c, struct row *r, const char *states, uint64_t starts,
      struct error *e)
{
	uint64_t limit = loop_now() + CHANGE_MS;

	for (;;) {
		if (!control_find(c, r->name, r, e))
			return false;
		if (r->starts >= starts && is_in(r, states))
			return true;
		if (loop_now() > limit)
			return fail_with(e, ERR_TIMEOUT, "still %s", r->state);
		control_wait(c, POLL_MS);
	}
}

/* Waits until a start that was ordered has succeeded or failed. */
static int
await_start(struct control *c, const struct row *before)
{
	struct row r = *before;
	struct error e = { 0 };

	if (!await(c, &r, "RUNNING BACKOFF FATAL STOPPED", before->starts + 1,
		   &e))
		return complain(r.name, e.text);
	if (!is_in(&r, "RUNNING"))
		return complain(r.name,
				*r.last_exit ? r.last_exit : "not started");
	printf("%s: started\n", r.name);
	return EXIT_SUCCESS;
}

static int
start_one(struct control *c, const struct row *r, const struct order *o)
{
	struct row before = *r;
	struct error e = { 0 };

	if (is_in(r, "RUNNING"))
		return is_said(o, r->name)
			       ? complain(r->name, "already started")
			       : EXIT_SUCCESS;
	if (is_in(r, "STARTING"))
		before.starts--; /* a start is under way: wait for this one */
	if (!control_order(c, MSG_START, r->name, &e))
		return e.code == ERR_NOT_SET_UP && !is_said(o, r->name)
			       ? EXIT_SUCCESS
			       : complain(r->name, e.text);
	return await_start(c, &before);
}

/* "all" leaves the gateway out: it stops only with the daemon. */
static int
stop_one(struct control *c, const struct row *before, const struct order *o)
{
	struct row r = *before;
	struct error e = { 0 };

	bool is_stopped = is_in(&r, "STOPPED") && !row_is_dormant(&r);

	if (!is_said(o, r.name) && (!r.is_worker || is_stopped))
		return EXIT_SUCCESS;
	if (is_stopped)
		return complain(r.name, "not running");
	if (!control_order(c, MSG_STOP, r.name, &e) ||
	    !await(c, &r, "STOPPED", 0, &e))
		return complain(r.name, e.text);
	printf("%s: stopped\n", r.name);
	return EXIT_SUCCESS;
}

/* Waits until the process that ran before is gone. */
static bool
await_end(struct control *c, const struct row *before, struct error *e)
{
	uint64_t limit = loop_now() + CHANGE_MS;
	struct row r = *before;

	while (r.pid == before->pid) {
		control_wait(c, POLL_MS);
		if (!control_find(c, before->name, &r, e))
			return false;
		if (loop_now() > limit)
			return fail_with(e, ERR_TIMEOUT, "still %s", r.state);
	}
	return true;
}

static int
restart_one(struct control *c, const struct row *r, const struct order *o)
{
	struct error e = { 0 };

	if (row_is_dormant(r) && !is_said(o, r->name))
		return EXIT_SUCCESS;
	if (!control_order(c, MSG_RESTART, r->name, &e) ||
	    (r->pid && !await_end(c, r, &e)))
		return complain(r->name, e.text);
	if (r->pid)
		printf("%s: stopped\n", r->name);
	return await_start(c, r);
}

static int
for_each(struct control *c, const struct rows *rows, const struct order *o,
	 int (*act)(struct control *, const struct row *, const struct order *))
{
	int code = EXIT_SUCCESS, one;

	for (size_t i = 0; i < rows->count; i++) {
		if (!is_named(o, rows->row[i].name))
			continue;
		one = act(c, &rows->row[i], o);
		code = one ? one : code;
	}
	return complain_of_unknown(rows, o, code);
}

static int
start_all(struct control *c, const struct rows *rows, const struct order *o)
{
	return for_each(c, rows, o, start_one);
}

static int
stop_all(struct control *c, const struct rows *rows, const struct order *o)
{
	return for_each(c, rows, o, stop_one);
}

static int
restart_all(struct control *c, const struct rows *rows, const struct order *o)
{
	return for_each(c, rows, o, restart_one);
}

int
command_start(const struct order *o)
{
	return with_rows(o, start_all);
}

int
command_stop(const struct order *o)
{
	return with_rows(o, stop_all);
}

int
command_restart(const struct order *o)
{
	return with_rows(o, restart_all);
}

/* shutdown */

int
command_shutdown(const struct order *o)
{
	struct control c = CONTROL_INIT;
	struct error e = { 0 };
	uint64_t limit = loop_now() + CHANGE_MS;
	int code = EXIT_SUCCESS;

	if (control_init(&c, &e) && control_shutdown(&c, &e)) {
		while (control_is_connected(&c) && loop_now() < limit)
			control_wait(&c, POLL_MS);
		printf("Shut down\n");
	} else {
		code = give_up("cli-bridge", &e);
	}
	return disconnect(&c, code);
}

/* verify */

/* Waits for the result of the probe, and leaves it in `r`. */
static bool
await_probe(struct control *c, struct row *r, struct error *e)
{
	uint64_t limit = loop_now() + VERIFY_MS;

	do {
		if (!control_find(c, r->name, r, e))
			return false;
		if (!r->is_verifying)
			return is_in(r, "RUNNING") || row_is_dormant(r) ||
			       fail_with(e, ERR_UNAVAILABLE,
					 "%s is not running", r->name);
		control_wait(c, POLL_MS);
	} while (loop_now() < limit);
	return fail_with(e, ERR_TIMEOUT,
			 "%s has not found out within %d s whether its CLI "
			 "works: the CLI may hang, try it by hand",
			 r->name, VERIFY_MS / 1000);
}

/* The row of a worker that is not up says why it is not. */
static void
blame_process(struct row *r, const struct error *e)
{
	struct buf why = BUF_INIT(2 * sizeof r->detail);

	buf_print(&why, "%s", e->text);
	if (!is_in(r, "RUNNING"))
		buf_print(&why, ": %s%s%s", r->state, *r->last_exit ? ", " : "",
			  r->last_exit);
	r->health = HEALTH_ERROR;
	snprintf(r->detail, sizeof r->detail, STR_FMT, STR_ARG(buf_str(&why)));
	buf_fini(&why);
}

static int
show_health(struct control *c, const struct rows *rows, const struct order *o)
{
	json_t *list = json_array();
	int code = EXIT_SUCCESS;

	for (size_t i = 0; i < rows->count; i++) {
		struct row r = rows->row[i];
		struct error e = { 0 };

		if (!r.is_worker || !is_named(o, r.name))
			continue;
		if (!control_order(c, MSG_VERIFY, r.name, &e) ||
		    !await_probe(c, &r, &e))
			blame_process(&r, &e);
		if (r.health != HEALTH_READY)
			code = EXIT_NOT_ALL_UP;
		if (o->json)
			json_array_append_new(list, report_json(&r));
		else
			report_print_health(&r);
	}
	if (o->json)
		report_print_json(list);
	else
		json_decref(list);
	return complain_of_unknown(rows, o, code);
}

/* A file of the catalogue that is no profile. */
static bool
show_bad_profiles(void)
{
	json_t *faults = json_array(), *fault;
	size_t i, n;

	json_decref(profiles_list(faults));
	n = json_array_size(faults);
	json_array_foreach (faults, i, fault)
		fprintf(stderr, "profile %s: %s\n", json_text(fault, "file"),
			json_text(fault, "error"));
	json_decref(faults);
	return n > 0;
}

int
command_verify(const struct order *o)
{
	int code = with_rows(o, show_health);

	return show_bad_profiles() && code == EXIT_SUCCESS ? EXIT_NOT_ALL_UP
							   : code;
}
