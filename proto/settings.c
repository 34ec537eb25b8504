#include "proto/settings.h"

#include <ctype.h>
#include <errno.h>

#include "proto/buf.h"
#include "proto/variables.h"

extern char **environ;

static const char provider_prefix[] = "BRIDGE_PROVIDER_";

/* Readers of one value, without blanks at its ends.  `name` is the variable. */

struct range {
	uint64_t min, max;
};

static bool
read_text(setting_text *to, const char *name, struct str value,
	  struct range range, struct error *e)
{
	*to = value.len ? copy(value) : NULL;
	return true;
}

static bool
read_path(setting_path *to, const char *name, struct str value,
	  struct range range, struct error *e)
{
	char *path = value.len ? settings_expand(name, value, e) : NULL;

	if (value.len && !path)
		return false;
	*to = path;
	return true;
}

static bool
read_flag(setting_flag *to, const char *name, struct str value,
	  struct range range, struct error *e)
{
	bool yes = str_same(value, STR("true")) || str_is(value, "1");

	if (!yes && !str_same(value, STR("false")) && !str_is(value, "0"))
		return fail_with(e, ERR_INVALID,
				 "%s is \"" STR_FMT
				 "\", but must be true or false",
				 name, STR_ARG(value));
	*to = yes;
	return true;
}

static bool
is_number(struct str s, uint64_t *n)
{
	char digits[24];

	for (size_t i = 0; i < s.len; i++)
		if (!isdigit((unsigned char)s.ptr[i]))
			return false;
	if (!s.len || s.len >= sizeof digits)
		return false;
	memcpy(digits, s.ptr, s.len);
	digits[s.len] = '\0';
	errno = 0;
	*n = strtoull(digits, NULL, 10);
	return !errno;
}

static bool
read_count(setting_count *to, const char *name, struct str value,
	   struct range range, struct error *e)
{
	uint64_t n;

	if (!is_number(value, &n) || n < range.min || n > range.max)
		return fail_with(e, ERR_INVALID,
				 "%s is \"" STR_FMT
				 "\", but must be a whole number from %ju to "
				 "%ju",
				 name, STR_ARG(value), (uintmax_t)range.min,
				 (uintmax_t)range.max);
	*to = n;
	return true;
}

char *
settings_expand(const char *variable, struct str path, struct error *e)
{
	struct str home = variable_value("HOME");

	if (!path.len || *path.ptr != '~')
		return copy(path);
	if (path.len > 1 && path.ptr[1] != '/')
		fail_with(e, ERR_INVALID,
			  "%s is \"" STR_FMT "\", but only ~/ stands for a "
			  "home directory: write the whole path",
			  variable, STR_ARG(path));
	else if (!home.len || *home.ptr != '/')
		fail_with(e, ERR_INVALID,
			  "%s is \"" STR_FMT "\", but HOME is not set: write "
			  "the whole path",
			  variable, STR_ARG(path));
	else
		return copy_format(STR_FMT STR_FMT, STR_ARG(home),
				   STR_ARG(str_from(path, 1)));
	return NULL;
}

static struct str
value_or(struct str value, const char * or)
{
	return value.len ? value : str_of(or);
}

bool
settings_read(struct settings *s, struct error *e)
{
	bool ok = true;

	memset(s, 0, sizeof *s);
#define SETTING(kind, name, VARIABLE, default, min, max, concerns, meaning) \
	ok = ok && read_##kind(&s->name, VARIABLE,                          \
			       value_or(variable_value(VARIABLE), default), \
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
settings_data_dir(char **path, struct error *e)
{
	static const char name[] = "BRIDGE_DATA_DIR";

	return read_path(path, name, value_or(variable_value(name), ""),
			 (struct range){ 0 }, e);
}

/* A harness without a value of its own uses the variable for all harnesses. */
static const char *
variable_that_counts(const char *own, const char *global)
{
	return global && !variable_value(own).len && variable_value(global).len
		       ? global
		       : own;
}

bool
harness_settings_read(struct harness_settings *s, const char *harness,
		      struct error *e)
{
	bool ok = true;

	memset(s, 0, sizeof *s);
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max,         \
			concerns, meaning)                                     \
	if (ok) {                                                              \
		auto_free char *own = settings_variable("", harness, #SUFFIX); \
		const char *from = variable_that_counts(own, GLOBAL);          \
                                                                               \
		ok = read_##kind(&s->name, from,                               \
				 value_or(variable_value(from), default),      \
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
free_path(setting_path *s)
{
	free_text(s);
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
#define SETTING(kind, name, VARIABLE, default, min, max, concerns, meaning) \
	free_##kind(&s->name);
#include "proto/settings.def"
}

void
harness_settings_fini(struct harness_settings *s)
{
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max, \
			concerns, meaning)                             \
	free_##kind(&s->name);
#include "proto/settings.def"
}

/* Unknown names */

/* The variables that are settings, and the processes that each concerns. */
static const struct {
	const char *name; /* NULL: no variable for all harnesses */
	enum concern concern;
} known[] = {
/* clang-format off */
#define SETTING(kind, name, VARIABLE, default, min, max, concerns, meaning) \
	{ VARIABLE, FOR_##concerns },
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max, \
			concerns, meaning)                             \
	{ GLOBAL, FOR_##concerns },
#include "proto/settings.def"
	/* clang-format on */
};

enum { KNOWN = sizeof known / sizeof *known };

static const char *const suffixes[] = {
#define HARNESS_SETTING(kind, name, SUFFIX, GLOBAL, default, min, max, \
			concerns, meaning)                             \
#SUFFIX,
#include "proto/settings.def"
};

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * The number of letters to insert, delete, change or swap with their neighbour
 * in order to turn one word into the other.
 */
static size_t
distance(struct str a, struct str b)
{
	size_t rows[3][MAX_NAME + 1], *two = rows[0], *one = rows[1],
				      *row = rows[2], *oldest;

	if (a.len > MAX_NAME || b.len > MAX_NAME)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		oldest = two;
		two = one;
		one = row;
		row = oldest;
		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			row[j] = smaller(
				smaller(row[j - 1], one[j]) + 1,
				one[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1]));
			if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
			    a.ptr[i - 2] == b.ptr[j - 1])
				row[j] = smaller(row[j], two[j - 2] + 1);
		}
	}
	return row[b.len];
}

/*
 * Is the distance `d` so small that one word was probably meant for the other?
 * In very short words any two are similar.
 */
static bool
is_slip(size_t d, struct str word)
{
	return d <= 2 && d <= word.len / 3;
}

static bool
ends_with(struct str s, struct str end)
{
	return s.len > end.len && str_eq(str_from(s, s.len - end.len), end);
}

static bool
is_known(struct str name)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].name && str_is(name, known[i].name))
			return true;
	return str_starts(name, str_of(provider_prefix)) &&
	       (ends_with(name, STR("_BASE_URL")) ||
		ends_with(name, STR("_API_KEY")));
}

/* The common prefix BRIDGE_ must not make names similar. */
static const char *
nearest(struct str name)
{
	static const size_t begin = sizeof "BRIDGE_" - 1;
	struct str word = str_from(name, begin);
	const char *best = NULL;
	size_t least = SIZE_MAX, d;

	for (size_t i = 0; i < KNOWN; i++) {
		struct str other = str_of(known[i].name);

		if (!str_starts(other, STR("BRIDGE_")))
			continue;
		other = str_from(other, begin);
		d = distance(word, other);
		if (d < least && is_slip(d, other)) {
			least = d;
			best = known[i].name;
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

/* The suffix that was probably meant; NULL: none, or `suffix` is right. */
static const char *
meant(struct str suffix)
{
	const char *best = NULL;
	size_t least = SIZE_MAX, d;

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		d = distance(suffix, str_of(suffixes[i]));
		if (d == 0)
			return NULL;
		if (d < least && is_slip(d, str_of(suffixes[i]))) {
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

/* Which process may see which variable */

bool
settings_is_ordinary(struct str name)
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

	for (size_t i = 0; i < sizeof ordinary / sizeof *ordinary; i++)
		if (str_is(name, ordinary[i]))
			return true;
	return str_starts(name, STR("LC_")) || str_starts(name, STR("XDG_"));
}

static bool
same_text(const setting_text *a, const setting_text *b)
{
	return str_eq(str_of(*a), str_of(*b));
}

static bool
same_path(const setting_path *a, const setting_path *b)
{
	return same_text(a, b);
}

static bool
same_flag(const setting_flag *a, const setting_flag *b)
{
	return *a == *b;
}

static bool
same_count(const setting_count *a, const setting_count *b)
{
	return *a == *b;
}

static bool
is_of_harness(struct str variable, const char *name)
{
	auto_free char *prefix = settings_variable("", name, "");

	return str_starts(variable, str_of(prefix));
}

bool
settings_concern(struct str variable, const char *name, enum concern who)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (known[i].name && str_is(variable, known[i].name))
			return (known[i].concern & who) != 0;
	return is_of_harness(variable, name) || settings_is_ordinary(variable);
}

void
settings_find_fixed(const struct settings *old, const struct settings *new,
		    void (*changed)(const char *variable))
{
#define SETTING(kind, name, VARIABLE, default, min, max, concerns, meaning) \
	if ((FOR_##concerns & AT_START) &&                                  \
	    !same_##kind(&old->name, &new->name))                           \
		changed(VARIABLE);
#include "proto/settings.def"
}
