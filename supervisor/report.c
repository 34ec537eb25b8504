#include "supervisor/report.h"

#include <stdio.h>

enum { MAX_DESCRIPTION = 4 << 10 /* bytes */ };

static bool
is_up(const struct row *r)
{
	return !strcmp(r->state, "RUNNING");
}

/* "2 days, 0:01:02" */
static void
add_uptime(struct buf *out, uint64_t ms)
{
	uint64_t s = ms / 1000, days = s / 86400;

	if (days)
		buf_print(out, "%ju day%s, ", (uintmax_t)days,
			  days == 1 ? "" : "s");
	s %= 86400;
	buf_print(out, "%ju:%02ju:%02ju", (uintmax_t)(s / 3600),
		  (uintmax_t)(s / 60 % 60), (uintmax_t)(s % 60));
}

/* Its CLIs run in a pool of containers. */
static bool
has_slots(const struct row *r)
{
	return r->slots.free || r->slots.busy || r->slots.warm || r->slots.dead;
}

static void
add_counts(struct buf *out, const struct row *r)
{
	buf_print(out, ", %ju running", (uintmax_t)r->running);
	if (!r->is_worker)
		return;
	buf_print(out, ", %ju queued, %ju warm", (uintmax_t)r->queued,
		  (uintmax_t)r->warm);
	if (r->background)
		buf_print(out, ", %ju in the background",
			  (uintmax_t)r->background);
	if (r->parked)
		buf_print(out, ", %ju parked", (uintmax_t)r->parked);
	if (has_slots(r))
		buf_print(out, ", slots: %u free, %u busy, %u warm, %u dead",
			  r->slots.free, r->slots.busy, r->slots.warm,
			  r->slots.dead);
	if (r->health != HEALTH_READY)
		buf_print(out, ", %s", health_name((enum health)r->health));
}

void
report_describe(struct buf *out, const struct row *r, uint64_t now)
{
	if (is_up(r)) {
		buf_print(out, "pid %ju, uptime ", (uintmax_t)r->pid);
		add_uptime(out, now > r->since ? now - r->since : 0);
		add_counts(out, r);
	} else if (row_is_dormant(r)) {
		buf_print(out, "%s", r->detail);
	} else if (!r->pid) {
		buf_print(out, "%s",
			  *r->last_exit ? r->last_exit : "Not started");
	}
}

void
report_print_status(const struct row *r, uint64_t now)
{
	struct buf text = BUF_INIT(MAX_DESCRIPTION);

	report_describe(&text, r, now);
	printf("%-33s%-10s" STR_FMT "\n", r->name, r->state,
	       STR_ARG(buf_str(&text)));
	buf_fini(&text);
}

void
report_print_health(const struct row *r)
{
	const char *detail = r->detail;

	if (r->health == HEALTH_READY)
		detail = *r->harness ? r->harness : r->detail;
	printf("%-13s%-13s%s\n", r->name, health_name((enum health)r->health),
	       detail);
}

static json_t *
text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

json_t *
report_json(const struct row *r)
{
	json_t *o = json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:I}", "name", r->name, "kind",
		r->is_worker ? "worker" : "gateway", "state", r->state,
		"since_ms", (json_int_t)r->since, "starts",
		(json_int_t)r->starts, "running", (json_int_t)r->running);

	json_object_set_new(o, "pid",
			    r->pid ? json_integer((json_int_t)r->pid)
				   : json_null());
	json_object_set_new(o, "last_exit", text_or_null(r->last_exit));
	if (!r->is_worker)
		return o;
	json_object_set_new(o, "queued", json_integer((json_int_t)r->queued));
	json_object_set_new(o, "warm", json_integer((json_int_t)r->warm));
	json_object_set_new(o, "background",
			    json_integer((json_int_t)r->background));
	json_object_set_new(o, "parked", json_integer((json_int_t)r->parked));
	json_object_set_new(o, "slots",
			    has_slots(r) ? json_pack("{s:i, s:i, s:i, s:i}",
						     "free", (int)r->slots.free,
						     "busy", (int)r->slots.busy,
						     "warm", (int)r->slots.warm,
						     "dead", (int)r->slots.dead)
					 : json_null());
	json_object_set_new(o, "health",
			    json_string(health_name((enum health)r->health)));
	json_object_set_new(o, "version", text_or_null(r->harness));
	json_object_set_new(o, "detail", text_or_null(r->detail));
	return o;
}

void
report_print_json(json_t *rows)
{
	json_dumpf(rows, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(rows);
}
