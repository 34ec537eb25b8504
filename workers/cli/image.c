#include "workers/cli/image.h"

enum { HEAD_BYTES = 12 /* of an image, which show what it is */ };

/* What an image of each type begins with, and where; the first that fits. */
static const struct {
	const char *media_type;
	size_t at;
	struct str bytes;
} types[] = {
	{ "image/png", 0, { "\x89PNG\r\n\x1a\n", 8 } },
	{ "image/jpeg", 0, { "\xff\xd8\xff", 3 } },
	{ "image/gif", 0, { "GIF8", 4 } },
	{ "image/webp", 8, { "WEBP", 4 } },
	{ "image/bmp", 0, { "BM", 2 } },
	{ "image/avif", 4, { "ftypavi", 7 } },
	{ "image/heic", 4, { "ftyphe", 6 } },
	{ "image/heif", 4, { "ftyp", 4 } },
};

#define NAMES "PNG, JPEG, GIF, WebP, BMP, AVIF, HEIC and HEIF"

static const char unknown_type[] =
	" is of a type that is not an image's: " NAMES " can be sent";
static const char undecodable[] =
	" is an image that cannot be decoded: it begins like none of " NAMES;

static bool
is_known(struct str media_type)
{
	if (str_same(media_type, STR("image/jpg")))
		return true;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (str_same(media_type, str_of(types[i].media_type)))
			return true;
	return false;
}

/* The six bits of a digit of base64, or of its variant for URLs; -1: none. */
static int
value_of(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	if (c == '-' || c == '_')
		return c == '-' ? 62 : 63;
	return at ? (int)(at - digits) : -1;
}

/* Into `head`, as far as there are bytes; returns their number. */
static size_t
decode_head(struct str base64, char head[HEAD_BYTES])
{
	unsigned bits = 0, value = 0;
	size_t len = 0;

	for (size_t i = 0; i < base64.len && len < HEAD_BYTES; i++) {
		int digit = value_of(base64.ptr[i]);

		if (digit < 0)
			continue; /* white space, or padding */
		value = (value << 6 | (unsigned)digit) & 0xffff;
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		head[len++] = (char)(value >> bits & 0xff);
	}
	return len;
}

const char *
image_type(struct str media_type, struct str base64, const char **problem)
{
	char head[HEAD_BYTES];
	size_t len = decode_head(base64, head);

	*problem = unknown_type;
	if (!is_known(media_type))
		return NULL;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t end = types[i].at + types[i].bytes.len;

		if (len >= end &&
		    !memcmp(head + types[i].at, types[i].bytes.ptr,
			    types[i].bytes.len))
			return types[i].media_type;
	}
	*problem = undecodable;
	return NULL;
}
