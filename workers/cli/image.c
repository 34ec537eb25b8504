#include "workers/cli/image.h"

#include "workers/io/base64.h"

enum { HEAD_DIGITS = 16 /* of 12 bytes, which show what an image is */ };

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

static const char unknown_type[] =
	" is of a type that is not an image's: " IMAGE_NAMES " can be sent";
static const char undecodable[] = " is an image that cannot be decoded: it "
				  "begins like none of " IMAGE_NAMES;

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

const char *
image_of(struct str bytes)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		size_t end = types[i].at + types[i].bytes.len;

		if (bytes.len >= end &&
		    !memcmp(bytes.ptr + types[i].at, types[i].bytes.ptr,
			    types[i].bytes.len))
			return types[i].media_type;
	}
	return NULL;
}

/* The digits of the first bytes, without what stands between them. */
static size_t
first_digits(struct str base64, char digits[HEAD_DIGITS])
{
	size_t n = 0;

	for (size_t i = 0; i < base64.len && n < HEAD_DIGITS; i++)
		if (!str_is_space(base64.ptr[i]) && base64.ptr[i] != '=')
			digits[n++] = base64.ptr[i];
	return n;
}

const char *
image_type(struct str media_type, struct str base64, const char **problem)
{
	char digits[HEAD_DIGITS];
	size_t len, n = first_digits(base64, digits);
	auto_free char *head = base64_decode((struct str){ digits, n }, &len);
	const char *type = head ? image_of((struct str){ head, len }) : NULL;

	*problem = is_known(media_type) ? undecodable : unknown_type;
	return is_known(media_type) ? type : NULL;
}
