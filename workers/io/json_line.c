#include "workers/io/json_line.h"

/* How many bytes at `at` are one character that ends a line for some readers,
 * and its number; 0: they are none. */
static size_t
line_end(const unsigned char *at, size_t len, unsigned *number)
{
	if (len >= 2 && at[0] == 0xc2 && at[1] == 0x85) {
		*number = 0x85;
		return 2;
	}
	if (len >= 3 && at[0] == 0xe2 && at[1] == 0x80 &&
	    (at[2] == 0xa8 || at[2] == 0xa9)) {
		*number = 0x2000u + (at[2] & 0x3fu);
		return 3;
	}
	return 0;
}

/* Whether a string may have to be looked at more closely here. */
static bool
is_special(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\' || c == 0xc2 || c == 0xe2;
}

/* Writes the character at `at`, and returns its length. */
static size_t
put_special(struct buf *b, const unsigned char *at, size_t len)
{
	static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
	unsigned number = *at;
	size_t width = line_end(at, len, &number);

	if (!width && number >= 0x80) {
		buf_put(b, (struct str){ (const char *)at, 1 });
		return 1;
	}
	for (const char *s = shorts; !width && *s; s += 2)
		if ((unsigned char)*s == number) {
			buf_put(b, (struct str){ (char[]){ '\\', s[1] }, 2 });
			return 1;
		}
	buf_print(b, "\\u%04X", number);
	return width ? width : 1;
}

static void
put_string(struct buf *b, struct str s)
{
	const unsigned char *at = (const unsigned char *)s.ptr;
	size_t i = 0, plain;

	buf_put(b, STR("\""));
	while (i < s.len) {
		for (plain = i; plain < s.len && !is_special(at[plain]);)
			plain++;
		buf_put(b, (struct str){ s.ptr + i, plain - i });
		i = plain;
		if (i < s.len)
			i += put_special(b, at + i, s.len - i);
	}
	buf_put(b, STR("\""));
}

static void
put_array(struct buf *b, const json_t *array)
{
	const json_t *value;
	size_t i;

	buf_put(b, STR("["));
	json_array_foreach (array, i, value) {
		if (i)
			buf_put(b, STR(","));
		json_line(b, value);
	}
	buf_put(b, STR("]"));
}

static void
put_object(struct buf *b, const json_t *object)
{
	const char *key, *between = "";
	json_t *value;

	buf_put(b, STR("{"));
	json_object_foreach ((json_t *)object, key, value) {
		buf_put(b, str_of(between));
		put_string(b, str_of(key));
		buf_put(b, STR(":"));
		json_line(b, value);
		between = ",";
	}
	buf_put(b, STR("}"));
}

static void
put_number(struct buf *b, const json_t *number)
{
	auto_free char *text =
		json_dumps(number, JSON_ENCODE_ANY | JSON_COMPACT);

	buf_put(b, str_of(text));
}

void
json_line(struct buf *b, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		put_object(b, value);
		break;
	case JSON_ARRAY:
		put_array(b, value);
		break;
	case JSON_STRING:
		put_string(b, (struct str){ json_string_value(value),
					    json_string_length(value) });
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		put_number(b, value);
		break;
	case JSON_TRUE:
		buf_put(b, STR("true"));
		break;
	case JSON_FALSE:
		buf_put(b, STR("false"));
		break;
	case JSON_NULL:
		buf_put(b, STR("null"));
		break;
	}
}

char *
json_line_text(const json_t *value)
{
	struct buf b = BUF_INIT(MAX_JSON_LINE);

	json_line(&b, value);
	buf_put(&b, (struct str){ "", 1 });
	return b.ptr;
}

void
json_line_write(FILE *f, const json_t *value)
{
	struct buf b = BUF_INIT(MAX_JSON_LINE);

	json_line(&b, value);
	buf_put(&b, STR("\n"));
	(void)fwrite(b.ptr, 1, b.len, f);
	buf_fini(&b);
}
