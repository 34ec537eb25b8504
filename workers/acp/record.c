#include "workers/acp/acp.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/io/lines.h"

/*
 * Kimi answers a prompt with "end_turn" even if its vendor said 429 or the
 * stream broke off; it reports only the lack of a login.  But it writes how
 * each turn ended, and the tokens, into a line of
 * <home>/sessions/<any>/<session>/agents/ main/wire.jsonl, some milliseconds
 * after its answer.
 *
 * If there is no such file, as in another version, the answer alone counts.
 */

enum {
	LOOK_AGAIN_MS = 10,
	MAX_LOOKS = 300,
	PIECE = 64 << 10,
};

static char *
find_record(const char *home, const char *session)
{
	auto_free char *sessions = copy_format("%s/sessions", home);
	DIR *d = opendir(sessions);
	struct dirent *entry;
	char *path = NULL;

	while (d && !path && (entry = readdir(d))) {
		path = copy_format("%s/%s/%s/agents/main/wire.jsonl", sessions,
				   entry->d_name, session);
		if (entry->d_name[0] != '.' && access(path, R_OK) == 0)
			continue;
		free(path);
		path = NULL;
	}
	if (d)
		closedir(d);
	return path;
}

/* The lines that are there already belong to earlier turns. */
void
acp_record_begin(struct conversation *c)
{
	const char *home = acp_agent_of(c)->records;
	struct acp *own = c->own;
	struct stat st;

	if (!home)
		return;
	if (!own->record)
		own->record = find_record(home, c->cli_id);
	if (!own->record)
		return; /* the file is made in the first turn */
	own->recorded = stat(own->record, &st) == 0 ? st.st_size : 0;
}

/* Lines */

static json_int_t
number(const json_t *object, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(object, key));

	return n > 0 ? n : 0;
}

static void
on_usage(struct acp *c, const json_t *line)
{
	const json_t *usage = json_object_get(line, "usage");
	const struct acp_usage u = {
		.input = number(usage, "inputOther") +
			 number(usage, "inputCacheRead") +
			 number(usage, "inputCacheCreation"),
		.output = number(usage, "output"),
		.cached = number(usage, "inputCacheRead"),
	};

	acp_add_usage(c, &u);
}

static void
on_request(struct acp *c, const json_t *line)
{
	const char *model = json_text(line, "model");

	if (model)
		snprintf(c->answering, sizeof c->answering, "%s", model);
}

static void
on_step(struct acp *c, const json_t *line)
{
	const json_t *event = json_object_get(line, "event");
	const char *reason = json_text(event, "finishReason");

	if (reason)
		json_object_set_new(c->answer, "finishReason",
				    json_string(reason));
}

/* The end of the turn before, which was cancelled, may stand before this line.
 */
static void
on_prompt(struct acp *c, const json_t *line)
{
	json_object_set_new(c->answer, "begun", json_true());
}

static void
on_end(struct acp *c, const json_t *line)
{
	if (json_object_get(c->answer, "begun"))
		json_object_set(c->answer, "ended", (json_t *)line);
}

static const struct {
	const char *type;
	void (*hear)(struct acp *, const json_t *);
} records[] = {
	{ "turn.prompt", on_prompt },  { "usage.record", on_usage },
	{ "llm.request", on_request }, { "context.append_loop_event", on_step },
	{ "turn.ended", on_end },
};

static void
hear(struct acp *c, struct str said)
{
	json_t *line = json_loadb(said.ptr, said.len, JSON_ALLOW_NUL, NULL);
	const char *type = json_text(line, "type");

	for (size_t i = 0; type && i < sizeof records / sizeof *records; i++)
		if (!strcmp(type, records[i].type))
			records[i].hear(c, line);
	json_decref(line);
}

static bool
has_ended(const struct acp *c)
{
	return json_object_get(c->answer, "ended") != NULL;
}

/* Only whole lines are read; the rest is read again later. */
static void
read_lines(struct acp *c, int fd)
{
	struct lines lines = LINES_INIT(MAX_LINE);
	struct str line;
	struct error e;
	ssize_t n = 1;
	char *room;

	while (n > 0 && !has_ended(c) && lines_room(&lines, PIECE, &room, &e)) {
		off_t at = c->recorded + (off_t)(lines.buf.len - lines.start);

		n = pread(fd, room, PIECE, at);
		if (n > 0)
			lines_added(&lines, (size_t)n);
		while (!has_ended(c) && lines_next(&lines, &line)) {
			c->recorded += (int64_t)line.len + 1;
			hear(c, line);
		}
	}
	lines_fini(&lines);
}

static void
read_record(struct acp *c)
{
	int fd = open(c->record, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	read_lines(c, fd);
	close(fd);
}

/* The end of a turn */

static void
fail(struct conversation *c, const json_t *ended)
{
	const json_t *error = json_object_get(ended, "error");
	const json_t *details = json_object_get(error, "details");
	const char *code = json_text(error, "code");
	struct error e = { 0 };

	acp_explain_words(
		c, json_integer_value(json_object_get(details, "statusCode")),
		json_text(error, "message"), &e);
	if (e.code == ERR_HARNESS && code && !strncmp(code, "provider.", 9))
		e.code = conversation_has_spoken(c) ? ERR_TRUNCATED
						    : ERR_UPSTREAM;
	acp_fail(c, &e);
}

static bool
is(const char *a, const char *b)
{
	return a && !strcmp(a, b);
}

static void
conclude(struct conversation *c)
{
	struct acp *own = c->own;
	json_t *answer = json_incref(own->answer);
	const json_t *ended = json_object_get(answer, "ended");
	const char *code = json_text(json_object_get(ended, "error"), "code");

	if (is(json_text(answer, "finishReason"), "max_tokens"))
		json_object_set_new(answer, "stopReason",
				    json_string("max_tokens"));
	if (is(json_text(ended, "reason"), "failed") &&
	    !is(code, "provider.filtered"))
		fail(c, ended);
	else
		acp_conclude(c, answer);
	json_decref(answer);
}

static void
give_up(struct conversation *c)
{
	struct error e = { 0 };

	fail_with(&e, ERR_HARNESS, "%s left no record of how its turn ended",
		  conversation_name(c));
	acp_fail(c, &e);
}

static void
look(struct timer *timer)
{
	struct acp *own = container_of(timer, struct acp, look);
	struct conversation *c = own->conversation;

	if (!own->answer)
		return; /* the turn was cancelled */
	read_record(own);
	if (has_ended(own))
		conclude(c);
	else if (own->looks++ < MAX_LOOKS)
		loop_set(c->instance->loop, timer, LOOK_AGAIN_MS, look);
	else
		give_up(c);
}

void
acp_record_end(struct conversation *c, const json_t *result)
{
	const char *home = acp_agent_of(c)->records;
	struct acp *own = c->own;

	if (!home || is(json_text(result, "stopReason"), "cancelled")) {
		acp_conclude(c, result);
		return;
	}
	if (!own->record)
		own->record = find_record(home, c->cli_id);
	if (!own->record) {
		instance_unknown(c->instance, "records", "that are not there");
		acp_conclude(c, result);
		return;
	}
	own->answer =
		json_is_object(result) ? json_deep_copy(result) : json_object();
	look(&own->look);
}

void
acp_record_clear(struct conversation *c)
{
	struct acp *own = c->own;

	if (timer_is_set(&own->look))
		loop_unset(c->instance->loop, &own->look);
	free(own->record);
	own->record = NULL;
}
