#include "gateway/http/head.h"

#include <ctype.h>

#include "proto/limits.h"
#include "proto/log.h"

enum {
	MAX_METHOD = 20,       /* bytes */
	MAX_TARGET = 8 << 10,  /* bytes */
	MAX_LENGTH_DIGITS = 18 /* of a body's length: fits into 64 bits */
};

/* Characters */

static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) &&
		    (!s.ptr[i] || !strchr("!#$%&'*+-.^_`|~", s.ptr[i])))
			return false;
	return s.len > 0;
}

static bool
is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_control(s.ptr[i]))
			return true;
	return false;
}

static struct str
trim_blanks(struct str s)
{
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	while (s.len && (*s.ptr == ' ' || *s.ptr == '\t'))
		s = str_from(s, 1);
	return s;
}

/* Where the head ends: behind the first empty line; 0 if it has not come. */
static size_t
find_end(struct str bytes, size_t from)
{
	const char *at;

	while (from < bytes.len &&
	       (at = memchr(bytes.ptr + from, '\n', bytes.len - from))) {
		size_t n = (size_t)(at - bytes.ptr) + 1;

		if (n >= 4 && !memcmp(at - 3, "\r\n\r\n", 4))
			return n;
		/* a tolerant reader would take these for the end, too */
		if (n >= 2 && at[-1] == '\n')
			return n;
		if (n >= 3 && at[-1] == '\r' && at[-2] == '\n')
			return n;
		from = n;
	}
	return 0;
}

/* Takes the next line off, without its end.  False: it has no CRLF. */
static bool
take_line(struct str *left, struct str *line)
{
	*line = str_cut(*left, '\n', left);
	if (!line->len || line->ptr[line->len - 1] != '\r')
		return false;
	line->len--;
	return !memchr(line->ptr, '\r', line->len);
}

/* The request line */

static bool
count_arguments(struct str target, struct error *e)
{
	size_t n = 0;

	for (size_t i = 0; i < target.len; i++)
		n += target.ptr[i] == '&' || target.ptr[i] == '?';
	return n <= MAX_HEAD_ARGUMENTS ||
	       fail_with(e, ERR_HEADERS,
			 "the request's address has more than %d arguments",
			 MAX_HEAD_ARGUMENTS);
}

static bool
check_target(struct str target, struct error *e)
{
	if (target.len > MAX_TARGET)
		return fail_with(e, ERR_HEADERS,
				 "the request's address has more than %d bytes",
				 MAX_TARGET);
	for (size_t i = 0; i < target.len; i++)
		if ((unsigned char)target.ptr[i] <= ' ' ||
		    target.ptr[i] == 0x7f)
			return fail_with(e, ERR_INVALID,
					 "the request's address has a control "
					 "character");
	if (!target.len)
		return fail_with(e, ERR_INVALID,
				 "the request line has no address");
	return count_arguments(target, e);
}

static bool
read_request_line(struct head *h, struct str line, struct error *e)
{
	struct str rest, version;

	h->method = str_cut(line, ' ', &rest);
	h->target = str_cut(rest, ' ', &version);
	if (!is_token(h->method) || h->method.len > MAX_METHOD)
		return fail_with(e, ERR_INVALID,
				 "the request line must begin with a method");
	if (!check_target(h->target, e))
		return false;
	h->is_http_1_0 = str_is(version, "HTTP/1.0");
	return h->is_http_1_0 || str_is(version, "HTTP/1.1") ||
	       fail_with(e, ERR_INVALID,
			 "the request line must end with HTTP/1.1 or HTTP/1.0");
}

/* Fields */

static bool
set_once(struct str *to, const char *name, struct str value, struct error *e)
{
	if (to->ptr)
		return fail_with(e, ERR_INVALID,
				 "the header %s must be there only once", name);
	*to = value;
	return true;
}

static bool
keep_field(struct head *h, struct str name, struct str value, struct error *e)
{
	if (str_same(name, STR("Host")))
		return set_once(&h->host, "Host", value, e);
	if (str_same(name, STR("Content-Length")))
		return set_once(&h->length_text, "Content-Length", value, e);
	if (str_same(name, STR("Transfer-Encoding")))
		return set_once(&h->encoding, "Transfer-Encoding", value, e);
	if (str_same(name, STR("Expect")))
		return set_once(&h->expect, "Expect", value, e);
	if (str_same(name, STR("Connection")))
		h->connection = h->connection.ptr ? STR("close") : value;
	return true;
}

static bool
read_field(struct head *h, struct str line, struct error *e)
{
	struct str value, name = str_cut(line, ':', &value);

	if (*line.ptr == ' ' || *line.ptr == '\t')
		return fail_with(e, ERR_INVALID,
				 "a header must not go on in the next line");
	if (!value.ptr || !is_token(name))
		return fail_with(e, ERR_INVALID,
				 "%s is not the beginning of a header: that is "
				 "a name, without white space, and a colon",
				 log_quote(name));
	if (has_control(value))
		return fail_with(e, ERR_INVALID,
				 "the header %s has a control character in it",
				 log_quote(name));
	return keep_field(h, name, trim_blanks(value), e);
}

static bool
read_fields(struct head *h, struct str left, struct error *e)
{
	struct str line;

	for (size_t n = 0;; n++) {
		if (!take_line(&left, &line))
			return fail_with(e, ERR_INVALID,
					 "every line of a head must end with "
					 "CR and LF");
		if (!line.len)
			return true;
		if (n == MAX_HEAD_FIELDS)
			return fail_with(e, ERR_HEADERS,
					 "there are more than %d headers",
					 MAX_HEAD_FIELDS);
		if (!read_field(h, line, e))
			return false;
	}
}

/* How long the body is */

static bool
read_length(struct head *h, struct error *e)
{
	struct str s = h->length_text;

	if (!s.ptr)
		return true;
	if (!s.len || s.len > MAX_LENGTH_DIGITS)
		return fail_with(
			e, ERR_INVALID,
			"Content-Length is %s, but must be a number of "
			"bytes",
			log_quote(s));
	for (size_t i = 0; i < s.len; i++) {
		if (!isdigit((unsigned char)s.ptr[i]))
			return fail_with(e, ERR_INVALID,
					 "Content-Length is %s, but must be a "
					 "number of bytes",
					 log_quote(s));
		h->length = h->length * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	return true;
}

static bool
read_framing(struct head *h, struct error *e)
{
	if (!h->encoding.ptr)
		return read_length(h, e);
	if (h->length_text.ptr || h->is_http_1_0 ||
	    !str_same(h->encoding, STR("chunked")))
		return fail_with(e, ERR_INVALID,
				 "Transfer-Encoding can only be chunked, with "
				 "HTTP/1.1 and without a Content-Length");
	h->is_chunked = true;
	return true;
}

/* The host */

static bool
is_port(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isdigit((unsigned char)s.ptr[i]))
			return false;
	return s.len <= 5;
}

static bool
is_in_brackets(struct str host)
{
	const char *end = memchr(host.ptr, ']', host.len);
	struct str rest;

	if (!end)
		return false;
	rest = str_from(host, (size_t)(end - host.ptr) + 1);
	for (const char *c = host.ptr + 1; c < end; c++)
		if (!isxdigit((unsigned char)*c) && *c != ':' && *c != '.')
			return false;
	return !rest.len || (*rest.ptr == ':' && is_port(str_from(rest, 1)));
}

bool
head_is_host(struct str host)
{
	struct str port, name;

	if (host.len && *host.ptr == '[')
		return is_in_brackets(host);
	name = str_cut(host, ':', &port);
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.ptr[i]) &&
		    (!name.ptr[i] || !strchr("-._~%", name.ptr[i])))
			return false;
	return name.len > 0 && is_port(port);
}

/* "http://host/path" names the host once more. */
static bool
check_authority(const struct head *h, struct error *e)
{
	struct str rest, authority = h->target;
	size_t len;

	if (*authority.ptr == '/' || str_is(authority, "*"))
		return true;
	(void)str_cut(authority, ':', &rest);
	if (rest.len < 2 || memcmp(rest.ptr, "//", 2) != 0)
		return fail_with(e, ERR_INVALID,
				 "the request's address must begin with a "
				 "slash, or with http://");
	authority = str_from(rest, 2);
	for (len = 0; len < authority.len; len++)
		if (strchr("/?#", authority.ptr[len]))
			break;
	authority.len = len;
	return !h->host.ptr || str_same(authority, h->host) ||
	       fail_with(e, ERR_INVALID,
			 "the request's address and its Host header name "
			 "different hosts");
}

static bool
check_host(const struct head *h, struct error *e)
{
	if (!h->host.ptr && !h->is_http_1_0)
		return fail_with(e, ERR_INVALID,
				 "HTTP/1.1 needs a Host header");
	if (h->host.ptr && !head_is_host(h->host))
		return fail_with(e, ERR_INVALID,
				 "Host is %s, but must be a host with or "
				 "without a port",
				 log_quote(h->host));
	return check_authority(h, e);
}

static bool
read_all(struct head *h, struct str bytes, struct error *e)
{
	struct str line;

	if (!take_line(&bytes, &line))
		return fail_with(e, ERR_INVALID,
				 "every line of a head must end with CR and "
				 "LF");
	if (has_control(line))
		return fail_with(e, ERR_INVALID,
				 "the request line has a control character");
	return read_request_line(h, line, e) && read_fields(h, bytes, e) &&
	       read_framing(h, e) && check_host(h, e);
}

static enum head_state
refuse_size(struct error *e)
{
	fail_with(e, ERR_HEADERS,
		  "the head is larger than the allowed %u bytes", MAX_HEAD);
	return HEAD_REFUSED;
}

enum head_state
head_read(struct head *h, struct str bytes, size_t *seen, struct error *e)
{
	size_t from = *seen < 3 ? 0 : *seen - 3, end = find_end(bytes, from);

	*seen = bytes.len;
	if (!end)
		return bytes.len > MAX_HEAD ? refuse_size(e) : HEAD_INCOMPLETE;
	if (end > MAX_HEAD)
		return refuse_size(e);
	*h = (struct head){ .len = end };
	bytes.len = end;
	return read_all(h, bytes, e) ? HEAD_COMPLETE : HEAD_REFUSED;
}

bool
head_keeps_alive(const struct head *h)
{
	if (h->is_http_1_0)
		return str_list_has(h->connection, STR("keep-alive"));
	return !str_list_has(h->connection, STR("close"));
}
