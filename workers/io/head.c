#include "workers/io/head.h"

#include <ctype.h>

#include "proto/utf8.h"
#include "workers/io/quote.h"
#include "workers/io/scan.h"

static const char *const dropped[] = {
	"Connection",
	"Keep-Alive",
	"Transfer-Encoding",
	"TE",
	"Trailer",
	"Upgrade",
	"Content-Length",
	"Set-Cookie",
	"Strict-Transport-Security",
	"Alt-Svc",
};

void
head_fini(struct head *h)
{
	buf_fini(&h->json);
	buf_fini(&h->hops);
}

void
head_reset(struct head *h)
{
	h->status = 0;
	h->whole = h->is_events = false;
	h->left_out = 0;
	h->json.len = h->hops.len = 0;
}

static bool
is_dropped(struct str name)
{
	for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
		if (str_same(name, str_of(dropped[i])))
			return true;
	return name.len >= 6 && !strncasecmp(name.ptr, "Proxy-", 6);
}

static bool
is_token(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.ptr[i]) &&
		    (!name.ptr[i] || !strchr("!#$%&'*+-.^_`|~", name.ptr[i])))
			return false;
	return name.len > 0;
}

static bool
is_event_stream(struct str value)
{
	struct str parameters;
	struct str type = str_trim(str_cut(value, ';', &parameters));

	return str_same(type, STR("text/event-stream"));
}

/* A header that is not UTF-8 was meant as ISO 8859-1, as of old. */
static bool
add_latin1(struct buf *json, struct str value, struct error *e)
{
	struct buf text = BUF_INIT(2 * MAX_HEADERS);
	bool ok = buf_reserve(&text, 2 * value.len, e);

	for (size_t i = 0; ok && i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];

		if (c >= 0x80) {
			text.ptr[text.len++] = (char)(0xc0 | c >> 6);
			c = 0x80 | (c & 0x3f);
		}
		text.ptr[text.len++] = (char)c;
	}
	ok = ok && quote(json, buf_str(&text), e);
	buf_fini(&text);
	return ok;
}

static bool
add_value(struct buf *json, struct str value, struct error *e)
{
	return utf8_valid(value) ? quote(json, value, e)
				 : add_latin1(json, value, e);
}

/* The last byte is for the bracket that ends the array. */
static bool
add_pair(struct buf *json, struct str name, struct str value)
{
	struct error e;

	return buf_add(json, json->len > 1 ? STR(",[") : STR("["), &e) &&
	       quote(json, name, &e) && buf_add(json, STR(","), &e) &&
	       add_value(json, value, &e) && buf_add(json, STR("]"), &e) &&
	       json->len < json->max;
}

/* The usual words name no header. */
static void
note_hops(struct head *h, struct str value)
{
	struct error e;
	struct str word;

	while (str_word(&value, &word))
		if (!str_same(word, STR("close")) &&
		    !str_same(word, STR("keep-alive")) &&
		    buf_add(&h->hops, word, &e))
			(void)!buf_add(&h->hops, STR(","), &e);
}

static bool
is_hop(const struct head *h, struct str name)
{
	struct str left = buf_str(&h->hops), word;

	while (str_word(&left, &word))
		if (str_same(word, name))
			return true;
	return false;
}

/* `pair` is of our own making, and its name needs no escapes. */
static struct str
name_in(struct str pair)
{
	struct str rest;

	return str_cut(str_from(pair, strlen("[\"")), '"', &rest);
}

/* "Connection" may come behind the headers that it names. */
static void
drop_hops(struct head *h)
{
	struct scan s = scan_of(buf_str(&h->json));
	struct buf kept = BUF_INIT(h->json.max);
	struct str pair;

	(void)scan_take(&s, '[');
	buf_put(&kept, STR("["));
	while (scan_value(&s, &pair)) {
		if (!is_hop(h, name_in(pair))) {
			if (kept.len > 1)
				buf_put(&kept, STR(","));
			buf_put(&kept, pair);
		}
		(void)scan_take(&s, ',');
	}
	buf_fini(&h->json);
	h->json = kept;
}

static void
add_header(struct head *h, struct str line)
{
	struct str value, name = str_cut(line, ':', &value);
	size_t had = h->json.len;

	if (!value.ptr || !is_token(name))
		return;
	value = str_trim(value);
	if (str_same(name, STR("Connection")))
		note_hops(h, value);
	if (is_dropped(name))
		return;
	if (str_same(name, STR("Content-Type")))
		h->is_events = is_event_stream(value);
	if (add_pair(&h->json, name, value))
		return;
	h->json.len = had;
	h->left_out++;
}

/* "HTTP/1.1 200 OK" */
static bool
begin(struct head *h, struct str line, struct error *e)
{
	struct str rest;

	(void)str_cut(line, ' ', &rest);
	head_reset(h);
	for (size_t i = 0; i < rest.len && i < 3; i++)
		if (isdigit((unsigned char)rest.ptr[i]))
			h->status = h->status * 10 + rest.ptr[i] - '0';
	if (h->status < 100 || h->status > 599)
		return fail_with(e, ERR_UPSTREAM, "sent a status that is none");
	return buf_add(&h->json, STR("["), e);
}

bool
head_line(struct head *h, struct str line, struct error *e)
{
	if (h->whole)
		return true;
	line = str_trim(line);
	if (str_starts(line, STR("HTTP/")))
		return begin(h, line, e);
	if (h->status < 200)
		return true;
	if (line.len) {
		add_header(h, line);
		return true;
	}
	if (h->hops.len)
		drop_hops(h);
	buf_put(&h->json, STR("]"));
	h->whole = true;
	return true;
}
