#include "workers/passthrough/providers.h"

#include <ctype.h>
#include <unistd.h>

#include "proto/address.h"
#include "proto/provider.h"
#include "proto/settings.h"
#include "proto/variables.h"
#include "workers/needs.h"

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

static bool
set_address(struct provider *p, const char *variable, struct str url,
	    struct error *e)
{
	struct str host;

	if (!provider_check_url(variable, url, e))
		return false;
	while (url.ptr[url.len - 1] == '/')
		url.len--;
	host = provider_host(url);
	p->base_url = copy(url);
	p->host = copy(host);
	p->is_local = provider_is_local(url);
	return true;
}

static bool
set_key(struct provider *p, const char *variable, struct error *e)
{
	struct str key = variable_value(variable);

	if (!provider_check_key(variable, key, e))
		return false;
	p->key = copy(key);
	return true;
}

/*
 * `label` is the name as it stands in variables.  `vendor` is NULL for a
 * provider that only the environment knows.
 */
static bool
set_up(struct provider *p, const char *label, const struct vendor *vendor,
       struct error *e)
{
	auto_free char *url_variable =
		copy_format(PROVIDER_PREFIX "%s" PROVIDER_BASE_URL, label);
	auto_free char *own_key =
		copy_format(PROVIDER_PREFIX "%s" PROVIDER_API_KEY, label);
	const char *vendor_key = vendor ? vendor->key_variable : own_key;
	struct str own_url = variable_value(url_variable);
	struct str url = own_url.len ? own_url : str_of(vendor->base_url);

	p->key_variable = copy(str_of(vendor_key));
	if (!set_address(p, url_variable, url, e) ||
	    !set_key(p, variable_value(own_key).len ? own_key : vendor_key, e))
		return false;
	p->usable = p->key || own_url.len;
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

static bool
add_vendor(struct providers *all, const struct vendor *v, struct error *e)
{
	auto_free char *label = copy(str_of(v->name));

	for (char *c = label; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return set_up(append(all, str_of(v->name)), label, v, e);
}

/* Only the variable itself knows in which case its name is written. */
static bool
add_own(struct providers *all, struct str variable, struct error *e)
{
	size_t begin = sizeof PROVIDER_PREFIX - 1,
	       end = sizeof PROVIDER_BASE_URL - 1;
	auto_free char *label = copy((struct str){
		variable.ptr + begin, variable.len - begin - end });

	return set_up(append(all, str_of(label)), label, NULL, e);
}

bool
providers_read(struct providers *all, struct error *e)
{
	char name[MAX_NAME + 1];
	struct str variable, value;

	*all = (struct providers){ 0 };
	for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++)
		if (!add_vendor(all, &vendors[i], e))
			return false;
	for (char **v = environ; v && *v; v++) {
		variable = str_cut(str_of(*v), '=', &value);
		if (provider_read_name(name, variable, PROVIDER_BASE_URL) &&
		    str_trim(value).len && !providers_find(all, name) &&
		    !add_own(all, variable, e))
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
	needs_name_keys(detail);
	return false;
}
