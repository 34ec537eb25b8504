#include "supervisor/plan.h"

#include <assert.h>
#include <ctype.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/address.h"
#include "proto/buf.h"
#include "proto/log.h"
#include "proto/provider.h"
#include "proto/sweep.h"
#include "proto/variables.h"
#include "supervisor/listener.h"
#include "supervisor/roster.h"
#include "workers/executor/docker/settings.h"

enum {
	MAX_ROUTES = 64 << 10, /* bytes */
	MIN_BEARER = 8,	       /* characters */
};

/* Which children */

/* A worker that is defined by a variable, and in no table. */
struct own {
	struct node node;
	bool chosen;
	const char *program;
	char name[MAX_NAME + 1];
};

static struct own *
find_own(const struct plan *p, struct str name)
{
	list_each (&p->own, n) {
		struct own *own = container_of(n, struct own, node);

		if (str_same(name, str_of(own->name)))
			return own;
	}
	return NULL;
}

/* Names with "bridge" are refused: BRIDGE_* settings would count as theirs. */
static bool
is_taken(struct str name)
{
	return roster_find(name) || roster_has_provider(name) ||
	       str_is(name, "gateway") || str_is(name, "supervisor") ||
	       str_starts(name, STR("bridge"));
}

static bool
add_own(struct plan *p, const struct own *found, struct str variable,
	struct error *e)
{
	struct own *own;

	if (is_taken(str_of(found->name)))
		return fail_with(e, ERR_INVALID,
				 STR_FMT ": \"%s\" already is the name of "
					 "another, choose another",
				 STR_ARG(variable), found->name);
	if (p->own.len + ROSTER_LEN + 1 >= MAX_CHILDREN)
		return fail_with(e, ERR_INVALID,
				 STR_FMT " is one too many: %d workers can be",
				 STR_ARG(variable), MAX_CHILDREN - 1);
	own = xcalloc(1, sizeof *own);
	*own = *found;
	list_append(&p->own, &own->node);
	return true;
}

static bool
find_own_workers(struct plan *p, struct error *e)
{
	struct own found = { 0 };
	struct str variable, value;
	bool is_more;

	for (char **v = environ; *v; v++) {
		variable = str_cut(str_of(*v), '=', &value);
		found.program = roster_read_own(variable, found.name, &is_more);
		if (!found.program || is_more || !str_trim(value).len)
			continue;
		if (!add_own(p, &found, variable, e))
			return false;
	}
	return true;
}

static bool
fail_unknown(const struct plan *p, struct str word, struct error *e)
{
	struct buf names = BUF_INIT(2 * MAX_DETAIL);

	for (size_t i = 0; i < ROSTER_LEN; i++)
		buf_print(&names, "%s%s", i ? ", " : "", roster[i].name);
	list_each (&p->own, n)
		buf_print(&names, ", %s",
			  container_of(n, struct own, node)->name);
	fail_with(e, ERR_INVALID,
		  "BRIDGE_BACKENDS names \"" STR_FMT
		  "\", but must be some of: " STR_FMT,
		  STR_ARG(word), STR_ARG(buf_str(&names)));
	buf_fini(&names);
	return false;
}

static bool
choose(struct plan *p, bool chosen[ROSTER_LEN], struct error *e)
{
	const char *backends = p->settings.backends;
	struct str left = str_of(backends), word;
	const struct harness_row *row;
	struct own *own;
	bool any = false;

	while (backends && str_word(&left, &word)) {
		row = roster_find(word);
		own = find_own(p, word);
		if (!row && !own)
			return fail_unknown(p, word, e);
		if (row)
			chosen[row - roster] = true;
		else
			own->chosen = true;
		any = true;
	}
	if (backends && !any)
		return fail_with(e, ERR_INVALID,
				 "BRIDGE_BACKENDS is \"%s\", "
				 "but must name a harness",
				 backends);
	for (size_t i = 0; i < ROSTER_LEN; i++)
		chosen[i] |= !backends;
	list_each (&p->own, n)
		container_of(n, struct own, node)->chosen |= !backends;
	return true;
}

static bool
check_cwd(const char *name, const char *cwd, struct error *e)
{
	auto_free char *variable = NULL;
	struct stat st;

	if (!cwd || (*cwd == '/' && stat(cwd, &st) == 0 && S_ISDIR(st.st_mode)))
		return true;
	variable = settings_variable("", name, "CWD");
	return fail_with(e, ERR_INVALID,
			 "%s is \"%.200s\", but must be the absolute path of "
			 "a directory that exists",
			 variable, cwd);
}

static bool
check_executor(const char *name, const struct harness_settings *settings,
	       struct error *e)
{
	struct docker_settings docker = { 0 };
	struct error wrong = { 0 };
	auto_free char *socket = NULL;
	bool ok = !docker_is_wanted(settings, name, &wrong) ||
		  (docker_settings_read(&docker, settings, name, &wrong) &&
		   (socket = docker_host_socket(
			    variable_value("DOCKER_HOST").ptr, &wrong)));

	docker_settings_fini(&docker);
	if (wrong.code) {
		*e = wrong;
		e->code = ERR_INVALID;
	}
	return ok && !wrong.code;
}

static bool
check_harness(const char *name, struct error *e)
{
	struct harness_settings settings;
	bool ok = harness_settings_read(&settings, name, e) &&
		  check_cwd(name, settings.cwd, e) &&
		  check_executor(name, &settings, e);

	harness_settings_fini(&settings);
	return ok;
}

static bool
add_own_workers(struct plan *p, struct error *e)
{
	list_each (&p->own, n) {
		const struct own *own = container_of(n, struct own, node);

		if (!own->chosen)
			continue;
		if (!check_harness(own->name, e))
			return false;
		p->children[p->count++] = (struct planned){
			.name = own->name,
			.program = own->program,
			.is_worker = true,
			.is_own = true,
		};
	}
	return true;
}

static bool
add_workers(struct plan *p, struct error *e)
{
	bool chosen[ROSTER_LEN] = { false };

	if (!find_own_workers(p, e) || !choose(p, chosen, e))
		return false;
	for (size_t i = 0; i < ROSTER_LEN; i++) {
		const struct harness_row *row = &roster[i];

		if (!chosen[i])
			continue;
		if (!check_harness(row->name, e))
			return false;
		p->children[p->count++] = (struct planned){
			.name = row->name,
			.program = row->program,
			.is_worker = true,
			.serves_providers = row->serves == SERVES_PROVIDERS,
		};
	}
	return add_own_workers(p, e);
}

/* Providers of the operator's own: BRIDGE_PROVIDER_<NAME>_BASE_URL */

static bool
check_name(const struct plan *p, const char *name, const char *variable,
	   struct error *e)
{
	return (!roster_find(str_of(name)) && !find_own(p, str_of(name))) ||
	       fail_with(e, ERR_INVALID,
			 "%s: \"%s\" already is the name of a harness, "
			 "choose another",
			 variable, name);
}

/* Checks one variable of a provider for what its worker would fail at. */
static bool
check_provider(const struct plan *p, struct str variable, struct str value,
	       struct error *e)
{
	auto_free char *own = copy(variable);
	char name[MAX_NAME + 1];

	if (!value.len)
		return true;
	if (provider_read_name(name, variable, PROVIDER_BASE_URL))
		return provider_check_url(own, value, e) &&
		       check_name(p, name, own, e);
	return (!provider_read_name(name, variable, PROVIDER_API_KEY) &&
		!roster_is_key(variable)) ||
	       provider_check_key(own, value, e);
}

static bool
check_providers(const struct plan *p, struct error *e)
{
	struct str variable, value;

	for (char **v = environ; *v; v++) {
		variable = str_cut(str_of(*v), '=', &value);
		if (!check_provider(p, variable, str_trim(value), e))
			return false;
	}
	return true;
}

/* Routes */

static bool
add_route(struct buf *routes, const char *prefix, const char *worker,
	  struct error *e)
{
	auto_free char *route =
		copy_format("%s%s=%s", routes->len ? " " : "", prefix, worker);

	return buf_add(routes, str_of(route), e);
}

static bool
add_aliases(struct buf *routes, const struct harness_row *row, struct error *e)
{
	struct str left = str_of(row->aliases), word;

	while (str_word(&left, &word)) {
		auto_free char *alias = copy(word);

		if (!add_route(routes, alias, row->name, e))
			return false;
	}
	return true;
}

/* A name may also be written with a dash, which a variable can't have. */
static bool
add_own_route(struct buf *routes, const char *name, const char *worker,
	      struct error *e)
{
	auto_free char *dashed = copy(str_of(name));

	for (char *c = dashed; *c; c++)
		if (*c == '_')
			*c = '-';
	return add_route(routes, name, worker, e) &&
	       (!strcmp(dashed, name) || add_route(routes, dashed, worker, e));
}

static bool
add_own_providers(struct buf *routes, const char *worker, struct error *e)
{
	char name[MAX_NAME + 1];
	struct str variable, url;

	for (char **v = environ; *v; v++) {
		variable = str_cut(str_of(*v), '=', &url);
		if (!str_trim(url).len ||
		    !provider_read_name(name, variable, PROVIDER_BASE_URL))
			continue;
		if (!roster_has_provider(str_of(name)) &&
		    !add_own_route(routes, name, worker, e))
			return false;
	}
	return true;
}

static bool
add_providers(const struct plan *p, struct buf *routes, const char *worker,
	      struct error *e)
{
	for (size_t i = 0; roster_provider(i); i++)
		if (!add_route(routes, roster_provider(i), worker, e))
			return false;
	return check_providers(p, e) && add_own_providers(routes, worker, e);
}

static bool
add_routes(const struct plan *p, struct buf *routes,
	   const struct planned *child, struct error *e)
{
	const struct harness_row *row = roster_find(str_of(child->name));

	if (!child->is_worker)
		return true;
	if (child->serves_providers)
		return add_providers(p, routes, child->name, e);
	if (child->is_own)
		return add_own_route(routes, child->name, child->name, e);
	return add_route(routes, row->name, row->name, e) &&
	       add_aliases(routes, row, e);
}

static bool
check_route_count(struct str routes, struct error *e)
{
	size_t n = 0;

	for (size_t i = 0; i < routes.len; i++)
		n += routes.ptr[i] == '=';
	return n <= MAX_PREFIXES ||
	       fail_with(e, ERR_INVALID,
			 "%zu model prefixes are too many: "
			 "remove some BRIDGE_PROVIDER_*",
			 n);
}

static bool
add_all_routes(struct plan *p, struct error *e)
{
	struct buf routes = BUF_INIT(MAX_ROUTES),
		   workers = BUF_INIT(MAX_ROUTES);
	bool ok = true;

	for (size_t i = 0; ok && i < p->count; i++) {
		ok = add_routes(p, &routes, &p->children[i], e);
		if (p->children[i].is_worker)
			buf_print(&workers, "%s%s", workers.len ? " " : "",
				  p->children[i].name);
	}
	ok = ok && check_route_count(buf_str(&routes), e);
	p->routes = copy(buf_str(&routes));
	p->workers = copy(buf_str(&workers));
	buf_fini(&routes);
	buf_fini(&workers);
	return ok;
}

/* Checks */

/* A short secret can be guessed, and other programs reach loopback as well. */
static bool
check_bearer(const char *bearer, struct error *e)
{
	if (bearer && strlen(bearer) < MIN_BEARER)
		return fail_with(e, ERR_INVALID,
				 "BRIDGE_BEARER is too short: it must have %d "
				 "characters or more",
				 MIN_BEARER);
	for (const char *c = bearer; c && *c; c++)
		if (!isgraph((unsigned char)*c))
			return fail_with(e, ERR_INVALID,
					 "BRIDGE_BEARER has a character that "
					 "no header can carry: letters, digits "
					 "and punctuation only");
	return true;
}

/* Anybody who can reach the port can try to use it. */
static bool
check_trust(const struct settings *s, struct error *e)
{
	bool loopback = host_is_loopback(str_of(s->host));

	if (!loopback && !s->bearer)
		return fail_with(e, ERR_INVALID,
				 "BRIDGE_HOST is \"%s\", which is not loopback "
				 "and needs BRIDGE_BEARER",
				 s->host);
	if (!s->bearer && s->allowed_origins &&
	    str_list_has(str_of(s->allowed_origins), STR("*")))
		return fail_with(e, ERR_INVALID,
				 "BRIDGE_ALLOWED_ORIGINS is "
				 "\"*\", which needs BRIDGE_BEARER");
	return true;
}

static bool
check_log_level(const char *name, struct error *e)
{
	enum log_level level;

	return log_level_read(name, &level) ||
	       fail_with(e, ERR_INVALID,
			 "BRIDGE_LOG_LEVEL is \"%s\", but must "
			 "be error, warn, info or debug",
			 name);
}

static bool
make(struct plan *p, struct error *e)
{
	p->children[p->count++] = (struct planned){
		.name = "gateway",
		.program = "cli-bridge-gateway",
	};
	return settings_read(&p->settings, e) &&
	       check_log_level(p->settings.log_level, e) &&
	       check_bearer(p->settings.bearer, e) &&
	       check_trust(&p->settings, e) && add_workers(p, e) &&
	       add_all_routes(p, e);
}

struct plan *
plan_new(struct error *e)
{
	struct plan *p = xcalloc(1, sizeof *p);

	list_init(&p->own);
	if (make(p, e))
		return p;
	plan_free(p);
	return NULL;
}

void
plan_free(struct plan *p)
{
	struct node *n;

	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++) {
		struct planned *c = &p->children[i];

		for (size_t v = 0; v < c->env_count; v++)
			free(c->env[v]);
		free(c->env);
	}
	while ((n = list_first(&p->own))) {
		list_remove(&p->own, n);
		free(container_of(n, struct own, node));
	}
	settings_fini(&p->settings);
	free(p->routes);
	free(p->workers);
	free(p);
}

/* Environments */

static enum concern
role_of(const struct planned *c)
{
	if (!c->is_worker)
		return FOR_GATEWAY;
	return c->serves_providers ? FOR_PROVIDERS : FOR_CLIS;
}

static bool
may_know(const struct planned *c, struct str variable)
{
	char name[MAX_NAME + 1];
	bool is_more;

	if (roster_read_own(variable, name, &is_more))
		return c->is_own && !strcmp(name, c->name);
	if (settings_concern(variable, c->name, role_of(c)))
		return true;
	return c->serves_providers &&
	       (roster_is_key(variable) ||
		str_starts(variable, STR(PROVIDER_PREFIX)));
}

/* Takes the entry. */
static void
add(struct planned *c, char *entry)
{
	c->env[c->env_count++] = entry;
}

static void
furnish(const struct plan *p, struct planned *c, const struct place *place)
{
	size_t n = 0;

	while (environ[n])
		n++;
	c->env = xcalloc(n + 6, sizeof *c->env);
	add(c, copy_format(OWNER_VARIABLE "=%s/%s/", place->instance, c->name));
	add(c, copy_format("CLI_BRIDGE_RUN_DIR=%s", place->run_dir));
	add(c, copy_format("BRIDGE_DATA_DIR=%s", place->data_dir));
	if (!c->is_worker) {
		add(c, copy_format("CLI_BRIDGE_ROUTES=%s", p->routes));
		add(c, copy_format("CLI_BRIDGE_WORKERS=%s", p->workers));
	}
	for (size_t i = 0; i < n; i++) {
		struct str value,
			name = str_cut(str_of(environ[i]), '=', &value);

		if (may_know(c, name))
			add(c, copy(str_of(environ[i])));
	}
}

void
plan_furnish(struct plan *p, const struct place *place)
{
	for (size_t i = 0; i < p->count; i++) {
		assert(!p->children[i].env);
		furnish(p, &p->children[i], place);
	}
}

const struct planned *
plan_find(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (!strcmp(p->children[i].name, name))
			return &p->children[i];
	return NULL;
}

/* The order of the entries may differ: the environment is a set. */
static bool
has_entry(const struct planned *c, const char *entry)
{
	for (size_t i = 0; i < c->env_count; i++)
		if (!strcmp(c->env[i], entry))
			return true;
	return false;
}

bool
planned_has_same_env(const struct planned *a, const struct planned *b)
{
	for (size_t i = 0; i < a->env_count; i++)
		if (!has_entry(b, a->env[i]))
			return false;
	return a->env_count == b->env_count;
}

static bool
says_what_may_be_reached(struct str variable)
{
	static const struct str end = STR("_NET");

	return variable.len > end.len &&
	       str_eq(str_from(variable, variable.len - end.len), end);
}

/* A worker takes these over at its start only: the command and the models of an
 * agent of the operator's own, and where CLIs run. */
static bool
counts_at_start(struct str variable)
{
	static const char *const parts[] = { "_EXECUTOR", "_DOCKER_",
					     "DOCKER_HOST" };
	char name[MAX_NAME + 1];
	bool is_more;

	if (roster_read_own(variable, name, &is_more) ||
	    says_what_may_be_reached(variable))
		return true;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (memmem(variable.ptr, variable.len, parts[i],
			   strlen(parts[i])))
			return true;
	return false;
}

static bool
starts_as(const struct planned *c, const struct planned *as)
{
	struct str value;

	for (size_t i = 0; i < c->env_count; i++) {
		struct str variable = str_cut(str_of(c->env[i]), '=', &value);

		if (counts_at_start(variable) && !has_entry(as, c->env[i]))
			return false;
	}
	return true;
}

bool
planned_is_another(const struct planned *a, const struct planned *b)
{
	return strcmp(a->program, b->program) != 0 || !starts_as(a, b) ||
	       !starts_as(b, a);
}
