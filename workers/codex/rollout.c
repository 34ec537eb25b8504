#include "workers/codex/codex.h"

#include <sys/stat.h>
#include <unistd.h>

/*
 * Codex keeps a thread in a rollout file, and an index of it in a database.  It
 * goes on with what the file holds, and tells what the index holds: a turn that
 * was cut off from the file, because Codex was killed or the machine lost its
 * power, is missing in the thread without a word.  So the end of the turn is
 * looked for in the file.  A line of it is an object with
 *
 *	"type":"task_started","turn_id":<turn>     when it begins
 *	"type":"task_complete","turn_id":<turn>    when it has ended
 *
 * and other members between these.
 */

enum { MAX_LOOK_BACK = 4 << 20 /* bytes from the end of the file */ };

/* What the file tells of a turn. */
struct traces {
	bool any, start, end;
};

static bool
holds(struct str text, const char *words)
{
	return text.len && memmem(text.ptr, text.len, words, strlen(words));
}

static struct traces
find_traces(struct str text, const char *turn)
{
	struct traces found = { 0 };
	struct str line;

	while (text.len && !found.end) {
		line = str_cut(text, '\n', &text);
		if (!holds(line, turn))
			continue;
		found.any = true;
		found.start |= holds(line, "\"task_started\"");
		found.end |= holds(line, "\"task_complete\"") ||
			     holds(line, "\"turn_complete\"");
	}
	return found;
}

/* The end of the file; an empty one cannot be read. */
static void
read_tail(struct executor *x, const char *path, struct buf *tail, bool *is_all)
{
	int fd = x->open(x, path);
	struct error e = { 0 };
	struct stat st;
	ssize_t n = -1;
	off_t len;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		len = st.st_size < MAX_LOOK_BACK ? st.st_size : MAX_LOOK_BACK;
		*is_all = len == st.st_size;
		if (buf_reserve(tail, (size_t)len, &e))
			n = pread(fd, tail->ptr, (size_t)len, st.st_size - len);
	}
	if (n > 0)
		tail->len = (size_t)n;
	close(fd);
}

/* What cannot be read, or is written in a way that we do not know, is taken to
 * be whole. */
bool
codex_rollout_is_cut(struct executor *x, const char *path, const char *turn)
{
	struct buf tail = BUF_INIT(MAX_LOOK_BACK);
	struct traces found;
	bool is_all = false;

	if (path && *turn)
		read_tail(x, path, &tail, &is_all);
	found = find_traces(buf_str(&tail), turn);
	buf_fini(&tail);
	return !found.end && (found.start || (is_all && !found.any));
}
