#include <stdio.h>

#include "proto/log.h"
#include "proto/utf8.h"
#include "workers/worker/worker.h"

void
worker_probe(struct worker *w, bool asked)
{
	if (w->is_probing) {
		w->probes_again |= asked;
		return;
	}
	w->is_probing = true;
	engine.probe(w->self, asked);
}

static void
keep_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
	to[utf8_whole(str_of(to))] = '\0';
}

/* How it is at the start is in the supervisor's summary; changes are news. */
static void
log_health(const struct worker *w, enum health health, const char *detail)
{
	void (*say)(const char *, ...) = w->probes ? log_info : log_debug;

	say("health: %s%s%s", health_name(health), detail ? ": " : "",
	    detail ? detail : "");
}

void
worker_wait_for_health(struct worker *w, const char *detail)
{
	if (w->health == HEALTH_UNKNOWN)
		keep_text(w->detail, sizeof w->detail, detail);
}

void
worker_note_health(struct worker *w, enum health health, const char *detail)
{
	if (health != w->health)
		log_health(w, health, detail);
	w->health = health;
	keep_text(w->detail, sizeof w->detail, detail);
}

void
worker_set_health(struct worker *w, enum health health, const char *version,
		  const char *detail)
{
	keep_text(w->harness_version, sizeof w->harness_version, version);
	worker_note_health(w, health, detail);
	worker_keep_health(w);
}

void
worker_keep_health(struct worker *w)
{
	w->probes++;
	w->is_probing = false;
	if (!w->probes_again)
		return;
	w->probes_again = false;
	worker_probe(w, true);
}
