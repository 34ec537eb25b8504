#pragma once
/*
 * acp_replay - an agent of workers/acp that says what was recorded
 *
 * data/acp/<agent>-<name>.jsonl is what it said, .heard is what must be heard
 * of it, .wire the agent's own records.  Whatever it answers was asked in the
 * order in which a harness asks; each turn says the same.
 *
 * Turns follow one another, unless a .jsonl says itself what happens when:
 * "# say" begins a turn, and "# wire 12" is the time at which the agent has
 * written so many lines of its records.
 */
#include "tests/unit/harness_kit.h"
#include "workers/acp/acp.h"

/* The agent, and the one conversation in it. */
extern struct acp state;
extern struct acp_agent instance_own;
extern struct loop event_loop;
extern struct instance agent;
extern struct conversation talk;

/* The file in which its records grow, which main() makes and removes. */
extern char growing[];

const struct harness *harness(void); /* of the agent */
/* Of data/acp/; without bytes if there is no such file. */
struct str read_file(const char *name, const char *ending);
void forget(void);
unsigned prompts_written(void);

/* The agent is up, as `name` and with that mode, and is greeted. */
void greet_agent(const char *name, bool is_restricted);

/* A session of `name` is open, and nothing has been said. */
void open_session(const char *name);

json_t *message(const char *text);
void say(const char *text);

/* Says the whole transcript in two pieces, cut at `at`. */
void replay(const char *name, struct str said, size_t at);

/* These, or so many of those that were recorded, are the lines of its records
 * now.  Whatever waits for them looks at once. */
void wire_becomes(struct str lines);
void wire_reaches(const char *name, size_t count);
