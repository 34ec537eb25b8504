#include "tests/unit/fake_engine.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/sockios.h>

enum { FRAME_BYTES = 32 << 10, MAX_HEARD = 64 << 20 };

struct fake_engine engine;

/* Replies */

static void
reply_fini(struct fake_reply *r)
{
	free(r->bytes);
	*r = engine.replies[--engine.reply_count];
}

static struct fake_reply *
reply_new(const char *what, unsigned times)
{
	struct fake_reply *r;

	for (size_t i = engine.reply_count; i-- > 0;) {
		r = &engine.replies[i];
		if (!strcmp(r->what, what) && r->times == times)
			reply_fini(r);
	}
	assert_true(engine.reply_count < FAKE_REPLIES);
	r = &engine.replies[engine.reply_count++];
	*r = (struct fake_reply){ .times = times };
	str_keep(r->what, sizeof r->what, str_of(what));
	return r;
}

static void
reply_says(struct fake_reply *r, struct str bytes)
{
	r->bytes = copy(bytes);
	r->len = bytes.len;
}

void
engine_says(const char *what, struct str bytes)
{
	reply_says(reply_new(what, 0), bytes);
}

void
engine_hangs_up_after(const char *what, struct str bytes)
{
	struct fake_reply *r = reply_new(what, 0);

	reply_says(r, bytes);
	r->hangs_up = true;
}

void
engine_is_silent(const char *what)
{
	reply_new(what, 0);
}

void
engine_answers_times(unsigned times, const char *what, int status,
		     const char *json)
{
	char *bytes = copy_format("HTTP/1.1 %d Whatever\r\n"
				  "Content-Type: application/json\r\n"
				  "Content-Length: %zu\r\n\r\n%s",
				  status, strlen(json), json);

	reply_says(reply_new(what, times), str_of(bytes));
	free(bytes);
}

void
engine_answers(const char *what, int status, const char *json)
{
	engine_answers_times(0, what, status, json);
}

void
engine_streams(const char *what)
{
	engine_says(what, STR("HTTP/1.1 101 UPGRADED\r\n"
			      "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"));
}

void
engine_has_version(const char *version)
{
	char *json = copy_format("{\"ApiVersion\": \"%s\", "
				 "\"MinAPIVersion\": \"1.12\"}",
				 version);

	engine_answers("GET /version", 200, json);
	free(json);
}

/* Those for a limited number of requests come first. */
static struct fake_reply *
find_reply(struct str request)
{
	struct fake_reply *r, *found = NULL;

	for (size_t i = 0; i < engine.reply_count; i++) {
		r = &engine.replies[i];
		if (str_starts(request, str_of(r->what)) &&
		    (!found || r->times))
			found = r;
	}
	return found;
}

/* Connections */

static void
hang_up(struct fake_talk *t)
{
	if (t->fd < 0)
		return;
	loop_unwatch(&engine.loop, &t->speaks);
	close(t->fd);
	t->fd = -1;
	if (engine.stream == t)
		engine.stream = NULL;
	buf_fini(&t->heard);
}

static void
say(struct fake_talk *t, const char *bytes, size_t len)
{
	assert_int_equal(send(t->fd, bytes, len, MSG_NOSIGNAL), len);
}

static void
answer(struct fake_talk *t, struct str request)
{
	struct fake_reply *r = find_reply(request);
	static const char unknown[] = "HTTP/1.1 404 Not Found\r\n"
				      "Content-Length: 2\r\n\r\n{}";

	if (!r) {
		say(t, unknown, sizeof unknown - 1);
		return;
	}
	if (r->len >= 13 && !memcmp(r->bytes, "HTTP/1.1 101 ", 13)) {
		t->is_stream = true;
		engine.stream = t;
	}
	if (r->bytes)
		say(t, r->bytes, r->len);
	if (r->hangs_up)
		hang_up(t);
	if (r->times && !--r->times)
		reply_fini(r);
}

static size_t
body_length(struct str head)
{
	static const char name[] = "Content-Length: ";
	const char *at = memmem(head.ptr, head.len, name, sizeof name - 1);

	return at ? (size_t)strtoul(at + sizeof name - 1, NULL, 10) : 0;
}

/* False if it is not whole yet. */
static bool
hear_request(struct fake_talk *t)
{
	struct str all = buf_str(&t->heard), line, body;
	const char *end = memmem(all.ptr, all.len, "\r\n\r\n", 4);

	if (!end)
		return false;
	body = str_from(all, (size_t)(end + 4 - all.ptr));
	if (body.len < body_length(all))
		return false;
	line = all;
	line.len = (size_t)((char *)memmem(all.ptr, all.len, " HTTP/", 6) -
			    all.ptr);
	buf_print(&engine.requests, STR_FMT "\n", STR_ARG(line));
	buf_print(&engine.bodies, STR_FMT "\n", STR_ARG(body));
	answer(t, line);
	return true;
}

static void
on_speech(struct watch *w)
{
	static char piece[64 << 10];
	struct fake_talk *t = container_of(w, struct fake_talk, speaks);
	ssize_t n = recv(t->fd, piece, sizeof piece, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 && t->is_stream && n == 0) {
		engine.input_ended = true;
		loop_unwatch(&engine.loop, w);
	} else if (n <= 0) {
		hang_up(t);
	} else if (t->is_stream) {
		buf_put(&engine.input, (struct str){ piece, (size_t)n });
	} else {
		buf_put(&t->heard, (struct str){ piece, (size_t)n });
		if (hear_request(t) && t->fd >= 0)
			buf_drop(&t->heard, t->heard.len);
	}
}

static void
on_knock(struct watch *w)
{
	struct fake_talk *t = engine.talks;

	while (t->fd >= 0)
		t++;
	assert_true(t < engine.talks + FAKE_TALKS);
	*t = (struct fake_talk){ .speaks = WATCH_INIT };
	t->heard = BUF_INIT(MAX_HEARD);
	t->fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(t->fd >= 0);
	must(loop_watch(&engine.loop, &t->speaks, t->fd, EPOLLIN, on_speech,
			&e));
}

/* The stream */

void
engine_sends(struct str bytes)
{
	assert_non_null(engine.stream);
	say(engine.stream, bytes.ptr, bytes.len);
}

void
engine_sends_frame(int stream, const char *payload)
{
	char header[8] = { (char)stream };
	size_t len = strlen(payload);

	header[6] = (char)(len >> 8);
	header[7] = (char)len;
	engine_sends((struct str){ header, sizeof header });
	engine_sends(str_of(payload));
}

void
engine_hangs_up(void)
{
	assert_non_null(engine.stream);
	hang_up(engine.stream);
}

void
engine_listens(bool listens)
{
	struct watch *w = &engine.stream->speaks;

	loop_unwatch(&engine.loop, w);
	if (listens)
		must(loop_watch(&engine.loop, w, engine.stream->fd, EPOLLIN,
				on_speech, &e));
}

bool
engine_was_read(void)
{
	int unread = -1;

	return engine.stream &&
	       ioctl(engine.stream->fd, SIOCOUTQ, &unread) == 0 && !unread;
}

/* A prime number, so that no piece begins where another has begun. */
enum { FLOOD_PERIOD = 251 };

const char *
flood_bytes(size_t at)
{
	static char bytes[FLOOD_PERIOD + FLOOD_BYTES];

	if (!bytes[1])
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)(i % FLOOD_PERIOD * 31);
	return bytes + at % FLOOD_PERIOD;
}

/* Frames of FRAME_BYTES, headers included; each is sent as far as possible. */
static void
on_flood(struct watch *w)
{
	enum { PAYLOAD = FRAME_BYTES - 8 };
	char frame[FRAME_BYTES] = {
		1, 0, 0, 0, 0, 0, (char)(PAYLOAD >> 8), (char)PAYLOAD
	};
	size_t begun = engine.flooded % FRAME_BYTES;
	ssize_t sent;

	memcpy(frame + 8, flood_bytes(engine.flooded / FRAME_BYTES * PAYLOAD),
	       PAYLOAD);
	sent = send(w->fd, frame + begun, sizeof frame - begun,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent > 0)
		engine.flooded += (size_t)sent;
	if (engine.flooded == engine.flood_left)
		engine_hangs_up();
}

void
engine_floods(size_t bytes)
{
	struct watch *w = &engine.stream->speaks;

	engine.flood_left = bytes / FRAME_BYTES * FRAME_BYTES;
	loop_unwatch(&engine.loop, w);
	must(loop_watch(&engine.loop, w, engine.stream->fd, EPOLLOUT, on_flood,
			&e));
}

/* Its life */

unsigned
engine_was_asked(const char *what)
{
	struct str left = buf_str(&engine.requests);
	unsigned n = 0;

	while (left.ptr)
		n += str_starts(str_cut(left, '\n', &left), str_of(what));
	return n;
}

void
engine_comes(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	str_keep(a.sun_path, sizeof a.sun_path, str_of(engine.path));
	engine.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(engine.listener, (void *)&a, sizeof a), 0);
	assert_int_equal(listen(engine.listener, 1), 0);
	must(loop_watch(&engine.loop, &engine.knocks, engine.listener, EPOLLIN,
			on_knock, &e));
}

void
engine_goes(void)
{
	for (size_t i = 0; i < FAKE_TALKS; i++)
		hang_up(&engine.talks[i]);
	if (engine.listener < 0)
		return;
	loop_unwatch(&engine.loop, &engine.knocks);
	close(engine.listener);
	engine.listener = -1;
	unlink(engine.path);
}

void
engine_setup(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
	engine = (struct fake_engine){ .loop = LOOP_INIT, .listener = -1 };
	engine.knocks = WATCH_INIT;
	engine.requests = engine.bodies = BUF_INIT(1u << 20);
	engine.input = BUF_INIT(MAX_HEARD);
	for (size_t i = 0; i < FAKE_TALKS; i++)
		engine.talks[i].fd = -1;
	snprintf(engine.path, sizeof engine.path, "/tmp/fake-engine.%d",
		 (int)getpid());
	unlink(engine.path);
	must(loop_init(&engine.loop, &e));
	engine_comes();
	engine_has_version("1.41");
}

void
engine_teardown(void)
{
	engine_goes();
	while (engine.reply_count)
		reply_fini(&engine.replies[0]);
	buf_fini(&engine.requests);
	buf_fini(&engine.bodies);
	buf_fini(&engine.input);
	loop_fini(&engine.loop);
}

unsigned
open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}
