/*
 * cli-bridge-sandbox-client - one request to a sandbox service
 *
 *      cli-bridge-sandbox-client
 *
 * Reads a line of JSON with the "url" and the "authorization", and up to the
 * end of its input the body of a POST.  They come this way because others can
 * see arguments.  It writes one line of JSON, or several lines:
 *
 *      {"status":200}                an answer of events begins; then each of
 *      >data: {...}                  its lines, with ">" before it; at its end
 *      {"end":true}
 *      {"status":429,"retry_after":"7","body":"..."}   any other answer
 *      {"failure":"TRUNCATED","is_sent":true,"text":"..."}
 *
 * A failure has the name of its code in errors.def.  `is_sent`: the service may
 * have got the request, and may be at work on it.
 *
 *      cli-bridge-sandbox-client health
 *
 * Exits with 0 if <SANDBOX_API_URL>/health is well.  Otherwise the reason is on
 * standard error, and it exits with 2 if the service itself says that it is not
 * well, and else with 1.
 */
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "proto/loop.h"
#include "proto/provider.h"
#include "proto/utf8.h"
#include "proto/variables.h"
#include "workers/io/json.h"
#include "workers/io/lines.h"
#include "workers/io/upstream.h"

enum {
	HEALTH_MS = 3000,
	MAX_ORDER = 8u * MAX_BODY, /* all that is read */
	MAX_REFUSAL = 64 << 10,	   /* of the body of a refusal */
	MAX_EVENT_LINE = MAX_SERVICE_EVENT + (1 << 20), /* and what came
							 * with it */
	EXIT_UNWELL = 2,				/* probe.h */
};

struct client {
	struct loop loop;
	struct upstream upstream;
	bool is_streaming;
	struct lines lines;
	struct buf refusal;
	int exit;
};

static int
complain(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return EXIT_FAILURE;
}

/* Takes `json`. */
static void
say(json_t *json)
{
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(json);
}

static void
say_failure(struct client *c, enum error_code code, bool is_sent,
	    const char *text)
{
	say(json_pack("{s:s, s:b, s:s}", "failure", error_name(code), "is_sent",
		      is_sent, "text", text));
	loop_stop(&c->loop);
}

/* An answer of events */

static void
say_lines(struct client *c)
{
	struct str line;

	while (lines_next(&c->lines, &line)) {
		putchar('>');
		fwrite(line.ptr, 1, line.len, stdout);
		putchar('\n');
	}
	fflush(stdout);
}

/* False, and it is over: a line has no end. */
static bool
add_lines(struct client *c, struct exchange *x)
{
	struct error e = { 0 };
	char *room;

	if (!lines_room(&c->lines, x->bytes.len, &room, &e)) {
		auto_free char *text =
			copy_format("%s sent a line of more than %u bytes",
				    x->request.host, MAX_SERVICE_EVENT);

		say_failure(c, ERR_UPSTREAM, true, text);
		return false;
	}
	memcpy(room, x->bytes.ptr, x->bytes.len);
	lines_added(&c->lines, x->bytes.len);
	say_lines(c);
	return true;
}

/* Any other answer */

static char *
header_of(const struct exchange *x, const char *name)
{
	struct str text = buf_str(&x->head.json);
	json_t *all = json_loadb(text.ptr, text.len, 0, NULL), *pair;
	char *value = NULL;
	size_t i;

	json_array_foreach (all, i, pair) {
		const char *its = json_string_value(json_array_get(pair, 0));

		if (its && !value && str_same(str_of(its), str_of(name)))
			value = copy(str_of(
				json_string_value(json_array_get(pair, 1))));
	}
	json_decref(all);
	return value;
}

static void
add_refusal(struct client *c, const struct exchange *x)
{
	struct str piece = buf_str(&x->bytes);
	size_t room = c->refusal.max - c->refusal.len;

	if (piece.len > room)
		piece.len = room;
	buf_put(&c->refusal, piece);
}

static void
say_refusal(struct client *c, const struct exchange *x)
{
	struct str body = buf_str(&c->refusal);
	auto_free char *retry_after = header_of(x, "Retry-After");

	body.len = utf8_whole(body);
	say(json_pack("{s:i, s:s?, s:s%}", "status", x->head.status,
		      "retry_after", retry_after, "body",
		      utf8_valid(body) ? body.ptr : "",
		      utf8_valid(body) ? body.len : (size_t)0));
}

static void
end(struct client *c, const struct exchange *x)
{
	if (x->failure)
		say_failure(c, x->failure->code, x->stage != CONNECTING,
			    x->failure->text);
	else if (c->is_streaming)
		say(json_pack("{s:b}", "end", true));
	else
		say_refusal(c, x);
	loop_stop(&c->loop);
}

static void
on_answer(struct exchange *x)
{
	struct client *c = x->owner;

	if (!c->is_streaming && x->head.whole && x->head.is_events &&
	    x->head.status / 100 == 2) {
		c->is_streaming = true;
		say(json_pack("{s:i}", "status", x->head.status));
	}
	if (!c->is_streaming)
		add_refusal(c, x);
	else if (x->bytes.len && !add_lines(c, x))
		return;
	buf_drop(&x->bytes, x->bytes.len);
	if (x->has_ended)
		end(c, x);
	else
		exchange_resume(x);
}

/* The request */

static bool
read_all(struct buf *to, struct error *e)
{
	ssize_t n;

	do {
		if (!buf_reserve(to, 1, e))
			return false;
		n = read(STDIN_FILENO, to->ptr + to->len, to->size - to->len);
		if (n < 0)
			return fail_errno(e, "standard input");
		to->len += (size_t)n;
	} while (n > 0);
	return true;
}

static void
ask(struct client *c, const struct request *r, exchange_fn *heard)
{
	auto_free char *host = copy(provider_host(str_of(r->url)));
	struct request request = *r;
	struct error e = { 0 };

	request.host = host;
	request.is_direct = provider_is_local(str_of(r->url));
	(void)exchange_start(&c->upstream, &request, heard, c);
	if (!loop_run(&c->loop, &e))
		c->exit = complain(e.text);
}

/* Its order is the bridge's own, and in no need of an explanation. */
static void
post(struct client *c)
{
	struct buf order = BUF_INIT(MAX_ORDER);
	struct error e = { 0 };
	struct str body, line;
	json_t *head = NULL;
	const char *url = NULL;

	if (!read_all(&order, &e)) {
		c->exit = complain(e.text);
	} else {
		line = str_cut(buf_str(&order), '\n', &body);
		head = json_loadb(line.ptr, line.len, 0, NULL);
		url = json_text(head, "url");
	}
	if (url && body.ptr) {
		const struct request r = {
			.url = url,
			.authorization = json_text(head, "authorization"),
			.body = body,
			.wants_events = true,
		};

		ask(c, &r, on_answer);
	} else if (!c->exit) {
		c->exit = complain("cli-bridge-sandbox-client is for "
				   "cli-bridge only");
	}
	json_decref(head);
	buf_fini(&order);
}

/* Health */

static void
on_health(struct exchange *x)
{
	struct client *c = x->owner;

	buf_drop(&x->bytes, x->bytes.len);
	if (!x->has_ended) {
		exchange_resume(x);
		return;
	}
	if (x->failure) {
		c->exit = complain(x->failure->text);
	} else if (x->head.status / 100 != 2) {
		fprintf(stderr, "health %d\n", x->head.status);
		c->exit = EXIT_UNWELL;
	}
	loop_stop(&c->loop);
}

static void
look(struct client *c)
{
	struct str base = variable_value("SANDBOX_API_URL");
	auto_free char *url = NULL;
	struct request r = { .silence_ms = HEALTH_MS };
	struct error e = { 0 };

	if (!provider_check_url("SANDBOX_API_URL", base, &e)) {
		c->exit = complain(e.text);
		return;
	}
	while (base.ptr[base.len - 1] == '/')
		base.len--;
	url = copy_format(STR_FMT "/health", STR_ARG(base));
	r.url = url;
	ask(c, &r, on_health);
}

int
main(int argc, char *argv[])
{
	struct client c = { .loop = LOOP_INIT,
			    .lines = LINES_INIT(MAX_EVENT_LINE),
			    .refusal = BUF_INIT(MAX_REFUSAL) };
	struct error e = { 0 };

	if (!loop_init(&c.loop, &e) || !upstream_init(&c.upstream, &c.loop, &e))
		c.exit = complain(e.text);
	else if (argc == 2 && !strcmp(argv[1], "health"))
		look(&c);
	else
		post(&c);
	upstream_fini(&c.upstream);
	loop_fini(&c.loop);
	lines_fini(&c.lines);
	buf_fini(&c.refusal);
	return c.exit;
}
