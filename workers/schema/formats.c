/*
 * The formats that are checked: those of OpenAI's strict schemas, and others
 * that schemas of programs have.  A format that is not here is not known.
 */
#include "workers/schema/check.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

struct format {
	const char *name;
	bool (*fits)(const char *text);
};

/* Takes `n` digits off the text; -1: there are other characters. */
static int
digits(const char **s, int n)
{
	int value = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (!isdigit((unsigned char)**s))
			return -1;
		value = 10 * value + (**s - '0');
	}
	return value;
}

static bool
skip(const char **s, char c)
{
	return **s == c && (*s)++;
}

static bool
take_date(const char **s)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31 };
	int year, month, day;

	year = digits(s, 4);
	if (year < 0 || !skip(s, '-'))
		return false;
	month = digits(s, 2);
	if (month < 1 || month > 12 || !skip(s, '-'))
		return false;
	day = digits(s, 2);
	if (month == 2 && day == 29 &&
	    (year % 4 || (year % 100 == 0 && year % 400)))
		return false;
	return day >= 1 && day <= days[month - 1];
}

static bool
is_at_most(int value, int most)
{
	return value >= 0 && value <= most;
}

/* "Z", or "+01:00". */
static bool
take_zone(const char **s)
{
	if (skip(s, 'Z') || skip(s, 'z'))
		return true;
	return (skip(s, '+') || skip(s, '-')) && is_at_most(digits(s, 2), 23) &&
	       skip(s, ':') && is_at_most(digits(s, 2), 59);
}

static bool
take_time(const char **s)
{
	if (!is_at_most(digits(s, 2), 23) || !skip(s, ':') ||
	    !is_at_most(digits(s, 2), 59) || !skip(s, ':') ||
	    !is_at_most(digits(s, 2), 60))
		return false;
	if (skip(s, '.')) {
		if (!isdigit((unsigned char)**s))
			return false;
		while (isdigit((unsigned char)**s))
			(*s)++;
	}
	return take_zone(s);
}

static bool
is_date(const char *s)
{
	return take_date(&s) && !*s;
}

static bool
is_time(const char *s)
{
	return take_time(&s) && !*s;
}

static bool
is_date_time(const char *s)
{
	return take_date(&s) && (skip(&s, 'T') || skip(&s, 't')) &&
	       take_time(&s) && !*s;
}

/* Numbers with units, in the order of the units; true if there was one. */
static bool
take_amounts(const char **s, const char *units)
{
	bool has_any = false;

	while (isdigit((unsigned char)**s)) {
		const char *unit;

		while (isdigit((unsigned char)**s))
			(*s)++;
		unit = **s ? strchr(units, **s) : NULL;
		if (!unit)
			return false;
		units = unit + 1;
		has_any = true;
		(*s)++;
	}
	return has_any;
}

/* "P1DT2H", "P3W" */
static bool
is_duration(const char *s)
{
	bool has_days;

	if (!skip(&s, 'P'))
		return false;
	has_days = take_amounts(&s, strchr(s, 'W') ? "W" : "YMD");
	if (!*s)
		return has_days;
	return skip(&s, 'T') && take_amounts(&s, "HMS") && !*s;
}

static bool
is_ipv4(const char *s)
{
	struct in_addr address;

	return inet_pton(AF_INET, s, &address) == 1;
}

static bool
is_ipv6(const char *s)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, s, &address) == 1;
}

enum { MAX_HOST = 253, MAX_LABEL = 63 };

static bool
is_hostname(const char *s)
{
	struct str rest = str_of(s), label;

	if (!rest.len || rest.len > MAX_HOST)
		return false;
	while (rest.ptr) {
		label = str_cut(rest, '.', &rest);
		if (!label.len || label.len > MAX_LABEL ||
		    label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!isalnum((unsigned char)label.ptr[i]) &&
			    label.ptr[i] != '-')
				return false;
	}
	return true;
}

/* The part before the "@" without quotes, and a name or an address in
 * brackets behind it. */
static bool
is_email(const char *s)
{
	const char *at = strrchr(s, '@');
	size_t len = at ? (size_t)(at - s) : 0;

	if (len < 1 || len > 64 || s[0] == '.' || s[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((!isalnum((unsigned char)s[i]) &&
		     (unsigned char)s[i] < 128 &&
		     !strchr("!#$%&'*+-/=?^_`{|}~.", s[i])) ||
		    (s[i] == '.' && s[i + 1] == '.'))
			return false;
	return at[1] == '[' ? at[strlen(at) - 1] == ']' : is_hostname(at + 1);
}

static bool
is_uuid(const char *s)
{
	for (int i = 0; i < 36; i++, s++)
		if (i == 8 || i == 13 || i == 18 || i == 23
			    ? *s != '-'
			    : !isxdigit((unsigned char)*s))
			return false;
	return !*s;
}

/* A scheme, and no character behind it that has to be written otherwise. */
static bool
is_uri(const char *s)
{
	size_t scheme = strspn(s, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

	if (!isalpha((unsigned char)*s) || s[scheme] != ':')
		return false;
	for (s += scheme + 1; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 127 ||
		    strchr("\"<>\\^`{|}", *s) ||
		    (*s == '%' && (!isxdigit((unsigned char)s[1]) ||
				   !isxdigit((unsigned char)s[2]))))
			return false;
	return true;
}

static bool
is_regex(const char *s)
{
	struct error why;

	return pattern_check(s, &why);
}

static const struct format formats[] = {
	{ "date-time", is_date_time }, { "date", is_date },
	{ "time", is_time },	       { "duration", is_duration },
	{ "email", is_email },	       { "hostname", is_hostname },
	{ "ipv4", is_ipv4 },	       { "ipv6", is_ipv6 },
	{ "uuid", is_uuid },	       { "uri", is_uri },
	{ "regex", is_regex },
};

const struct format *
format_named(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}

bool
format_fits(const struct format *f, const char *text, size_t len)
{
	return strlen(text) == len && f->fits(text);
}
