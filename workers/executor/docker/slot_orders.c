#include "workers/executor/docker/slot_orders.h"

#include "proto/limits.h"

enum { LAST_SIGNAL = 64, LAST_PORT = 65535 };

bool
order_is_run(struct str s)
{
	if (!s.len || s.len > MAX_RUN_BYTES)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
			return false;
	return true;
}

/* The name of a file: it can't have a NUL. */
static bool
is_name(struct str s, size_t max)
{
	return s.len && s.len <= max && !memchr(s.ptr, '\0', s.len);
}

static bool
read_number(struct str s, int first, int last, int *number)
{
	int n = 0;

	if (!s.len || s.len > 5)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		n = n * 10 + (s.ptr[i] - '0');
	}
	*number = n;
	return n >= first && n <= last;
}

static bool
read_name(struct order *o, struct str words)
{
	o->text = words;
	return is_name(words, MAX_PATH - 1);
}

static bool
read_run(struct order *o, struct str words)
{
	o->run = words;
	return order_is_run(words);
}

static bool
read_run_and_signal(struct order *o, struct str words)
{
	struct str rest;

	o->run = str_cut(words, ' ', &rest);
	return order_is_run(o->run) &&
	       read_number(rest, 1, LAST_SIGNAL, &o->number);
}

bool
order_next_run(struct str *runs, struct str *run)
{
	if (!runs->len)
		return false;
	*run = str_cut(*runs, ' ', runs);
	return true;
}

/* A list may be empty, and may have a blank behind its last run. */
static bool
read_runs(struct order *o, struct str words)
{
	struct str run;

	o->text = words;
	while (order_next_run(&words, &run))
		if (!order_is_run(run))
			return false;
	return true;
}

static bool
read_nothing(struct order *o, struct str words)
{
	return !words.len;
}

static bool
read_port(struct order *o, struct str words)
{
	return read_number(words, 1, LAST_PORT, &o->number);
}

static bool
read_any_port_and_path(struct order *o, struct str words)
{
	struct str port = str_cut(words, ' ', &o->text);

	return read_number(port, 0, LAST_PORT, &o->number) &&
	       is_name(o->text, MAX_SOCKET_PATH_BYTES) && *o->text.ptr == '/';
}

static bool
read_port_and_path(struct order *o, struct str words)
{
	return read_any_port_and_path(o, words) && o->number;
}

/* A word that can be the target of a request. */
static bool
read_port_and_host(struct order *o, struct str words)
{
	struct str port = str_cut(words, ' ', &o->text);

	for (size_t i = 0; i < o->text.len; i++)
		if (o->text.ptr[i] <= ' ' || o->text.ptr[i] > '~')
			return false;
	return read_number(port, 1, LAST_PORT, &o->number) && o->text.len &&
	       o->text.len <= MAX_PROBED_BYTES;
}

static const struct {
	enum order_kind kind;
	const char *name;
	bool (*read)(struct order *, struct str words);
} readers[] = {
#define ORDER(NAME, name, reader) { ORDER_##NAME, #name, reader },
#include "workers/executor/docker/slot_orders.def"
};

struct order
order_read(struct str line)
{
	struct order o = { 0 };
	struct str words, name = str_cut(line, ' ', &words);

	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
		if (!str_is(name, readers[i].name))
			continue;
		o.kind = readers[i].kind;
		if (readers[i].read(&o, words))
			return o;
	}
	return (struct order){ .kind = ORDER_UNKNOWN, .text = line };
}
