#include "workers/cli/client_calls.h"

#include <inttypes.h>

void
client_calls_forget(struct client_calls *c, struct model_call *m)
{
	list_remove(&c->all, &m->node);
	free(m->id);
	free(m->cli);
	free(m->name);
	json_decref(m->arguments);
	json_decref(m->result);
	free(m);
}

void
client_calls_forget_all(struct client_calls *c)
{
	struct node *n;

	while ((n = list_first(&c->all)))
		client_calls_forget(c,
				    container_of(n, struct model_call, node));
}

static struct model_call *
add(struct client_calls *c, const char *cli, const char *name,
    const json_t *arguments)
{
	struct model_call *m = xcalloc(1, sizeof *m);

	m->id = copy_format("#%ju", (uintmax_t)++c->last_id);
	m->cli = cli ? copy(str_of(cli)) : NULL;
	m->name = copy(str_of(name));
	m->arguments = json_incref((json_t *)arguments);
	list_append(&c->all, &m->node);
	return m;
}

struct model_call *
client_calls_find(const struct client_calls *c, const char *cli)
{
	list_each (&c->all, n) {
		struct model_call *m = container_of(n, struct model_call, node);

		if (m->cli && !strcmp(m->cli, cli))
			return m;
	}
	return NULL;
}

struct model_call *
client_calls_that_asks(const struct client_calls *c,
		       const struct waiting_call *w)
{
	list_each (&c->all, n) {
		struct model_call *m = container_of(n, struct model_call, node);

		if (m->asks == w)
			return m;
	}
	return NULL;
}

/* The first with the same arguments, or else the first of which they are not
 * known. */
static struct model_call *
asked_for(const struct client_calls *c, const struct waiting_call *w)
{
	struct model_call *first = NULL;

	list_each (&c->all, n) {
		struct model_call *m = container_of(n, struct model_call, node);

		if (m->asks || strcmp(m->name, w->name) != 0)
			continue;
		if (m->arguments && json_equal(m->arguments, w->arguments))
			return m;
		if (!first && !m->arguments)
			first = m;
	}
	return first;
}

struct model_call *
client_calls_ask(struct client_calls *c, struct waiting_call *w)
{
	struct model_call *m = asked_for(c, w);

	if (!m)
		m = add(c, NULL, w->name, w->arguments);
	m->asks = w;
	if (!m->arguments)
		m->arguments = json_incref(w->arguments);
	return m;
}

/* The CLI asked before it was heard to tell. */
static struct model_call *
asked_before(const struct client_calls *c, const char *name,
	     const json_t *arguments)
{
	list_each (&c->all, n) {
		struct model_call *m = container_of(n, struct model_call, node);

		if (!m->cli && !strcmp(m->name, name) &&
		    (!arguments || json_equal(m->arguments, arguments)))
			return m;
	}
	return NULL;
}

/* The order is that of telling. */
void
client_calls_announce(struct client_calls *c, const char *cli, const char *name,
		      const json_t *arguments)
{
	struct model_call *m = client_calls_find(c, cli);

	if (m) {
		if (!m->arguments)
			m->arguments = json_incref((json_t *)arguments);
		return;
	}
	m = asked_before(c, name, arguments);
	if (!m) {
		add(c, cli, name, arguments);
		return;
	}
	m->cli = copy(str_of(cli));
	list_remove(&c->all, &m->node);
	list_append(&c->all, &m->node);
}
