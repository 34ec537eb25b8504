#include "tests/unit/http_notes.h"

#include "tests/unit/conversation_notes.h"

struct http {
	struct list calls;
};

struct http_call {
	struct node node;
	struct http *http;
	struct http_request request;
};

static struct http the_http;

struct http *
http_new(struct loop *loop, struct error *e)
{
	list_init(&the_http.calls);
	return &the_http;
}

void
http_free(struct http *h)
{
	struct node *n;

	while (h && (n = list_first(&h->calls)))
		http_drop(container_of(n, struct http_call, node));
}

/* Only what is behind the host is written down: the port is another one each
 * time. */
static void
note_request(const struct http_request *r)
{
	const char *path = strchr(strstr(r->url, "://") + 3, '/');

	if (notes.last)
		buf_print(&notes.heard, "\n");
	notes.last = '\0';
	buf_print(&notes.heard, "ask %s %s\n", r->method, path);
	buf_print(&notes.written, "%s %s " STR_FMT "\n", r->method, path,
		  STR_ARG(r->body.ptr ? r->body : STR("")));
}

struct http_call *
http_ask(struct http *h, const struct http_request *r)
{
	struct http_call *c = xcalloc(1, sizeof *c);

	c->http = h;
	c->request = *r;
	list_append(&h->calls, &c->node);
	note_request(r);
	return c;
}

void
http_drop(struct http_call *c)
{
	list_remove(&c->http->calls, &c->node);
	free(c);
}

static struct http_call *
find_call(bool is_stream)
{
	if (!the_http.calls.head.next)
		return NULL;
	list_each (&the_http.calls, n) {
		struct http_call *c = container_of(n, struct http_call, node);

		if ((c->request.line != NULL) == is_stream)
			return c;
	}
	return NULL;
}

static bool
end(int status, struct str body, const struct error *e)
{
	struct http_call *c = find_call(false);
	struct http_request r;

	if (!c)
		return false;
	r = c->request;
	http_drop(c);
	r.done(r.arg, status, body, e);
	return true;
}

bool
http_notes_answer(int status, struct str body)
{
	return end(status, body, NULL);
}

bool
http_notes_break(const struct error *e)
{
	return end(0, STR(""), e);
}

bool
http_notes_line(struct str line)
{
	struct http_call *c = find_call(true);

	if (c)
		c->request.line(c->request.arg, line);
	return c != NULL;
}

unsigned
http_notes_waiting(void)
{
	unsigned n = 0;

	if (!the_http.calls.head.next)
		return 0;
	list_each (&the_http.calls, node)
		n += container_of(node, struct http_call, node)->request.line ==
		     NULL;
	return n;
}
