#include "proto/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "proto/buf.h"

extern char **environ;

enum { MAX_ENV_FILE = 1 << 20 /* bytes */ };

static const char provider_prefix[] = "BRIDGE_PROVIDER_";

/* One value.  `name` is the variable that it comes from. */

struct range {
	uint64_t min, max;
};

static bool
read_text(setting_text *to, const char *name, const char *value,
	  struct range range, struct error *e)
{
	*to = *value ? copy(str_trim(str_of(value))) : NULL;
	return true;
}

static bool
read_flag(setting_flag *to, const char *name, const char *value,
	  struct range range, struct error *e)
{
	bool yes = !strcasecmp(value, "true") || !strcmp(value, "1");

	if (!yes && strcasecmp(value, "false") && strcmp(value, "0"))
		return fail_with(e, ERR_INVALID,
				 "%s is \"%s\", but must be true or false",
				 name, value);
	*to = yes;
	return true;
}

static bool
read_count(setting_count *to, const char *name, const char *value,
	   struct range range, struct error *e)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || errno || n < range.min ||
	    n > range.max)
		return fail_with(e, ERR_INVALID,
				 "%s is \"%s\", but must be a whole number "
				 "from %ju to %ju",
				 name, value, (uintmax_t)range.min,
				 (uintmax_t)range.max);
	*to = n;
	return true;
}

/* Set to nothing is the same as not set. */
static const char *
value_of(const char *name)
{
	const char *value = name ? getenv(name) : NULL;

	return value && *value ? value : NULL;
}

bool
settings_read(struct settings *s, struct error *e)
{
	const char *value;
	bool ok = true;

	memset(s, 0, sizeof *s);
#define SETTING(kind, name, VARIABLE, default, min, max, meaning)           \
	value = value_of(VARIABLE);                                         \
	ok = ok && read_##kind(&s->name, VARIABLE, value ? value : default, \
			       (struct range){ min, max }, e);
#include "proto/settings.def"
	return ok;
}

char *
settings_variable(const char *prefix, const char *name, const char *suffix)
{
	char *variable = copy_format("%s%s_%s", prefix, name, suffix);

	for (char *p = variable; *p; p++)
		*p = isalnum((unsigned char)*p)
			     ? (char)toupper((unsigned char)*p)
			     : '_';
	return variable;
}

bool
harness_settings_read(struct harness_settings *s, const char *harness,
		      struct error *e)
{
	bool ok = true;

	memset(s, 0, sizeof *s);
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max,         \
			meaning)                                               \
	if (ok) {                                                              \
		auto_free char *own = settings_variable("", harness, #SUFFIX); \
		const char *from = value_of(own) ? own : GLOBAL;               \
		const char *value = value_of(from);                            \
                                                                               \
		ok = read_##kind(&s->name, from ? from : own,                  \
				 value ? value : default,                      \
				 (struct range){ min, max }, e);               \
	}
#include "proto/settings.def"
	return ok;
}

static void
free_text(setting_text *s)
{
	free(*s);
	*s = NULL;
}

static void
free_flag(setting_flag *s)
{
}

static void
free_count(setting_count *s)
{
}

void
settings_fini(struct settings *s)
{
#define SETTING(kind, name, VARIABLE, default, min, max, meaning) \
	free_##kind(&s->name);
#include "proto/settings.def"
}

void
harness_settings_fini(struct harness_settings *s)
{
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max, \
			meaning)                                       \
	free_##kind(&s->name);
#include "proto/settings.def"
}

/* Environment files */

static bool
is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '_')
			return false;
	return s.len > 0 && !isdigit((unsigned char)*s.ptr);
}

/* Without its quotes, or without a comment behind it. */
static struct str
unquote(struct str s)
{
	char quote = s.len ? *s.ptr : '\0';

	if (s.len >= 2 && (quote == '"' || quote == '\'') &&
	    s.ptr[s.len - 1] == quote)
		return (struct str){ s.ptr + 1, s.len - 2 };
	for (size_t i = 1; i < s.len; i++)
		if (s.ptr[i] == '#' && isspace((unsigned char)s.ptr[i - 1]))
			return str_trim((struct str){ s.ptr, i });
	return s;
}

static bool
load_line(struct str line, struct error *e)
{
	auto_free char *name = NULL, *value = NULL;
	struct str left, right;

	line = str_trim(line);
	if (!line.len || *line.ptr == '#')
		return true;
	if (str_starts(line, STR("export ")))
		line = str_trim(str_from(line, 7));
	left = str_trim(str_cut(line, '=', &right));
	if (!right.ptr || !is_name(left))
		return fail_with(e, ERR_INVALID, "must be NAME=value");
	name = copy(left);
	value = copy(unquote(str_trim(right)));
	if (!getenv(name) && setenv(name, value, 1) < 0)
		return fail_errno(e, "%s", name);
	return true;
}

static int
count_lines(struct str text)
{
	int n = 1;

	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	return n;
}

static struct str
take_last_line(struct str *text)
{
	const char *at = text->len ? memrchr(text->ptr, '\n', text->len) : NULL;
	size_t before = at ? (size_t)(at - text->ptr) : 0;
	struct str line = str_from(*text, at ? before + 1 : 0);

	text->len = before;
	return line;
}

/* From its end: of two equal names the last counts, as in a shell. */
static bool
load_text(const char *path, struct str text, struct error *e)
{
	struct error why = { 0 };

	for (int number = count_lines(text); number > 0; number--)
		if (!load_line(take_last_line(&text), &why))
			return fail_with(e, ERR_INVALID, "%s, line %d: %s",
					 path, number, why.text);
	return true;
}

bool
settings_load_file(const char *path, struct error *e)
{
	struct buf text = BUF_INIT(MAX_ENV_FILE);
	FILE *f = fopen(path, "re");
	bool ok;
	size_t n;

	if (!f)
		return fail_errno(e, "%s", path);
	ok = buf_reserve(&text, MAX_ENV_FILE, e);
	n = fread(text.ptr, 1, MAX_ENV_FILE, f);
	if (ok && ferror(f))
		ok = fail_errno(e, "%s", path);
	else if (ok && !feof(f))
		ok = fail_with(e, ERR_TOO_LARGE, "%s: larger than 1 MiB", path);
	fclose(f);
	ok = ok && load_text(path, (struct str){ text.ptr, n }, e);
	buf_fini(&text);
	return ok;
}

/* Unknown names */

static const char *const known[] = {
#define SETTING(kind, name, VARIABLE, default, min, max, meaning) VARIABLE,
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max, \
			meaning)                                       \
	GLOBAL,
#include "proto/settings.def"
};

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters must be put in, taken out or changed (Levenshtein). */
static size_t
distance(struct str a, struct str b)
{
	size_t row[MAX_NAME + 1], last, above;

	if (a.len > MAX_NAME || b.len > MAX_NAME)
		return SIZE_MAX;
	for (size_t i = 0; i <= b.len; i++)
		row[i] = i;
	for (size_t i = 1; i <= a.len; i++) {
		last = i - 1;
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			above = row[j];
			row[j] = smaller(smaller(row[j], row[j - 1]) + 1,
					 last + (a.ptr[i - 1] != b.ptr[j - 1]));
			last = above;
		}
	}
	return row[b.len];
}

static bool
is_known(struct str name)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i] && str_is(name, known[i]))
			return true;
	return str_starts(name, str_of(provider_prefix));
}

static const char *
nearest(struct str name)
{
	const char *best = known[0];
	size_t least = SIZE_MAX, d;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		d = known[i] ? distance(name, str_of(known[i])) : SIZE_MAX;
		if (d < least) {
			least = d;
			best = known[i];
		}
	}
	return best;
}

void
settings_find_unknown(void (*unknown)(const char *name, const char *near))
{
	struct str name, value;

	for (char **v = environ; *v; v++) {
		name = str_cut(str_of(*v), '=', &value);
		if (str_starts(name, STR("BRIDGE_")) && !is_known(name)) {
			auto_free char *unknown_name = copy(name);

			unknown(unknown_name, nearest(name));
		}
	}
}

static const char *const suffixes[] = {
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max, \
			meaning)                                       \
#SUFFIX,
#include "proto/settings.def"
};

/* The suffix that was probably meant; NULL: none, or it is one. */
static const char *
meant(struct str suffix)
{
	const char *best = NULL;
	size_t least = 3, d;

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		d = distance(suffix, str_of(suffixes[i]));
		if (d == 0)
			return NULL;
		/* Any three letters are almost any other three. */
		if (d < least && d <= strlen(suffixes[i]) / 3) {
			least = d;
			best = suffixes[i];
		}
	}
	return best;
}

void
settings_find_mistyped(const char *harness,
		       void (*unknown)(const char *name, const char *near))
{
	auto_free char *prefix = settings_variable("", harness, "");
	struct str name, value;
	const char *suffix;

	for (char **v = environ; *v; v++) {
		name = str_cut(str_of(*v), '=', &value);
		if (!str_starts(name, str_of(prefix)))
			continue;
		suffix = meant(str_from(name, strlen(prefix)));
		if (suffix) {
			auto_free char *wrong = copy(name);
			auto_free char *right =
				copy_format("%s%s", prefix, suffix);

			unknown(wrong, right);
		}
	}
}

/* Who may know what */

bool
settings_is_ordinary(const char *variable)
{
	static const char *const ordinary[] = {
		"HOME",
		"PATH",
		"SHELL",
		"USER",
		"LOGNAME",
		"LANG",
		"LANGUAGE",
		"TZ",
		"TERM",
		"TMPDIR",
		"TEMP",
		"TMP",
		"COLORTERM",
		"SSH_AUTH_SOCK",
		"DBUS_SESSION_BUS_ADDRESS",
		"NVM_DIR",
		"NVM_BIN",
		"PNPM_HOME",
		"BUN_INSTALL",
		"VOLTA_HOME",
		"HTTP_PROXY",
		"HTTPS_PROXY",
		"ALL_PROXY",
		"NO_PROXY",
		"http_proxy",
		"https_proxy",
		"all_proxy",
		"no_proxy",
		"SSL_CERT_FILE",
		"SSL_CERT_DIR",
		"NODE_EXTRA_CA_CERTS",
		"CURL_CA_BUNDLE",
		"GIT_SSL_CAINFO",
		"ASAN_OPTIONS",
		"UBSAN_OPTIONS",
		"LSAN_OPTIONS",
	};
	struct str value, name = str_cut(str_of(variable), '=', &value);

	for (size_t i = 0; i < sizeof ordinary / sizeof *ordinary; i++)
		if (str_is(name, ordinary[i]))
			return true;
	return str_starts(name, STR("LC_")) || str_starts(name, STR("XDG_"));
}

bool
settings_concern(const char *variable, const char *name)
{
	auto_free char *prefix = settings_variable("", name, "");
	struct str v = str_of(variable);

	if (settings_is_ordinary(variable) || str_starts(v, str_of(prefix)) ||
	    str_starts(v, STR("CLI_TIMEOUT_MS=")))
		return true;
	return str_starts(v, STR("BRIDGE_")) &&
	       !str_starts(v, STR("BRIDGE_BEARER=")) &&
	       !str_starts(v, str_of(provider_prefix));
}
