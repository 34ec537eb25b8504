/*
 * Any bytes as orders for cli-bridge-slot: each line is an order whose every
 * part is what its readers take for granted, or one that is not known; and it
 * makes no difference where the bytes were cut on their way.
 */
#include <stdint.h>

#include "proto/limits.h"
#include "workers/executor/docker/slot_orders.h"
#include "workers/io/lines.h"

enum { MAX_INPUT_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must_be(bool so)
{
	if (!so)
		abort();
}

static void
check_runs(struct str runs)
{
	struct str run;

	while (order_next_run(&runs, &run))
		must_be(order_is_run(run));
}

static void
check(const struct order *o, struct str line)
{
	switch (o->kind) {
	case ORDER_FIND:
		must_be(o->text.len && o->text.len < MAX_PATH);
		must_be(!memchr(o->text.ptr, '\0', o->text.len));
		return;
	case ORDER_WATCH:
		must_be(order_is_run(o->run));
		return;
	case ORDER_SIGNAL:
		must_be(order_is_run(o->run));
		must_be(o->number >= 1 && o->number <= 64);
		return;
	case ORDER_PROVE:
		check_runs(o->text);
		return;
	case ORDER_FORWARD:
	case ORDER_EXPOSE:
		must_be(o->text.len && *o->text.ptr == '/');
		must_be(o->text.len <= MAX_SOCKET_PATH_BYTES);
		must_be(!memchr(o->text.ptr, '\0', o->text.len));
		must_be(o->number >= (o->kind != ORDER_EXPOSE) &&
			o->number <= 65535);
		return;
	case ORDER_PROBE:
		must_be(o->text.len && o->text.len <= MAX_PROBED_BYTES);
		for (size_t i = 0; i < o->text.len; i++)
			must_be(o->text.ptr[i] > ' ' && o->text.ptr[i] <= '~');
		must_be(o->number >= 1 && o->number <= 65535);
		return;
	case ORDER_NETWORK:
	case ORDER_SHORTAGE:
	case ORDER_ANSWER:
		return;
	case ORDER_UNFORWARD:
		must_be(o->number >= 1 && o->number <= 65535);
		return;
	case ORDER_UNKNOWN:
		must_be(str_eq(o->text, line));
		return;
	case ORDER_KINDS:
		abort();
	}
}

static void
note(struct buf *notes, struct str line)
{
	struct order o = order_read(line);

	check(&o, line);
	buf_print(notes, "%d %d ", o.kind, o.number);
	buf_put(notes, o.run);
	buf_put(notes, STR(" "));
	buf_put(notes, o.text);
	buf_put(notes, STR("\n"));
}

static void
read_in_pieces(struct str bytes, size_t size, struct buf *notes)
{
	struct lines l = LINES_INIT(MAX_INPUT_BYTES);
	struct str line;
	struct error e;
	char *room;

	while (bytes.len) {
		size_t n = size < bytes.len ? size : bytes.len;

		must_be(lines_room(&l, n, &room, &e));
		memcpy(room, bytes.ptr, n);
		lines_added(&l, n);
		bytes = str_from(bytes, n);
		while (lines_next(&l, &line))
			note(notes, line);
	}
	lines_fini(&l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str bytes = { (const char *)data, len };
	struct buf whole = BUF_INIT(32 * MAX_INPUT_BYTES);
	struct buf cut = BUF_INIT(32 * MAX_INPUT_BYTES);

	if (!len || len > MAX_INPUT_BYTES || !*data)
		return 0;
	bytes = str_from(bytes, 1);
	read_in_pieces(bytes, len, &whole);
	read_in_pieces(bytes, *data, &cut);
	must_be(str_eq(buf_str(&whole), buf_str(&cut)));
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
