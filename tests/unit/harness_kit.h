#pragma once
/*
 * harness_kit - what the tests of all harnesses have in common
 *
 * A recording is data/<folder>/<name>.jsonl, what the CLI said line by line,
 * and <name>.heard, what must be heard of it (conversation_notes.h).  After a
 * change that is meant, a test with RECORD=1 in its environment writes the
 * latter anew; then read the difference.
 */
#include "tests/unit/unit.h"

#include "tests/unit/conversation_notes.h"
#include "tests/unit/mutants.h"

struct harness_kit {
	const char *folder;
	/* A new conversation, as the recording `name` needs it. */
	void (*begin)(const char *name);
	/* The CLI says a line; false: it says no more. */
	bool (*hear)(struct str line);
};

/* Lent until the third next call. */
struct str recorded(const char *folder, const char *name, const char *ending);
bool is_recorded(const char *folder, const char *name, const char *ending);

/* All that was heard is what must be heard of the recording. */
void must_be_heard_of(const char *folder, const char *name);

/* Says the whole recording in two pieces, cut at `at`. */
void replay_cut(const struct harness_kit *, const char *name, size_t at);

/* Says each recording, and compares; `names` end with NULL. */
void replay_all(const struct harness_kit *, const char *const *names);

/* Cuts it everywhere. */
void replay_every_cut(const struct harness_kit *, const char *name);

/* Lets `hear` hear every mutant of each recording; `names` end with NULL. */
void replay_mutants(const struct harness_kit *, const char *const *names,
		    mutant_fn *hear);

/* Something has come to its end since so many bytes were heard: a turn can
 * begin. */
bool can_speak(size_t since);

/* The messages of a request: one of the user's, with one text. */
json_t *user_says(const char *text);

bool was_heard(const char *words);
bool was_written(const char *words);
void must_have_heard(const char *words);
void must_have_heard_only(const char *all);
void must_have_written(const char *words);
void must_not_have_written(const char *words);
