#include "tests/unit/harness_kit.h"

#include <stdio.h>
#include <unistd.h>

#include "workers/io/lines.h"

static char *
path_of(const char *folder, const char *name, const char *ending)
{
	return copy_format("%s/%s/%s.%s", DATA, folder, name, ending);
}

struct str
recorded(const char *folder, const char *name, const char *ending)
{
	static char files[3][1 << 20];
	static unsigned turn;
	auto_free char *path = path_of(folder, name, ending);
	char *buf = files[turn++ % 3];
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		fail_msg("%s: no such file", path);
	n = fread(buf, 1, sizeof files[0], f);
	fclose(f);
	assert_true(n < sizeof files[0]);
	return (struct str){ buf, n };
}

bool
is_recorded(const char *folder, const char *name, const char *ending)
{
	auto_free char *path = path_of(folder, name, ending);

	return access(path, R_OK) == 0;
}

static void
record(const char *folder, const char *name)
{
	auto_free char *path = path_of(folder, name, "heard");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fwrite(notes.heard.ptr, 1, notes.heard.len, f);
	fclose(f);
}

static void
must_be(struct str want, const char *folder, const char *name)
{
	if (!str_eq(buf_str(&notes.heard), want))
		fail_msg("%s/%s: heard\n" STR_FMT, folder, name,
			 STR_ARG(buf_str(&notes.heard)));
}

void
must_be_heard_of(const char *folder, const char *name)
{
	if (getenv("RECORD"))
		record(folder, name);
	must_be(recorded(folder, name, "heard"), folder, name);
}

static void
say_piece(const struct harness_kit *k, struct lines *lines, struct str piece)
{
	struct str line;
	char *room;

	must(lines_room(lines, piece.len, &room, &e));
	memcpy(room, piece.ptr, piece.len);
	lines_added(lines, piece.len);
	while (lines_next(lines, &line))
		assert_true(k->hear(line));
}

static void
replay(const struct harness_kit *k, const char *name, struct str said,
       size_t at)
{
	struct lines lines = LINES_INIT(MAX_LINE);

	k->begin(name);
	say_piece(k, &lines, (struct str){ said.ptr, at });
	say_piece(k, &lines, str_from(said, at));
	lines_fini(&lines);
}

void
replay_cut(const struct harness_kit *k, const char *name, size_t at)
{
	replay(k, name, recorded(k->folder, name, "jsonl"), at);
}

void
replay_all(const struct harness_kit *k, const char *const *names)
{
	for (; *names; names++) {
		replay_cut(k, *names, 0);
		must_be_heard_of(k->folder, *names);
	}
}

void
replay_every_cut(const struct harness_kit *k, const char *name)
{
	struct str said = recorded(k->folder, name, "jsonl");
	struct str want = recorded(k->folder, name, "heard");

	for (size_t at = 0; at <= said.len; at++) {
		replay(k, name, said, at);
		must_be(want, k->folder, name);
	}
}

void
replay_mutants(const struct harness_kit *k, const char *const *names,
	       mutant_fn *hear)
{
	for (; *names; names++)
		mutants_each(recorded(k->folder, *names, "jsonl"), hear);
}

bool
can_speak(size_t since)
{
	struct str line, rest = str_from(buf_str(&notes.heard), since);

	while (rest.len) {
		line = str_cut(rest, '\n', &rest);
		if (str_starts(line, STR("ready")) ||
		    str_starts(line, STR("finish")) ||
		    str_starts(line, STR("fail")))
			return true;
	}
	return false;
}

json_t *
user_says(const char *text)
{
	return json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user", "content",
			 "type", "text", "text", text);
}

static bool
is_in(const struct buf *b, const char *words)
{
	return memmem(buf_str(b).ptr, b->len, words, strlen(words));
}

bool
was_heard(const char *words)
{
	return is_in(&notes.heard, words);
}

bool
was_written(const char *words)
{
	return is_in(&notes.written, words);
}

static void
fail_about_text(const char *words, const char *how, const struct buf *b)
{
	fail_msg("%s is %s: " STR_FMT, words, how, STR_ARG(buf_str(b)));
}

void
must_have_heard(const char *words)
{
	if (!was_heard(words))
		fail_about_text(words, "not in", &notes.heard);
}

void
must_have_heard_only(const char *all)
{
	if (!str_is(buf_str(&notes.heard), all))
		fail_about_text(all, "not all of", &notes.heard);
}

void
must_have_written(const char *words)
{
	if (!was_written(words))
		fail_about_text(words, "not in", &notes.written);
}

void
must_not_have_written(const char *words)
{
	if (was_written(words))
		fail_about_text(words, "in", &notes.written);
}
