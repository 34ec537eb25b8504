#include "workers/passthrough/providers.h"

#include <ctype.h>
#include <unistd.h>

#include "proto/address.h"
#include "proto/settings.h"

#define PREFIX "BRIDGE_PROVIDER_"
#define SUFFIX "_BASE_URL"

struct vendor {
	const char *name, *base_url, *key_variable;
};

static const struct vendor vendors[] = {
/* clang-format off */
#define PROVIDER(name, base_url, key_variable) { name, base_url, key_variable },
#include "workers/passthrough/providers.def"
	/* clang-format on */
};

static void
provider_fini(struct provider *p)
{
	free(p->name);
	free(p->base_url);
	free(p->host);
	free(p->key);
	free(p->key_variable);
}

void
providers_fini(struct providers *all)
{
	for (size_t i = 0; i < all->count; i++)
		provider_fini(&all->rows[i]);
	free(all->rows);
	*all = (struct providers){ 0 };
}

/* Set to nothing is the same as not set. */
static const char *
value_of(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value ? value : NULL;
}

static char
fold(char c)
{
	return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

static bool
same_name(const char *a, const char *b)
{
	while (*a && fold(*a) == fold(*b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

const struct provider *
providers_find(const struct providers *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (same_name(all->rows[i].name, name))
			return &all->rows[i];
	return NULL;
}

/* Addresses */

/* What stands between "//" and the path, without a password. */
static struct str
host_of(struct str url)
{
	const char *path, *at;
	struct str host;

	(void)str_cut(url, '/', &host);
	host = str_from(host, 1);
	path = memchr(host.ptr, '/', host.len);
	if (path)
		host.len = (size_t)(path - host.ptr);
	at = memrchr(host.ptr, '@', host.len);
	return at ? str_from(host, (size_t)(at - host.ptr) + 1) : host;
}

/* "[::1]:80" is "[::1]", "localhost:80" is "localhost". */
static struct str
without_port(struct str host)
{
	const char *end = host.len && *host.ptr == '['
				  ? memchr(host.ptr, ']', host.len)
				  : NULL;
	struct str port;

	if (!end)
		return str_cut(host, ':', &port);
	return (struct str){ host.ptr, (size_t)(end - host.ptr) + 1 };
}

static bool
is_url(struct str url)
{
	if (!str_starts(url, STR("http://")) &&
	    !str_starts(url, STR("https://")))
		return false;
	for (size_t i = 0; i < url.len; i++)
		if (!isgraph((unsigned char)url.ptr[i]) ||
		    strchr("?#", url.ptr[i]))
			return false;
	return url.len < MAX_URL && host_of(url).len > 0;
}

static bool
set_address(struct provider *p, const char *variable, const char *base_url,
	    struct error *e)
{
	struct str url = str_trim(str_of(base_url)), host;

	if (!is_url(url))
		return fail_with(e, ERR_INVALID,
				 "%s is \"%s\", but must be a URL that begins "
				 "with http:// or https://",
				 variable, base_url);
	while (url.ptr[url.len - 1] == '/')
		url.len--;
	host = host_of(url);
	p->base_url = copy(url);
	p->host = copy(host);
	p->is_local = host_is_loopback(without_port(host));
	return true;
}

/* Keys */

/* It becomes part of a header. */
static bool
is_key(struct str key)
{
	for (size_t i = 0; i < key.len; i++)
		if (!isgraph((unsigned char)key.ptr[i]))
			return false;
	return key.len > 0;
}

static bool
set_key(struct provider *p, const char *variable, struct error *e)
{
	const char *value = value_of(variable);
	struct str key = str_trim(str_of(value ? value : ""));

	if (!key.len)
		return true;
	if (!is_key(key))
		return fail_with(e, ERR_INVALID,
				 "%s has white space or other characters in "
				 "it that a key can't have",
				 variable);
	p->key = copy(key);
	return true;
}

/*
 * `label` is the name as it stands in variables, with an underscore behind it.
 * `vendor` is NULL for a provider that only the environment knows.
 */
static bool
set_up(struct provider *p, const char *label, const struct vendor *vendor,
       struct error *e)
{
	auto_free char *url_variable = copy_format(PREFIX "%sBASE_URL", label);
	auto_free char *own_key = copy_format(PREFIX "%sAPI_KEY", label);
	const char *vendor_key = vendor ? vendor->key_variable : own_key;
	const char *own_url = value_of(url_variable);
	const char *url = own_url ? own_url : vendor->base_url;

	p->key_variable = copy(str_of(vendor_key));
	if (!set_address(p, url_variable, url, e) ||
	    !set_key(p, value_of(own_key) ? own_key : vendor_key, e))
		return false;
	p->usable = p->key || own_url;
	return true;
}

static struct provider *
append(struct providers *all, struct str name)
{
	struct provider *p;

	all->rows = xrealloc(all->rows, (all->count + 1) * sizeof *all->rows);
	p = &all->rows[all->count++];
	*p = (struct provider){ .name = copy(name) };
	for (char *c = p->name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return p;
}

/* The <NAME> of a variable with an address; absent if it is none. */
static struct str
name_in(const char *setting)
{
	struct str value, s = str_cut(str_of(setting), '=', &value);
	size_t around = sizeof PREFIX SUFFIX - 1;

	if (!value.len || s.len <= around || s.len - around > MAX_NAME ||
	    !str_starts(s, STR(PREFIX)) ||
	    !str_eq(str_from(s, s.len - sizeof SUFFIX + 1), STR(SUFFIX)))
		return (struct str){ 0 };
	s.len -= around;
	s.ptr += sizeof PREFIX - 1;
	return s;
}

static bool
add_vendor(struct providers *all, const struct vendor *v, struct error *e)
{
	auto_free char *label = settings_variable("", v->name, "");

	return set_up(append(all, str_of(v->name)), label, v, e);
}

static bool
add_own(struct providers *all, const char *name, struct error *e)
{
	auto_free char *label = copy_format("%s_", name);

	return set_up(append(all, str_of(name)), label, NULL, e);
}

bool
providers_read(struct providers *all, struct error *e)
{
	*all = (struct providers){ 0 };
	for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++)
		if (!add_vendor(all, &vendors[i], e))
			return false;
	for (char **v = environ; v && *v; v++) {
		auto_free char *name = copy(name_in(*v));

		if (name && !providers_find(all, name) &&
		    !add_own(all, name, e))
			return false;
	}
	return true;
}

bool
providers_describe(const struct providers *all, struct buf *detail)
{
	const char *before = "providers: ";

	for (size_t i = 0; i < all->count; i++) {
		if (!all->rows[i].usable)
			continue;
		buf_print(detail, "%s%s", before, all->rows[i].name);
		before = ", ";
	}
	if (detail->len)
		return true;
	before = "no provider has a key: set ";
	for (size_t i = 0; i < all->count; i++) {
		buf_print(detail, "%s%s", before, all->rows[i].key_variable);
		before = ", ";
	}
	buf_print(detail, " or " PREFIX "<NAME>" SUFFIX);
	return false;
}
