#include "proto/msg.h"

#include <assert.h>

#include <msgpack.h>

#include "proto/log.h"
#include "proto/utf8.h"

/*
 * Reading msgpack.  Not with msgpack-c: it allocates as many objects as an
 * array claims to have, before it looks at how many bytes there are.  Here
 * nothing is allocated, and only what messages.def can contain is read.
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

/* `first` is the code of the form with an 8-bit length: str 8, or bin 8. */
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

/* If the next value is nil, goes past it. */
static bool
read_nil(struct reader *r)
{
	if (r->at == r->end || *r->at != 0xc0)
		return false;
	r->at++;
	return true;
}

static bool
read_array(struct reader *r, size_t *size)
{
	if (r->at == r->end || *r->at < 0x90 || *r->at > 0x9f)
		return false;
	*size = *r->at++ - 0x90u;
	return true;
}

/* Kinds: how one field is packed, checked and unpacked, and shown. */

struct kind {
	const char *name;
	void (*pack)(msgpack_packer *, const void *field);
	bool (*unpack)(struct reader *, void *field, size_t max);
	void (*print)(struct buf *, const void *field);
};

static void
pack_number(msgpack_packer *p, const void *field)
{
	msgpack_pack_uint64(p, *(const uint64_t *)field);
}

static void
print_number(struct buf *out, const void *field)
{
	buf_print(out, "%ju", (uintmax_t) * (const uint64_t *)field);
}

static bool
unpack_id(struct reader *r, void *field, size_t max)
{
	uint64_t *id = field;

	return read_uint(r, id) && *id != 0;
}

static bool
unpack_count(struct reader *r, void *field, size_t max)
{
	uint64_t *count = field;

	return read_uint(r, count) && *count <= max;
}

static void
pack_text(msgpack_packer *p, const void *field)
{
	const struct str *s = field;

	if (s->ptr)
		msgpack_pack_str_with_body(p, s->ptr, s->len);
	else
		msgpack_pack_nil(p);
}

static bool
unpack_text(struct reader *r, void *field, size_t max)
{
	struct str *s = field;

	return read_str(r, s) && s->len <= max && utf8_valid(*s);
}

static void
print_text(struct buf *out, const void *field)
{
	buf_print(out, "%s", log_quote(*(const struct str *)field));
}

static void
pack_bytes(msgpack_packer *p, const void *field)
{
	const struct str *s = field;

	msgpack_pack_bin_with_body(p, s->ptr ? s->ptr : "", s->len);
}

static bool
unpack_bytes(struct reader *r, void *field, size_t max)
{
	struct str *s = field;

	return read_long(r, 0xc4, s) && s->len <= max;
}

static void
print_length(struct buf *out, const void *field)
{
	buf_print(out, "<%zu bytes>", ((const struct str *)field)->len);
}

static const struct kind id = { "id", pack_number, unpack_id, print_number };
static const struct kind count = { "count", pack_number, unpack_count,
				   print_number };
static const struct kind text = { "text", pack_text, unpack_text, print_text };
static const struct kind bytes = { "bytes", pack_bytes, unpack_bytes,
				   print_length };
static const struct kind secret_text = { "secret_text", pack_text, unpack_text,
					 print_length };

/* Shapes: messages.def as data. */

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

/* FNV-1a, 32 bits; the NUL counts, so that words do not run together. */
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

/* The wire: an array of the type and then the fields, in order. */

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

void
msg_append(nng_msg *raw, enum msg_type type, const void *body)
{
	const struct shape *shape = shape_of(type);
	msgpack_packer p;

	msgpack_packer_init(&p, raw, append);
	msgpack_pack_array(&p, 1 + field_count(shape));
	msgpack_pack_uint32(&p, type);
	for (const struct field *f = shape->fields; f->name; f++)
		f->kind->pack(&p, (const char *)body + f->offset);
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

static bool
unpack_fields(struct reader *r, const struct shape *shape, void *body,
	      struct error *e)
{
	for (const struct field *f = shape->fields; f->name; f++) {
		if (f->optional && read_nil(r))
			continue;
		if (!f->kind->unpack(r, (char *)body + f->offset, f->max))
			return fail_with(e, ERR_PROTOCOL, "%s: bad %s",
					 shape->name, f->name);
	}
	return true;
}

static bool
unpack(struct msg *m, struct reader *r, enum role from, enum role to,
       struct error *e)
{
	const struct shape *shape;
	uint64_t type;
	size_t size;

	if (!read_array(r, &size) || !read_uint(r, &type) || type >= MSG_TYPES)
		return fail_with(e, ERR_PROTOCOL, "not a message");
	m->type = (enum msg_type)type;
	shape = shape_of(m->type);
	if (!(shape->from & from))
		return fail_with(e, ERR_PROTOCOL, "%s: not from you",
				 shape->name);
	if (!(shape->to & to))
		return fail_with(e, ERR_PROTOCOL, "%s: not for us",
				 shape->name);
	if (size != 1 + field_count(shape))
		return fail_with(e, ERR_PROTOCOL, "%s: %zu fields", shape->name,
				 size - 1);
	memset(&m->body, 0, sizeof m->body);
	return unpack_fields(r, shape, &m->body, e);
}

bool
msg_next(struct msg *m, struct str *left, enum role from, enum role to,
	 struct error *e)
{
	const unsigned char *at = (const unsigned char *)left->ptr;
	struct reader r = { at, at + left->len };

	m->raw = NULL;
	if (!unpack(m, &r, from, to, e))
		return false;
	*left = str_from(*left, (size_t)(r.at - at));
	return true;
}

bool
msg_unpack(struct msg *m, nng_msg *raw, enum role from, enum role to,
	   struct error *e)
{
	struct str left = { nng_msg_body(raw), nng_msg_len(raw) };

	if (msg_next(m, &left, from, to, e)) {
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

/* A field that is absent, or zero, is not worth showing. */
static bool
is_there(const struct field *f, const void *field)
{
	if (f->kind == &id || f->kind == &count)
		return *(const uint64_t *)field != 0;
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
