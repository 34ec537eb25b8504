#include "proto/msg.h"

#include <assert.h>

#include <msgpack.h>

#include "proto/log.h"
#include "proto/utf8.h"

/*
 * The reader of msgpack. msgpack-c would allocate as many objects as an array
 * claims to have, before it looks at how many bytes there are.  This reader
 * allocates nothing, and reads only what messages.def can contain.
 */

struct reader {
	const unsigned char *at, *end;
};

/* Reads a big-endian number of `size` bytes. */
static bool
read_bytes(struct reader *r, size_t size, uint64_t *value)
{
	uint64_t v = 0;

	if ((size_t)(r->end - r->at) < size)
		return false;
	while (size--)
		v = v << 8 | *r->at++;
	*value = v;
	return true;
}

static bool
read_uint(struct reader *r, uint64_t *value)
{
	unsigned char c;

	if (r->at == r->end)
		return false;
	c = *r->at++;
	if (c <= 0x7f) {
		*value = c;
		return true;
	}
	return c >= 0xcc && c <= 0xcf &&
	       read_bytes(r, (size_t)1 << (c - 0xcc), value);
}

static bool
read_body(struct reader *r, uint64_t len, struct str *value)
{
	if ((size_t)(r->end - r->at) < len)
		return false;
	*value = (struct str){ (const char *)r->at, len };
	r->at += len;
	return true;
}

/* `first` is the code of the type with an 8-bit length: str 8, or bin 8. */
static bool
read_long(struct reader *r, unsigned char first, struct str *value)
{
	uint64_t len;
	unsigned char c;

	if (r->at == r->end)
		return false;
	c = *r->at++;
	return c >= first && c <= first + 2 &&
	       read_bytes(r, (size_t)1 << (c - first), &len) &&
	       read_body(r, len, value);
}

static bool
read_str(struct reader *r, struct str *value)
{
	unsigned char c = r->at == r->end ? 0 : *r->at;

	if (c < 0xa0 || c > 0xbf)
		return read_long(r, 0xd9, value);
	r->at++;
	return read_body(r, c - 0xa0u, value);
}

/* Skips the next value if it is nil. */
static bool
read_nil(struct reader *r)
{
	if (r->at == r->end || *r->at != 0xc0)
		return false;
	r->at++;
	return true;
}

/* Skips any value that a message can have. */
static bool
skip_value(struct reader *r)
{
	unsigned char c = r->at == r->end ? 0xc1 : *r->at;
	struct str any;
	uint64_t number;

	if (c == 0xc0)
		return read_nil(r);
	if (c >= 0xc4 && c <= 0xc6)
		return read_long(r, 0xc4, &any);
	if ((c >= 0xa0 && c <= 0xbf) || (c >= 0xd9 && c <= 0xdb))
		return read_str(r, &any);
	return read_uint(r, &number);
}

static bool
read_array(struct reader *r, size_t *size)
{
	size_t left = (size_t)(r->end - r->at);

	if (left >= 3 && *r->at == 0xdc) { /* of more than 15 */
		*size = (size_t)r->at[1] << 8 | r->at[2];
		r->at += 3;
		return *size > 15;
	}
	if (!left || *r->at < 0x90 || *r->at > 0x9f)
		return false;
	*size = *r->at++ - 0x90u;
	return true;
}

/* Kinds: how a field is packed, checked and unpacked, and printed. */

struct kind {
	const char *name;
	/* False: the value was changed to fit. */
	bool (*pack)(msgpack_packer *, const void *field, size_t max,
		     bool optional);
	bool (*unpack)(struct reader *, void *field, size_t max);
	void (*print)(struct buf *, const void *field);
};

static bool
pack_id(msgpack_packer *p, const void *field, size_t max, bool optional)
{
	msgpack_pack_uint64(p, *(const uint64_t *)field);
	return true;
}

static bool
pack_count(msgpack_packer *p, const void *field, size_t max, bool optional)
{
	uint64_t count = *(const uint64_t *)field;

	msgpack_pack_uint64(p, count <= max ? count : max);
	return count <= max;
}

static void
print_number(struct buf *out, const void *field)
{
	buf_print(out, "%ju", (uintmax_t) * (const uint64_t *)field);
}

static bool
unpack_id(struct reader *r, void *field, size_t max)
{
	uint64_t id;

	if (!read_uint(r, &id) || id == 0)
		return false;
	*(uint64_t *)field = id;
	return true;
}

static bool
unpack_count(struct reader *r, void *field, size_t max)
{
	uint64_t count;

	if (!read_uint(r, &count) || count > max)
		return false;
	*(uint64_t *)field = count;
	return true;
}

/* No other choice stands for one that does not exist: it becomes none, which
 * the receiver refuses. */
static bool
pack_choice(msgpack_packer *p, const void *field, size_t max, bool optional)
{
	uint64_t choice = *(const uint64_t *)field;

	msgpack_pack_uint64(p, choice <= max ? choice : 0);
	return choice <= max;
}

static bool
unpack_choice(struct reader *r, void *field, size_t max)
{
	uint64_t choice;

	if (!read_uint(r, &choice) || choice == 0 || choice > max)
		return false;
	*(uint64_t *)field = choice;
	return true;
}

static bool
pack_amount(msgpack_packer *p, const void *field, size_t max, bool optional)
{
	const struct amount *a = field;

	if (a->is_known)
		return pack_count(p, &a->count, max, optional);
	msgpack_pack_nil(p);
	return true;
}

static bool
unpack_amount(struct reader *r, void *field, size_t max)
{
	uint64_t count;

	if (!unpack_count(r, &count, max))
		return false;
	*(struct amount *)field = amount_of(count);
	return true;
}

static void
print_amount(struct buf *out, const void *field)
{
	print_number(out, &((const struct amount *)field)->count);
}

static bool
pack_text(msgpack_packer *p, const void *field, size_t max, bool optional)
{
	const struct str *s = field;
	auto_free char *mended = NULL;
	size_t len;

	if (!s->ptr && optional) {
		msgpack_pack_nil(p);
		return true;
	}
	if (s->ptr && s->len <= max && utf8_valid(*s)) {
		msgpack_pack_str_with_body(p, s->ptr, s->len);
		return true;
	}
	mended = utf8_mend(*s, max, &len);
	msgpack_pack_str_with_body(p, mended, len);
	return false;
}

static bool
unpack_text(struct reader *r, void *field, size_t max)
{
	struct str s;

	if (!read_str(r, &s) || s.len > max || !utf8_valid(s))
		return false;
	*(struct str *)field = s;
	return true;
}

static void
print_text(struct buf *out, const void *field)
{
	buf_print(out, "%s", log_quote(*(const struct str *)field));
}

static bool
pack_bytes(msgpack_packer *p, const void *field, size_t max, bool optional)
{
	const struct str *s = field;

	msgpack_pack_bin_with_body(p, s->ptr ? s->ptr : "", s->len);
	return true;
}

static bool
unpack_bytes(struct reader *r, void *field, size_t max)
{
	struct str s;

	if (!read_long(r, 0xc4, &s) || s.len > max)
		return false;
	*(struct str *)field = s;
	return true;
}

static void
print_length(struct buf *out, const void *field)
{
	buf_print(out, "<%zu bytes>", ((const struct str *)field)->len);
}

static const struct kind id = { "id", pack_id, unpack_id, print_number };
static const struct kind count = { "count", pack_count, unpack_count,
				   print_number };
static const struct kind choice = { "choice", pack_choice, unpack_choice,
				    print_number };
static const struct kind amount = { "amount", pack_amount, unpack_amount,
				    print_amount };
static const struct kind text = { "text", pack_text, unpack_text, print_text };
static const struct kind bytes = { "bytes", pack_bytes, unpack_bytes,
				   print_length };
static const struct kind secret_text = { "secret_text", pack_text, unpack_text,
					 print_length };

/* Shapes: the messages of messages.def, as data. */

struct field {
	const char *name; /* NULL after the last one */
	const struct kind *kind;
	size_t offset, max;
	bool optional;
};

struct shape {
	const char *name;
	enum role from, to;
	struct field fields[MAX_FIELDS + 1];
};

static const struct shape *
shape_of(enum msg_type type)
{
	/* clang-format off */
	switch (type) {
#define MESSAGE(NAME, name, from, to)                                       \
	case MSG_##NAME: {                                                  \
		typedef struct msg_##name self __attribute__((unused));     \
		static const struct shape shape = {                         \
			#NAME, from, to, {
#define FIELD(kind, name, max)                                              \
			{ #name, &kind, offsetof(self, name), max, false },
#define OPTIONAL(kind, name, max)                                           \
			{ #name, &kind, offsetof(self, name), max, true },
#define END                                                                 \
			{ 0 },                                              \
		} };                                                        \
		return &shape;                                              \
	}
#include "proto/messages.def"
	case MSG_TYPES:
		break;
	}
	/* clang-format on */
	abort();
}

const char *
msg_name(enum msg_type type)
{
	return shape_of(type)->name;
}

const char *
health_name(enum health health)
{
	static const char *const names[HEALTHS] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_READY] = "ready",
		[HEALTH_UNAVAILABLE] = "unavailable",
		[HEALTH_ERROR] = "error",
	};

	return names[health];
}

const char *
dialect_path(enum dialect dialect)
{
	static const char *const paths[DIALECTS] = {
#define DIALECT(NAME, path) [DIALECT_##NAME] = path,
#include "proto/dialects.def"
	};

	return paths[dialect];
}

/*
 * FNV-1a, 32 bits.  The final NUL is hashed, so that words do not run together.
 */
static uint32_t
hash_text(uint32_t hash, const char *word)
{
	do
		hash = (hash ^ (unsigned char)*word) * 0x01000193u;
	while (*word++);
	return hash;
}

static uint32_t
hash_number(uint32_t hash, uint64_t n)
{
	for (int i = 0; i < 8; i++, n >>= 8)
		hash = (hash ^ (unsigned char)n) * 0x01000193u;
	return hash;
}

static uint32_t
hash_shape(uint32_t hash, const struct shape *shape)
{
	hash = hash_text(hash, shape->name);
	hash = hash_number(hash, shape->from);
	hash = hash_number(hash, shape->to);
	for (const struct field *f = shape->fields; f->name; f++) {
		hash = hash_text(hash, f->name);
		hash = hash_text(hash, f->kind->name);
		hash = hash_number(hash, f->max);
		hash = hash_number(hash, f->optional);
	}
	return hash_text(hash, "");
}

uint32_t
msg_version(void)
{
	static uint32_t version;
	uint32_t hash = 0x811c9dc5u;

	if (version)
		return version;
	for (int type = 0; type < MSG_TYPES; type++)
		hash = hash_shape(hash, shape_of((enum msg_type)type));
	for (int code = 0; code < ERROR_CODES; code++)
		hash = hash_text(hash, error_name((enum error_code)code));
	for (int dialect = 0; dialect < DIALECTS; dialect++)
		hash = hash_text(hash, dialect_path((enum dialect)dialect));
	for (int reason = 0; reason < FINISH_REASONS; reason++)
		hash = hash_text(
			hash, finish_reason_chat((enum finish_reason)reason));
	return version = hash ? hash : 1;
}

bool
msg_may_send(enum msg_type type, enum role from)
{
	return (shape_of(type)->from & from) != 0;
}

bool
msg_must_hear(enum msg_type type, enum role to)
{
	return (shape_of(type)->to & to) != 0;
}

/* Wire format: an array of the type and then the fields, in order. */

static size_t
field_count(const struct shape *shape)
{
	size_t n = 0;

	while (shape->fields[n].name)
		n++;
	return n;
}

static int
append(void *raw, const char *data, size_t len)
{
	if (nng_msg_append(raw, data, len) != 0)
		abort();
	return 0;
}

/*
 * Warns once for each field: a sender with such a bug has it in every message.
 */
static void
tell_mended(enum msg_type type, const struct field *f)
{
	static bool told[MSG_TYPES][MAX_FIELDS];
	const struct shape *shape = shape_of(type);
	bool *it = &told[type][f - shape->fields];

	if (!*it)
		log_warn("%s: %s was too long or no UTF-8, and was made to "
			 "fit; this is not said again",
			 shape->name, f->name);
	*it = true;
}

void
msg_append(nng_msg *raw, enum msg_type type, const void *body)
{
	const struct shape *shape = shape_of(type);
	msgpack_packer p;

	msgpack_packer_init(&p, raw, append);
	msgpack_pack_array(&p, 1 + field_count(shape));
	msgpack_pack_uint32(&p, type);
	for (const struct field *f = shape->fields; f->name; f++)
		if (!f->kind->pack(&p, (const char *)body + f->offset, f->max,
				   f->optional))
			tell_mended(type, f);
}

nng_msg *
msg_pack(enum msg_type type, const void *body)
{
	nng_msg *raw;

	if (nng_msg_alloc(&raw, 0) != 0)
		abort();
	msg_append(raw, type, body);
	return raw;
}

/* A wrong field is skipped, so that the fields behind it can be read. */
static enum msg_verdict
unpack_fields(struct reader *r, const struct shape *shape, void *body,
	      struct error *e)
{
	enum msg_verdict verdict = MSG_GOOD;

	for (const struct field *f = shape->fields; f->name; f++) {
		struct reader before = *r;

		if (f->optional && read_nil(r))
			continue;
		if (f->kind->unpack(r, (char *)body + f->offset, f->max))
			continue;
		if (verdict == MSG_GOOD)
			fail_with(e, ERR_PROTOCOL, "%s: bad %s", shape->name,
				  f->name);
		verdict = MSG_BAD;
		*r = before;
		if (!skip_value(r))
			return MSG_BROKEN;
	}
	return verdict;
}

static enum msg_verdict
fail_broken(struct error *e, const struct shape *shape, const char *why)
{
	fail_with(e, ERR_PROTOCOL, "%s: %s", shape->name, why);
	return MSG_BROKEN;
}

static enum msg_verdict
unpack(struct msg *m, struct reader *r, enum role from, enum role to,
       struct error *e)
{
	const struct shape *shape;
	uint64_t type;
	size_t size;

	if (!read_array(r, &size) || !read_uint(r, &type) ||
	    type >= MSG_TYPES) {
		fail_with(e, ERR_PROTOCOL, "not a message");
		return MSG_BROKEN;
	}
	m->type = (enum msg_type)type;
	shape = shape_of(m->type);
	if (!(shape->from & from))
		return fail_broken(e, shape, "not from you");
	if (!(shape->to & to))
		return fail_broken(e, shape, "not for us");
	if (size != 1 + field_count(shape)) {
		fail_with(e, ERR_PROTOCOL, "%s: %zu fields", shape->name,
			  size - 1);
		return MSG_BROKEN;
	}
	memset(&m->body, 0, sizeof m->body);
	return unpack_fields(r, shape, &m->body, e);
}

enum msg_verdict
msg_next(struct msg *m, struct str *left, enum role from, enum role to,
	 struct error *e)
{
	const unsigned char *at = (const unsigned char *)left->ptr;
	struct reader r = { at, at + left->len };
	enum msg_verdict verdict = unpack(m, &r, from, to, e);

	m->raw = NULL;
	if (verdict != MSG_BROKEN)
		*left = str_from(*left, (size_t)(r.at - at));
	return verdict;
}

uint64_t
msg_turn(const struct msg *m)
{
	const struct shape *shape = shape_of(m->type);

	for (const struct field *f = shape->fields; f->name; f++)
		if (f->kind == &id && !strcmp(f->name, "turn"))
			return *(const uint64_t *)((const char *)&m->body +
						   f->offset);
	return 0;
}

bool
msg_unpack(struct msg *m, nng_msg *raw, enum role from, enum role to,
	   struct error *e)
{
	struct str left = { nng_msg_body(raw), nng_msg_len(raw) };

	if (msg_next(m, &left, from, to, e) == MSG_GOOD) {
		m->raw = raw;
		if (!left.len)
			return true;
		fail_with(e, ERR_PROTOCOL, "%s: bytes left over",
			  msg_name(m->type));
	}
	nng_msg_free(raw);
	*m = MSG_INIT;
	return false;
}

void
msg_fini(struct msg *m)
{
	if (m->raw)
		nng_msg_free(m->raw);
	*m = MSG_INIT;
}

/* A field that is absent or zero is not printed. */
static bool
is_there(const struct field *f, const void *field)
{
	if (f->kind == &id || f->kind == &count || f->kind == &choice)
		return *(const uint64_t *)field != 0;
	if (f->kind == &amount)
		return ((const struct amount *)field)->is_known;
	return ((const struct str *)field)->ptr != NULL;
}

void
msg_print(struct buf *out, const struct msg *m)
{
	const struct shape *shape = shape_of(m->type);

	buf_print(out, "%s", shape->name);
	for (const struct field *f = shape->fields; f->name; f++) {
		const void *field = (const char *)&m->body + f->offset;

		if (!is_there(f, field))
			continue;
		buf_print(out, " %s=", f->name);
		f->kind->print(out, field);
	}
}
