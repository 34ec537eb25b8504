#include "workers/cli/web_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "proto/limits.h"

enum { MAX_HOST = 253 /* characters, of a name */ };

/* Addresses that lead to nobody, to oneself, or to neighbours. */
static const struct {
	uint8_t bytes[4];
	unsigned bits;
} not_public[] = {
	{ { 0 }, 8 },
	{ { 10 }, 8 },
	{ { 100, 64 }, 10 },
	{ { 127 }, 8 },
	{ { 169, 254 }, 16 },
	{ { 172, 16 }, 12 },
	{ { 192, 0, 0 }, 24 },
	{ { 192, 0, 2 }, 24 },
	{ { 192, 88, 99 }, 24 },
	{ { 192, 168 }, 16 },
	{ { 198, 18 }, 15 },
	{ { 198, 51, 100 }, 24 },
	{ { 203, 0, 113 }, 24 },
	{ { 224 }, 3 },
};

/* Names that are of one machine, or of one network. */
static const char *const private_names[] = {
	"localhost", "localdomain",  "local",	 "internal", "intranet",
	"lan",	     "home",	     "corp",	 "private",  "home.arpa",
	"onion",     "in-addr.arpa", "ip6.arpa", "invalid",
};

static bool
begins_with_bits(const uint8_t *address, const uint8_t *bytes, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return !memcmp(address, bytes, whole) &&
	       (!rest || !((address[whole] ^ bytes[whole]) >> (8 - rest)));
}

static bool
is_public_4(const uint8_t address[4])
{
	for (size_t i = 0; i < sizeof not_public / sizeof *not_public; i++)
		if (begins_with_bits(address, not_public[i].bytes,
				     not_public[i].bits))
			return false;
	return true;
}

/* Only what is given to networks of the internet is public; some of it has an
 * address of the older kind in it. */
static bool
is_public_6(const uint8_t address[16])
{
	static const uint8_t global[] = { 0x20 };
	static const uint8_t special[] = { 0x20, 0x01, 0x00 };
	static const uint8_t documents[] = { 0x20, 0x01, 0x0d, 0xb8 };
	static const uint8_t six_to_four[] = { 0x20, 0x02 };
	static const uint8_t translated[12] = { 0x00, 0x64, 0xff, 0x9b };

	if (begins_with_bits(address, translated, 96))
		return is_public_4(address + 12);
	if (begins_with_bits(address, six_to_four, 16))
		return is_public_4(address + 2);
	return begins_with_bits(address, global, 3) &&
	       !begins_with_bits(address, special, 23) &&
	       !begins_with_bits(address, documents, 32);
}

static bool
is_port(struct str port)
{
	for (size_t i = 0; i < port.len; i++)
		if (!isdigit((unsigned char)port.ptr[i]))
			return false;
	return port.len <= 5;
}

/* "[2001:4860::1]:443", of which `s` begins behind the "[". */
static const char *
problem_of_6(struct str s)
{
	char text[INET6_ADDRSTRLEN];
	struct str behind, address = str_cut(s, ']', &behind);
	uint8_t bytes[16];

	if (!behind.ptr || address.len >= sizeof text ||
	    (behind.len && *behind.ptr != ':') ||
	    !is_port(behind.len ? str_from(behind, 1) : behind))
		return "a host that is no address";
	memcpy(text, address.ptr, address.len);
	text[address.len] = '\0';
	if (strlen(text) != address.len ||
	    inet_pton(AF_INET6, text, bytes) != 1)
		return "a host that is no address";
	return is_public_6(bytes) ? NULL : "a host that is not a public one";
}

static struct str
last_label(struct str host)
{
	for (size_t i = host.len; i > 0; i--)
		if (host.ptr[i - 1] == '.')
			return str_from(host, i);
	return host;
}

/* Whatever ends in a number is an address for some: 127.1, 0x7f000001, ... */
static bool
ends_in_number(struct str label)
{
	const struct str hex = STR("0x");
	struct str begin = { label.ptr, hex.len };

	return label.len && (isdigit((unsigned char)*label.ptr) ||
			     (label.len >= hex.len && str_same(begin, hex)));
}

static const char *
problem_of_4(struct str host)
{
	char text[INET_ADDRSTRLEN], again[INET_ADDRSTRLEN];
	uint8_t bytes[4];

	if (host.len >= sizeof text)
		return "a host that ends in a number, and is no address";
	memcpy(text, host.ptr, host.len);
	text[host.len] = '\0';
	if (inet_pton(AF_INET, text, bytes) != 1 ||
	    !inet_ntop(AF_INET, bytes, again, sizeof again) ||
	    strcmp(text, again) != 0)
		return "a host that ends in a number, and is no address in its "
		       "usual form, such as 93.184.216.34";
	return is_public_4(bytes) ? NULL : "a host that is not a public one";
}

static bool
is_in(struct str host, struct str domain)
{
	struct str end;

	if (host.len < domain.len)
		return false;
	end = str_from(host, host.len - domain.len);
	return str_same(end, domain) &&
	       (host.len == domain.len ||
		host.ptr[host.len - domain.len - 1] == '.');
}

static const char *
problem_of_name(struct str host)
{
	for (size_t i = 0; i < host.len; i++)
		if (!isalnum((unsigned char)host.ptr[i]) &&
		    !strchr("-._", host.ptr[i]))
			return "a host that is no plain name: one beyond ASCII "
			       "must be in its form with xn--";
	if (host.len && host.ptr[host.len - 1] == '.')
		host.len--;
	if (!host.len || host.len > MAX_HOST || *host.ptr == '.')
		return "no host";
	if (ends_in_number(last_label(host)))
		return problem_of_4(host);
	for (size_t i = 0; i < sizeof private_names / sizeof *private_names;
	     i++)
		if (is_in(host, str_of(private_names[i])))
			return "a host that is not a public one";
	return memchr(host.ptr, '.', host.len)
		       ? NULL
		       : "a host that is not a public one";
}

static const char *
problem_of(struct str url)
{
	struct str host, port;
	size_t len = 0;

	if (url.len > MAX_URL)
		return "more than 2048 characters";
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7f ||
		    url.ptr[i] == '\\')
			return "a space, a control character or a backslash in "
			       "it";
	while (len < url.len && !strchr("/?#", url.ptr[len]))
		len++;
	url.len = len;
	if (len && memchr(url.ptr, '@', len))
		return "a user's name in it";
	if (url.len && *url.ptr == '[')
		return problem_of_6(str_from(url, 1));
	host = str_cut(url, ':', &port);
	return is_port(port) ? problem_of_name(host) : "a port that is none";
}

bool
web_url_is_public(struct str url, const char **problem)
{
	static const struct str schemes[] = { STR("http://"), STR("https://") };

	*problem = "neither http: nor https: at its start";
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		struct str begin = { url.ptr, schemes[i].len };

		if (url.len >= schemes[i].len && str_same(begin, schemes[i]))
			*problem = problem_of(str_from(url, schemes[i].len));
	}
	return !*problem;
}
