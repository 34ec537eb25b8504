#include "tests/unit/acp_replay.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/io/lines.h"
#include "workers/executor/host.h"

struct acp state;
struct acp_agent instance_own;
struct loop event_loop;
struct instance agent = { .executor = (struct executor *)&host_executor,
			  .scratch = "/tmp",
			  .loop = &event_loop,
			  .own = &instance_own };
struct conversation talk = { .instance = &agent,
			     .executor = (struct executor *)&host_executor,
			     .cwd = "/w",
			     .own = &state };

const struct harness *
harness(void)
{
	static const struct harness *h;
	struct error e;

	h = harness_of(agent.name, &e);
	assert_non_null(h);
	return h;
}

struct str
read_file(const char *name, const char *ending)
{
	return is_recorded("acp", name, ending) ? recorded("acp", name, ending)
						: (struct str){ NULL, 0 };
}

void
forget(void)
{
	if (instance_own.kind) {
		harness()->clear(&talk);
		harness()->instance_clear(&agent);
	}
	memset(&instance_own, 0, sizeof instance_own);
	notes_clear();
}

/* The agent is up, as `name` and with that mode, and is greeted. */
void
greet_agent(const char *name, bool is_restricted)
{
	struct words argv = { 0 }, env = { 0 };

	forget();
	agent.name = name;
	agent.permission_mode = talk.permission_mode =
		harness()->permission_modes[is_restricted ? 1 : 0];
	talk.cli_id = "unknown";
	talk.resumed = false;
	talk.model = NULL;
	notes_talk = &talk;
	words_add(&env, "HOME=/nonexistent");
	must(harness()->instance_command(&agent, &argv, &env, &e));
	words_fini(&argv);
	words_fini(&env);
	harness()->instance_handshake(&agent);
}

json_t *
message(const char *text)
{
	return json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user", "content",
			 "type", "text", "text", text);
}

void
say(const char *text)
{
	json_t *messages = message(text);

	talk.messages = messages;
	talk.from = 0;
	harness()->say(&talk);
	talk.messages = NULL;
	json_decref(messages);
}

/* How far its records have been read; and those, "": it has none. */
static int64_t reached;
static char wire[512];

static bool is_scripted;

/* What the engine would do when it hears that. */
static void
react(struct str note)
{
	if (str_is(note, "agent ready")) {
		harness()->handshake(&talk);
	} else if (is_scripted) {
		return;
	} else if (str_is(note, "ready") || str_starts(note, STR("finish ")) ||
		   str_starts(note, STR("fail "))) {
		say("hello");
		state.record.read = reached;
	}
}

/* The agent's records as they grow. */
char growing[] = "/tmp/test_acp.wire.XXXXXX";

void
wire_becomes(struct str lines)
{
	struct timer *look = &state.record.look;
	FILE *f = fopen(growing, "w");

	assert_non_null(f);
	fwrite(lines.ptr, 1, lines.len, f);
	fclose(f);
	if (timer_is_set(look)) {
		loop_unset(&event_loop, look);
		look->fire(look);
	}
}

void
wire_reaches(const char *name, size_t count)
{
	struct str all = read_file(name, "wire"), rest = all;

	for (; count > 0; count--)
		(void)str_cut(rest, '\n', &rest);
	wire_becomes((struct str){ all.ptr, all.len - rest.len });
}

static const char *script;

static void
do_as_scripted(struct str line)
{
	if (str_is(line, "# say"))
		say("hello");
	else
		wire_reaches(script, strtoul(line.ptr + 7, NULL, 10));
}

static void
hear(struct str line)
{
	size_t had = notes.heard.len;
	auto_free char *heard = NULL;
	struct str rest, note;

	if (is_scripted && line.len && *line.ptr == '#') {
		do_as_scripted(line);
		return;
	}
	if (*wire && !state.record.path)
		state.record.path = copy(str_of(wire));
	must(harness()->instance_line(&agent, line, &e));
	reached = state.record.read;
	heard = copy(str_from(buf_str(&notes.heard), had));
	rest = str_of(heard);
	while (rest.len) {
		note = str_cut(rest, '\n', &rest);
		react(note);
	}
}

/* "kimi-cut" of kimi; what it was not allowed in another mode. */
static void
greet_for(const char *name)
{
	auto_free char *kind = copy((struct str){ name, strcspn(name, "-") });
	static char kept[16];

	snprintf(kept, sizeof kept, "%s", kind);
	greet_agent(kept, strstr(name, "-rejected") != NULL);
	talk.resumed = strstr(name, "-resumed") || strstr(name, "-lost");
	talk.cli_id = talk.resumed ? "S" : "unknown";
	talk.model = strstr(name, "-no-model") ? "no-such-model"
		     : str_starts(str_of(name), STR("gemini"))
			     ? "gemini-2.5-pro"
			     : NULL;
	reached = 0;
	snprintf(wire, sizeof wire, DATA "/acp/%s.wire", name);
	if (is_scripted && access(wire, R_OK) == 0) {
		snprintf(wire, sizeof wire, "%s", growing);
		script = name;
		wire_reaches(name, 0);
	}
	if (access(wire, R_OK) != 0)
		wire[0] = '\0';
	free(instance_own.records);
	instance_own.records = *wire ? copy(STR("/nonexistent")) : NULL;
}

/* Says the whole transcript in two pieces, cut at `at`. */
void
replay(const char *name, struct str said, size_t at)
{
	struct str pieces[] = { { said.ptr, at }, str_from(said, at) }, line;
	struct lines lines = LINES_INIT(MAX_LINE);
	char *room;

	is_scripted = memmem(said.ptr, said.len, "\n# ", 3);
	greet_for(name);
	for (size_t i = 0; i < 2; i++) {
		must(lines_room(&lines, pieces[i].len, &room, &e));
		memcpy(room, pieces[i].ptr, pieces[i].len);
		lines_added(&lines, pieces[i].len);
		while (lines_next(&lines, &line))
			hear(line);
	}
	lines_fini(&lines);
	is_scripted = false;
}

/* A session of `name` is open, and nothing has been said. */
void
open_session(const char *name)
{
	greet_agent(name, false);
	harness()->handshake(&talk);
	talk.cli_id = "s";
	state.models = json_object();
	state.choice = ACP_SET_MODEL;
	buf_fini(&notes.written);
}

unsigned
prompts_written(void)
{
	struct str rest = buf_str(&notes.written);
	unsigned count = 0;
	const char *at;

	while ((at = memmem(rest.ptr, rest.len, "session/prompt", 14))) {
		rest = str_from(rest, (size_t)(at - rest.ptr) + 14);
		count++;
	}
	return count;
}
