/*
 * cli-bridge-echo-cli - the CLI that the echo harness drives
 *
 *      cli-bridge-echo-cli <session> <directory or ""> <new|resume>
 *
 * Reads turns from standard input, one JSON object a line, and answers with
 * events, one a line:
 *
 *      {"type":"history","messages":[...]}
 *      {"type":"turn","model":M,"messages":[...]}     {"type":"interrupt"}
 *
 *      {"type":"ready"}  {"type":"lost"}
 *      {"type":"text","text":T}  {"type":"reasoning","text":T}
 *      {"type":"tool","tool":{...}}
 *      {"type":"done","usage":{...}}
 *      {"type":"error","status":S,"text":T,"retry_ms":R}
 *
 * M is a list of instructions, see them below.  What users have said is kept
 * in <directory>/<session>, so that a session can be resumed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "proto/buf.h"
#include "proto/utf8.h"

enum {
	DEFAULT_CHUNKS = 8,
	FLUSH_AT = 64 << 10, /* bytes */
	RETRY_MS = 7000,     /* what "fail:429" tells the client to wait */
};

/* What a model's instructions ask for; -1 is not at all. */
struct manner {
	int64_t text;	      /* bytes of made-up text instead of the user's */
	int64_t chunks;	      /* deltas that the text is split into */
	int64_t delay;	      /* ms before each delta */
	int64_t silent_after; /* deltas, then nothing more, ever */
	int64_t crash_after;  /* deltas, then abort() */
	int64_t truncate_after;		     /* deltas, then exit(0) */
	int64_t fail;			     /* with this status */
	int64_t think, tool, pid, uncounted; /* 1: yes */
};

static const struct {
	const char *name;
	size_t offset;
	int64_t without_number; /* -1: must have one */
} instructions[] = {
	{ "text", offsetof(struct manner, text), -1 },
	{ "chunks", offsetof(struct manner, chunks), -1 },
	{ "delay", offsetof(struct manner, delay), -1 },
	{ "silent", offsetof(struct manner, silent_after), 0 },
	{ "silent_after", offsetof(struct manner, silent_after), -1 },
	{ "crash", offsetof(struct manner, crash_after), 0 },
	{ "crash_after", offsetof(struct manner, crash_after), -1 },
	{ "truncate_after", offsetof(struct manner, truncate_after), -1 },
	{ "fail", offsetof(struct manner, fail), -1 },
	{ "think", offsetof(struct manner, think), 1 },
	{ "tool", offsetof(struct manner, tool), 1 },
	{ "pid", offsetof(struct manner, pid), 1 },
	{ "uncounted", offsetof(struct manner, uncounted), 1 },
};

struct echo {
	const char *session, *directory; /* directory "": nothing is kept */
	uint64_t turns;			 /* of this process */
	uint64_t heard;			 /* messages of the user, ever */
	struct buf input, output;
	bool input_ended, interrupted;
};

/* Talking */

static void
flush(struct echo *e)
{
	size_t at = 0;
	ssize_t n;

	while (at < e->output.len) {
		n = write(STDOUT_FILENO, e->output.ptr + at,
			  e->output.len - at);
		if (n < 0 && errno != EINTR)
			_exit(1); /* nobody listens any more */
		if (n > 0)
			at += (size_t)n;
	}
	buf_drop(&e->output, at);
}

/* Takes `event`. */
static void
say(struct echo *e, json_t *event)
{
	char *line = json_dumps(event, JSON_COMPACT);
	struct error why;

	if (!line)
		abort();
	if (!buf_add(&e->output, str_of(line), &why) ||
	    !buf_add(&e->output, STR("\n"), &why))
		abort();
	if (e->output.len >= FLUSH_AT)
		flush(e);
	free(line);
	json_decref(event);
}

static void
say_text(struct echo *e, const char *type, struct str text)
{
	say(e,
	    json_pack("{s:s, s:s%}", "type", type, "text", text.ptr, text.len));
}

static void
say_error(struct echo *e, int64_t status, const char *text)
{
	say(e, json_pack("{s:s, s:I, s:s, s:i}", "type", "error", "status",
			 (json_int_t)status, "text", text, "retry_ms",
			 status == 429 ? RETRY_MS : 0));
	flush(e);
}

/* Listening */

/* Takes the next line off the input; the caller frees it.  NULL: none yet. */
static json_t *
next_line(struct echo *e)
{
	char *newline =
		e->input.len ? memchr(e->input.ptr, '\n', e->input.len) : NULL;
	json_t *line;
	size_t len;

	if (!newline)
		return NULL;
	len = (size_t)(newline - e->input.ptr);
	line = json_loadb(e->input.ptr, len, JSON_ALLOW_NUL, NULL);
	buf_drop(&e->input, len + 1);
	return line ? line : json_null();
}

/* Waits up to `ms`, -1 for ever, for more input. */
static void
listen(struct echo *e, int64_t ms)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct error why;
	ssize_t n;

	if (poll(&in, 1, (int)ms) <= 0)
		return;
	if (!buf_reserve(&e->input, 64 << 10, &why))
		_exit(1);
	n = read(STDIN_FILENO, e->input.ptr + e->input.len,
		 e->input.size - e->input.len);
	if (n > 0)
		e->input.len += (size_t)n;
	else if (n == 0)
		e->input_ended = true;
}

static bool
is_type(const json_t *line, const char *type)
{
	const char *is = json_string_value(json_object_get(line, "type"));

	return is && !strcmp(is, type);
}

/* Passes the time; false if the turn is interrupted or nobody is there. */
static bool
wait_for(struct echo *e, int64_t ms)
{
	struct timespec now, end;
	json_t *line;
	int64_t left = ms;

	clock_gettime(CLOCK_MONOTONIC, &end);
	while (!e->interrupted && !e->input_ended && left != 0) {
		listen(e, left);
		while ((line = next_line(e))) {
			e->interrupted |= is_type(line, "interrupt");
			json_decref(line);
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (ms > 0)
			left = ms - (now.tv_sec - end.tv_sec) * 1000 -
			       (now.tv_nsec - end.tv_nsec) / 1000000;
		if (ms > 0 && left < 0)
			left = 0;
	}
	return !e->interrupted && !e->input_ended;
}

/* What was said before is kept as one line for each message. */

static char *
memory_path(const struct echo *e)
{
	return copy_format("%s/%s", e->directory, e->session);
}

static bool
recall(struct echo *e)
{
	auto_free char *path = memory_path(e);
	FILE *f = fopen(path, "re");
	int c;

	if (!f)
		return false;
	while ((c = fgetc(f)) != EOF)
		e->heard += c == '\n';
	fclose(f);
	return true;
}

static void
remember(struct echo *e, uint64_t messages)
{
	auto_free char *path = memory_path(e);
	int fd;

	e->heard += messages;
	if (!e->directory[0])
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	for (uint64_t i = 0; fd >= 0 && i < messages; i++)
		if (write(fd, "heard\n", 6) != 6)
			break;
	if (fd >= 0)
		close(fd);
}

/* Turns */

static bool
read_instruction(struct manner *m, struct str word)
{
	struct str number, name = str_cut(word, ':', &number);
	char *end;

	for (size_t i = 0; i < sizeof instructions / sizeof *instructions;
	     i++) {
		int64_t *to = (void *)((char *)m + instructions[i].offset);

		if (!str_is(name, instructions[i].name))
			continue;
		*to = instructions[i].without_number;
		if (!number.ptr)
			return *to >= 0;
		*to = strtoll(number.ptr, &end, 10);
		return number.len > 0 && end == number.ptr + number.len &&
		       *to >= 0;
	}
	return str_is(word, "echo") || str_is(word, "oneline");
}

static bool
read_manner(struct manner *m, const char *model, struct str *wrong)
{
	struct str left = str_of(model), word;

	*m = (struct manner){ -1, -1, 0, -1, -1, -1, -1, 0, 0, 0, 0 };
	while (left.ptr && str_word(&left, &word)) {
		if (str_is(word, "oneline"))
			m->chunks = 1;
		if (!read_instruction(m, word)) {
			*wrong = word;
			return false;
		}
	}
	return true;
}

static bool
is_user(const json_t *message)
{
	const char *role = json_string_value(json_object_get(message, "role"));

	return role && !strcmp(role, "user");
}

/* The text of the last message, all its parts. */
static void
last_text(const json_t *messages, struct buf *to)
{
	const json_t *last =
		json_array_get(messages, json_array_size(messages) - 1);
	const json_t *parts = json_object_get(last, "content"), *part;
	struct error why;
	size_t i;

	json_array_foreach (parts, i, part) {
		const json_t *text = json_object_get(part, "text");

		if (json_is_string(text) &&
		    !buf_add(to,
			     (struct str){ json_string_value(text),
					   json_string_length(text) },
			     &why))
			abort();
	}
}

static void
make_text(struct buf *to, int64_t bytes)
{
	static const char words[] = "The quick brown fox jumps over it all. ";
	struct error why;
	size_t left = (size_t)bytes, n;

	for (; left; left -= n) {
		n = left < sizeof words - 1 ? left : sizeof words - 1;
		if (!buf_add(to, (struct str){ words, n }, &why))
			abort();
	}
}

static uint64_t
count_words(struct str s)
{
	uint64_t n = 0;
	struct str word;

	while (str_word(&s, &word))
		n++;
	return n;
}

/* What happens before the next delta; false if the turn is over by it. */
static bool
go_on(struct echo *e, const struct manner *m, int64_t chunk)
{
	if (m->crash_after == chunk || m->silent_after == chunk ||
	    m->truncate_after == chunk || m->delay)
		flush(e);
	if (m->crash_after == chunk)
		abort();
	if (m->truncate_after == chunk)
		exit(0);
	if (m->silent_after == chunk)
		return wait_for(e, -1);
	return wait_for(e, m->delay);
}

/* The next of so many pieces, not cut inside a character. */
static struct str
take_piece(struct str *left, int64_t pieces)
{
	struct str piece = *left;

	if (pieces > 1) {
		piece.len = (left->len + (size_t)pieces - 1) / (size_t)pieces;
		while (piece.len < left->len &&
		       ((unsigned char)left->ptr[piece.len] & 0xc0) == 0x80)
			piece.len++;
	}
	*left = str_from(*left, piece.len);
	return piece;
}

static bool
say_all(struct echo *e, const struct manner *m, struct str text)
{
	int64_t chunks = m->chunks > 0 ? m->chunks : DEFAULT_CHUNKS;
	int64_t chunk = 0;

	while (text.len) {
		if (!go_on(e, m, chunk))
			return false;
		say_text(e, "text", take_piece(&text, chunks - chunk));
		chunk++;
	}
	return go_on(e, m, chunk);
}

static void
finish(struct echo *e, const struct manner *m, uint64_t asked,
       uint64_t answered)
{
	json_t *usage = json_pack("{s:I, s:I}", "input", (json_int_t)asked,
				  "output", (json_int_t)answered);

	if (m->uncounted > 0)
		json_object_clear(usage);
	say(e, json_pack("{s:s, s:o}", "type", "done", "usage", usage));
	flush(e);
}

static void
say_extras(struct echo *e, const struct manner *m)
{
	if (m->think)
		say_text(e, "reasoning", STR("thinking about it"));
	if (m->tool)
		say(e, json_pack("{s:s, s:{s:s, s:s, s:{s:s}}}", "type", "tool",
				 "tool", "id", "tool-1", "name", "look",
				 "arguments", "at", "nothing"));
}

static void
answer(struct echo *e, const struct manner *m, const json_t *messages)
{
	struct buf text = BUF_INIT(MAX_BODY), asked = BUF_INIT(MAX_BODY);

	last_text(messages, &asked);
	if (m->pid)
		buf_print(&text,
			  "pid %d turn %" PRIu64
			  " of session %s; heard %" PRIu64,
			  (int)getpid(), e->turns, e->session, e->heard);
	else if (m->text >= 0)
		make_text(&text, m->text);
	else
		last_text(messages, &text);
	say_extras(e, m);
	if (say_all(e, m, buf_str(&text)))
		finish(e, m, count_words(buf_str(&asked)),
		       count_words(buf_str(&text)));
	else
		say_error(e, 499, "interrupted");
	buf_fini(&text);
	buf_fini(&asked);
}

/* Takes note of what the user said in them. */
static void
hear(struct echo *e, const json_t *line)
{
	const json_t *messages = json_object_get(line, "messages"), *message;
	uint64_t users = 0;
	size_t i;

	json_array_foreach (messages, i, message)
		users += is_user(message);
	remember(e, users);
}

static void
take_turn(struct echo *e, const json_t *turn)
{
	const json_t *messages = json_object_get(turn, "messages");
	const char *model = json_string_value(json_object_get(turn, "model"));
	struct str wrong;
	struct manner m;
	char words[MAX_MODEL + 64];

	e->turns++;
	e->interrupted = false;
	hear(e, turn);
	if (!read_manner(&m, model, &wrong)) {
		snprintf(words, sizeof words,
			 "echo does not know the instruction \"%.*s\"",
			 STR_ARG(wrong));
		say_error(e, 404, words);
	} else if (m.fail >= 0) {
		say_error(e, m.fail, "failed as asked");
	} else {
		answer(e, &m, messages);
	}
}

int
main(int argc, char *argv[])
{
	struct echo e = { .input = BUF_INIT(2u * MAX_WIRE),
			  .output = BUF_INIT(MAX_LINE) };
	json_t *line;

	if (argc != 4) {
		fprintf(stderr, "cli-bridge-echo-cli is for cli-bridge only\n");
		return 1;
	}
	e.session = argv[1];
	e.directory = argv[2];
	if (!strcmp(argv[3], "resume") && !recall(&e)) {
		say(&e, json_pack("{s:s}", "type", "lost"));
		flush(&e);
		return 1;
	}
	say(&e, json_pack("{s:s}", "type", "ready"));
	flush(&e);
	while (!e.input_ended || e.input.len) {
		while ((line = next_line(&e))) {
			if (is_type(line, "turn"))
				take_turn(&e, line);
			else if (is_type(line, "history"))
				hear(&e, line);
			json_decref(line);
		}
		if (e.input_ended)
			break;
		listen(&e, -1);
	}
	buf_fini(&e.input);
	buf_fini(&e.output);
	return 0;
}
