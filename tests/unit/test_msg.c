/*
 * What proto/msg promises.  Most of it is tried with every message, by a table
 * that is made from messages.def once more.
 */
#include "unit.h"

#include <msgpack.h>

#include "proto/msg.h"
#include "proto/utf8.h"

enum kind { id, count, choice, amount, text, bytes, secret_text };

struct field {
	const char *name; /* NULL after the last one */
	enum kind kind;
	size_t offset;
	uint64_t max;
	bool optional;
};

static const struct field *
fields_of(enum msg_type type)
{
	/* clang-format off */
	switch (type) {
#define MESSAGE(NAME, name, from, to)                                       \
	case MSG_##NAME: {                                                  \
		typedef struct msg_##name self __attribute__((unused));     \
		static const struct field fields[] = {
#define FIELD(kind, name, max)                                              \
			{ #name, kind, offsetof(self, name), max, false },
#define OPTIONAL(kind, name, max)                                           \
			{ #name, kind, offsetof(self, name), max, true },
#define END                                                                 \
			{ 0 },                                              \
		};                                                          \
		return fields;                                              \
	}
#include "proto/messages.def"
	case MSG_TYPES:
		break;
	}
	/* clang-format on */
	abort();
}

static const enum role roles[] = { SUPERVISOR, GATEWAY, WORKER, COMMAND };

static char *letters; /* as many as the longest field and one more */

static int
make_letters(void **state)
{
	letters = xcalloc(1, MAX_WIRE);
	memset(letters, 'x', MAX_WIRE);
	return 0;
}

static int
free_letters(void **state)
{
	free(letters);
	return 0;
}

static bool
is_number(const struct field *f)
{
	return f->kind <= amount;
}

static void
set_number(struct msg *m, const struct field *f, uint64_t value)
{
	struct amount a = amount_of(value);

	if (f->kind == amount)
		memcpy((char *)&m->body + f->offset, &a, sizeof a);
	else
		memcpy((char *)&m->body + f->offset, &value, sizeof value);
}

static void
set_bytes(struct msg *m, const struct field *f, size_t len)
{
	struct str s = { letters, len };

	memcpy((char *)&m->body + f->offset, &s, sizeof s);
}

/* The largest that the field may be. */
static void
fill_field(struct msg *m, const struct field *f)
{
	if (f->kind == id)
		set_number(m, f, UINT64_MAX);
	else if (is_number(f))
		set_number(m, f, f->max);
	else
		set_bytes(m, f, f->max);
}

static struct msg
full(enum msg_type type)
{
	struct msg m = { .type = type };

	for (const struct field *f = fields_of(type); f->name; f++)
		fill_field(&m, f);
	return m;
}

/* As little as there may be: what is optional is absent. */
static struct msg
smallest(enum msg_type type)
{
	struct msg m = { .type = type };

	for (const struct field *f = fields_of(type); f->name; f++)
		if (!f->optional && is_number(f))
			set_number(&m, f, f->kind == id || f->kind == choice);
		else if (!f->optional)
			set_bytes(&m, f, 0);
	return m;
}

static enum role
sender_of(enum msg_type type)
{
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (msg_may_send(type, roles[i]))
			return roles[i];
	abort();
}

static enum role
hearer_of(enum msg_type type)
{
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (msg_must_hear(type, roles[i]))
			return roles[i];
	abort();
}

static int
append(void *raw, const char *data, size_t len)
{
	return nng_msg_append(raw, data, len);
}

static void
pack_as_it_is(msgpack_packer *p, const struct field *f, const void *at)
{
	const struct amount *a = at;
	const struct str *s = at;

	if (f->kind == amount && a->is_known)
		msgpack_pack_uint64(p, a->count);
	else if (f->kind == amount)
		msgpack_pack_nil(p);
	else if (is_number(f))
		msgpack_pack_uint64(p, *(const uint64_t *)at);
	else if (f->kind == bytes)
		msgpack_pack_bin_with_body(p, s->ptr ? s->ptr : "", s->len);
	else if (s->ptr)
		msgpack_pack_str_with_body(p, s->ptr, s->len);
	else
		msgpack_pack_nil(p);
}

/* Unlike msg_append() it mends nothing. */
static void
append_as_it_is(nng_msg *raw, const struct msg *m)
{
	size_t n = 1;
	msgpack_packer p;

	for (const struct field *f = fields_of(m->type); f->name; f++)
		n++;
	msgpack_packer_init(&p, raw, append);
	msgpack_pack_array(&p, n);
	msgpack_pack_uint32(&p, m->type);
	for (const struct field *f = fields_of(m->type); f->name; f++)
		pack_as_it_is(&p, f, (const char *)&m->body + f->offset);
}

static bool
send_over(const struct msg *m, struct msg *got, struct error *e)
{
	nng_msg *raw;

	assert_int_equal(nng_msg_alloc(&raw, 0), 0);
	append_as_it_is(raw, m);
	return msg_unpack(got, raw, sender_of(m->type), hearer_of(m->type), e);
}

static void
must_be_refused(const struct msg *m, const char *why)
{
	auto_free char *text_of_it =
		copy_format("%s: %s", msg_name(m->type), why);
	struct msg got;

	must_fail(ERR_PROTOCOL, text_of_it, send_over(m, &got, &e));
	assert_int_equal(got.type, MSG_TYPES);
	assert_null(got.raw);
}

static void
must_be_same_amount(const struct amount *a, const struct amount *b)
{
	assert_int_equal(a->is_known, b->is_known);
	if (a->is_known)
		assert_int_equal(a->count, b->count);
}

static void
must_be_equal(const struct msg *a, const struct msg *b)
{
	for (const struct field *f = fields_of(a->type); f->name; f++) {
		const void *one = (const char *)&a->body + f->offset;
		const void *other = (const char *)&b->body + f->offset;
		const struct str *s = one, *t = other;

		if (f->kind == amount)
			must_be_same_amount(one, other);
		else if (is_number(f))
			assert_memory_equal(one, other, sizeof(uint64_t));
		else
			assert_true(str_eq(*s, *t) && !s->ptr == !t->ptr);
	}
}

static void
must_arrive(const struct msg *m)
{
	struct msg got;

	must(send_over(m, &got, &e));
	assert_int_equal(got.type, m->type);
	must_be_equal(m, &got);
	msg_fini(&got);
	msg_fini(&got);
}

#define each_type(t)         \
	enum msg_type t = 0; \
	t < MSG_TYPES;       \
	t++

static void
every_message_arrives_as_it_was_sent(void **state)
{
	for (each_type(t)) {
		struct msg large = full(t), small = smallest(t);

		must_arrive(&large);
		must_arrive(&small);
	}
}

static void
every_limit_is_enforced(void **state)
{
	for (each_type(t)) {
		for (const struct field *f = fields_of(t); f->name; f++) {
			auto_free char *why = copy_format("bad %s", f->name);
			struct msg m = smallest(t);

			if (is_number(f) && f->kind != id &&
			    f->max < UINT64_MAX)
				set_number(&m, f, f->max + 1);
			else if (!is_number(f))
				set_bytes(&m, f, f->max + 1);
			else
				continue;
			must_be_refused(&m, why);
		}
	}
}

static void
an_id_or_a_choice_is_never_zero(void **state)
{
	for (each_type(t)) {
		for (const struct field *f = fields_of(t); f->name; f++) {
			auto_free char *why = copy_format("bad %s", f->name);
			struct msg m = full(t);

			if (f->kind != id && f->kind != choice)
				continue;
			set_number(&m, f, 0);
			must_be_refused(&m, why);
		}
	}
}

static void
what_is_not_optional_must_be_there(void **state)
{
	for (each_type(t)) {
		for (const struct field *f = fields_of(t); f->name; f++) {
			auto_free char *why = copy_format("bad %s", f->name);
			struct msg m = smallest(t);
			bool is_text =
				f->kind == text || f->kind == secret_text;

			if (f->optional || !is_text)
				continue;
			memset((char *)&m.body + f->offset, 0,
			       sizeof(struct str));
			must_be_refused(&m, why);
		}
	}
}

/* A number that is not known is not 0, and 0 is known. */
static void
an_amount_that_is_not_known_is_not_zero(void **state)
{
	struct buf line = BUF_INIT(4096);
	struct msg m = smallest(MSG_FINISH);

	m.body.finish.output = amount_of(0);
	m.body.finish.reasoning = amount_of(7);
	must_arrive(&m);
	msg_print(&line, &m);
	assert_str(buf_str(&line), "FINISH turn=1 seq=1 reason=1 output=0 "
				   "reasoning=7");
	buf_fini(&line);
}

static void
text_is_utf8(void **state)
{
	struct msg m = smallest(MSG_TEXT);

	m.body.text.text = STR("gr\xc3\xbc\xc3\x9f");
	must_arrive(&m);
	m.body.text.text = STR("gr\xc3");
	must_be_refused(&m, "bad text");
}

/* What is sent of `s`, in a field of up to MAX_ERROR_TEXT bytes. */
static void
text_arrives_as(struct str s, struct str want)
{
	const struct msg_failed m = {
		.turn = 7, .seq = 1, .code = UINT64_MAX, .why = s
	};
	struct msg got;

	must(msg_unpack(&got, msg_pack(MSG_FAILED, &m), WORKER, GATEWAY, &e));
	assert_int_equal(got.body.failed.turn, 7);
	assert_int_equal(got.body.failed.code, ERROR_CODES - 1);
	assert_true(str_eq(got.body.failed.why, want));
	msg_fini(&got);
}

static void
the_sender_makes_text_and_numbers_fit(void **state)
{
	char long_text[MAX_ERROR_TEXT + 2];

	text_arrives_as((struct str){ NULL, 0 }, STR(""));
	text_arrives_as(STR("gr\xc3\xbc\xc3"), STR("gr\xc3\xbc\xef\xbf\xbd"));
	text_arrives_as(STR("\xed\xa0\x80"),
			STR("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
	memset(long_text, 'x', sizeof long_text);
	text_arrives_as((struct str){ long_text, sizeof long_text },
			(struct str){ long_text, MAX_ERROR_TEXT });
	memcpy(long_text + MAX_ERROR_TEXT - 1, "\xc3\xbc", 2);
	text_arrives_as((struct str){ long_text, MAX_ERROR_TEXT + 1 },
			(struct str){ long_text, MAX_ERROR_TEXT - 1 });
	memset(long_text, 0xff, sizeof long_text);
	text_arrives_as((struct str){ long_text, 1 }, STR("\xef\xbf\xbd"));
}

/* Whatever is in every field of every message. */
static void
whatever_is_sent_harms_its_own_message_only(void **state)
{
	const struct msg_text good = { .turn = 9, .seq = 1, .text = STR("x") };

	memset(letters, 0xff, 4096);
	for (each_type(t)) {
		struct msg m = full(t), got;
		struct error e = { 0 };
		enum msg_verdict first;
		struct str left;
		nng_msg *raw;

		if (sender_of(t) != WORKER || hearer_of(t) != GATEWAY)
			continue;
		for (const struct field *f = fields_of(t); f->name; f++)
			if (!is_number(f))
				set_bytes(&m, f, f->max + 1);
		raw = msg_pack(t, &m.body);
		msg_append(raw, MSG_TEXT, &good);
		left = (struct str){ nng_msg_body(raw), nng_msg_len(raw) };
		first = msg_next(&got, &left, WORKER, GATEWAY, &e);
		assert_int_not_equal(first, MSG_BROKEN);
		assert_int_equal(msg_next(&got, &left, WORKER, GATEWAY, &e),
				 MSG_GOOD);
		assert_int_equal(msg_turn(&got), 9);
		nng_msg_free(raw);
	}
	memset(letters, 'x', 4096);
}

static void
of_a_bad_event_the_good_fields_are_there(void **state)
{
	struct msg m = smallest(MSG_TEXT), got;
	struct error e = { 0 };
	struct str left;
	nng_msg *raw;

	m.body.text.turn = 7;
	m.body.text.text = STR("\xff");
	assert_int_equal(nng_msg_alloc(&raw, 0), 0);
	append_as_it_is(raw, &m);
	m.body.text.turn = 0;
	append_as_it_is(raw, &m);
	left = (struct str){ nng_msg_body(raw), nng_msg_len(raw) };
	assert_int_equal(msg_next(&got, &left, WORKER, GATEWAY, &e), MSG_BAD);
	assert_string_equal(e.text, "TEXT: bad text");
	assert_int_equal(msg_turn(&got), 7);
	assert_null(got.body.text.text.ptr);
	assert_int_equal(msg_next(&got, &left, WORKER, GATEWAY, &e), MSG_BAD);
	assert_string_equal(e.text, "TEXT: bad turn");
	assert_int_equal(msg_turn(&got), 0);
	assert_int_equal(left.len, 0);
	nng_msg_free(raw);
}

static void
bytes_are_any_bytes(void **state)
{
	struct msg m = smallest(MSG_BODY);

	m.body.body.bytes = STR("\xff\0\xc3");
	must_arrive(&m);
}

static void
only_the_right_ones_say_it_and_hear_it(void **state)
{
	for (each_type(t)) {
		for (size_t i = 0; i < 16; i++) {
			enum role from = roles[i / 4], to = roles[i % 4];
			struct msg m = smallest(t), got;
			struct error e = { 0 };
			bool heard = msg_unpack(&got, msg_pack(t, &m.body),
						from, to, &e);

			assert_int_equal(heard, msg_may_send(t, from) &&
							msg_must_hear(t, to));
			if (heard)
				msg_fini(&got);
			else
				assert_int_equal(e.code, ERR_PROTOCOL);
		}
	}
}

/* The wire */

static nng_msg *
raw_of(struct str s)
{
	nng_msg *raw;

	assert_int_equal(nng_msg_alloc(&raw, 0), 0);
	assert_int_equal(nng_msg_append(raw, s.ptr, s.len), 0);
	return raw;
}

static void
must_not_unpack(enum msg_type t, struct str wire)
{
	struct error e = { 0 };
	struct msg got;

	assert_false(
		msg_unpack(&got, raw_of(wire), sender_of(t), hearer_of(t), &e));
	assert_int_equal(e.code, ERR_PROTOCOL);
	assert_true(utf8_valid(str_of(e.text)));
}

/* `wire` has room for one byte more. */
static void
break_it(enum msg_type t, char *wire, size_t len)
{
	for (size_t part = 0; part < len; part++)
		must_not_unpack(t, (struct str){ wire, part });
	wire[len] = '\0';
	must_not_unpack(t, (struct str){ wire, len + 1 });

	wire[0]++; /* now the array says that it has a field more */
	must_not_unpack(t, (struct str){ wire, len });
	must_not_unpack(t, (struct str){ wire, len + 1 });
	wire[0] -= 2;
	must_not_unpack(t, (struct str){ wire, len });
}

static void
a_part_of_it_or_more_than_it_is_refused(void **state)
{
	for (each_type(t)) {
		struct msg m = smallest(t);
		nng_msg *raw = msg_pack(t, &m.body);
		size_t len = nng_msg_len(raw);
		auto_free char *wire = xcalloc(1, len + 1);

		memcpy(wire, nng_msg_body(raw), len);
		break_it(t, wire, len);
		nng_msg_free(raw);
	}
}

static void
an_array_that_claims_too_much_costs_nothing(void **state)
{
	must_not_unpack(MSG_DONE, STR(""));
	must_not_unpack(MSG_DONE, STR("\x90"));
	must_not_unpack(MSG_DONE, STR("\xc1"));
	must_not_unpack(MSG_DONE, STR("\x91\x7f"));
	must_not_unpack(MSG_DONE, STR("\xdd\xff\xff\xff\xff"));
	must_not_unpack(MSG_DONE, STR("\xdc\xff\xff"));
	must_not_unpack(MSG_FORGET_SESSION,
			STR("\x92\x16\xdb\xff\xff\xff\xff"));
}

static void
it_is_shown_without_what_is_private(void **state)
{
	struct buf line = BUF_INIT(4096);
	struct msg m = smallest(MSG_TEXT);

	m.body.text.turn = 7;
	m.body.text.text = STR("secret");
	msg_print(&line, &m);
	assert_str(buf_str(&line), "TEXT turn=7 seq=1 text=<6 bytes>");
	buf_fini(&line);
}

/* The version once more, from the table of this test: so every part of it
 * counts.  With `raised` the limit of one field of the last message is. */

static uint32_t
hash_bytes(uint32_t hash, const void *from, size_t len)
{
	const unsigned char *p = from;

	while (len--)
		hash = (hash ^ *p++) * 0x01000193u;
	return hash;
}

static uint32_t
hash_word(uint32_t hash, const char *word)
{
	return hash_bytes(hash, word, strlen(word) + 1);
}

static uint32_t
hash_uint(uint32_t hash, uint64_t n)
{
	return hash_bytes(hash, &n, sizeof n); /* little-endian */
}

static uint32_t
version_with(uint64_t raised)
{
	static const char *const kinds[] = { "id",	   "count", "choice",
					     "amount",	   "text",  "bytes",
					     "secret_text" };
	uint32_t h = 0x811c9dc5u;

	for (int type = 0; type < MSG_TYPES; type++) {
		uint64_t from = 0, to = 0;

		for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
			if (msg_may_send((enum msg_type)type, roles[i]))
				from |= roles[i];
			if (msg_must_hear((enum msg_type)type, roles[i]))
				to |= roles[i];
		}
		h = hash_word(h, msg_name((enum msg_type)type));
		h = hash_uint(hash_uint(h, from), to);
		for (const struct field *f = fields_of((enum msg_type)type);
		     f->name; f++) {
			h = hash_word(hash_word(h, f->name), kinds[f->kind]);
			h = hash_uint(
				h,
				f->max + (type == MSG_TYPES - 1 ? raised : 0));
			h = hash_uint(h, f->optional);
		}
		h = hash_word(h, "");
	}
	for (int code = 0; code < ERROR_CODES; code++)
		h = hash_word(h, error_name((enum error_code)code));
	for (int dialect = 0; dialect < DIALECTS; dialect++)
		h = hash_word(h, dialect_path((enum dialect)dialect));
	for (int reason = 0; reason < FINISH_REASONS; reason++)
		h = hash_word(h,
			      finish_reason_chat((enum finish_reason)reason));
	return h;
}

static void
another_table_is_another_version(void **state)
{
	assert_int_equal(msg_version(), version_with(0));
	assert_int_not_equal(msg_version(), version_with(1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_arrives_as_it_was_sent),
		cmocka_unit_test(every_limit_is_enforced),
		cmocka_unit_test(an_id_or_a_choice_is_never_zero),
		cmocka_unit_test(what_is_not_optional_must_be_there),
		cmocka_unit_test(an_amount_that_is_not_known_is_not_zero),
		cmocka_unit_test(text_is_utf8),
		cmocka_unit_test(the_sender_makes_text_and_numbers_fit),
		cmocka_unit_test(whatever_is_sent_harms_its_own_message_only),
		cmocka_unit_test(of_a_bad_event_the_good_fields_are_there),
		cmocka_unit_test(bytes_are_any_bytes),
		cmocka_unit_test(only_the_right_ones_say_it_and_hear_it),
		cmocka_unit_test(a_part_of_it_or_more_than_it_is_refused),
		cmocka_unit_test(an_array_that_claims_too_much_costs_nothing),
		cmocka_unit_test(it_is_shown_without_what_is_private),
		cmocka_unit_test(another_table_is_another_version),
	};

	return cmocka_run_group_tests(tests, make_letters, free_letters);
}
