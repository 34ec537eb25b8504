#include "workers/cli/persona.h"

#include <inttypes.h>

#include "workers/cli/pool.h"
#include "workers/cli/session.h"
#include "workers/executor/host.h"
#include "workers/io/hash.h"
#include "workers/options/preamble.h"
#include "workers/options/profile.h"

/*
 * A CLI that loads skills, subagents and commands runs programs that they name.
 * In the mode hosted-safe nothing is run, so there they are told as other files
 * are.
 */
static struct profile_takes
takes_of(const struct harness *h, const struct options *o)
{
	struct profile_takes takes =
		h->takes ? *h->takes : profile_takes[OTHERS_TAKES];

	if (o->mode == MODE_SAFE)
		takes.parts &= ~(unsigned)PERSONA_PROGRAMS;
	return takes;
}

/* The caller frees it; NULL: the profile has no files. */
static char *
directory_for(const json_t *profile, const struct session *s,
	      const struct executor *place)
{
	json_t *files = profile_files(profile);
	bool has_files = json_array_size(files) > 0;
	char digest[PROFILE_DIGEST_SIZE];
	struct hash hash = HASH_INIT;

	json_decref(files);
	if (!has_files)
		return NULL;
	profile_digest(profile, digest);
	hash_add_field(&hash, str_of(digest));
	hash_add_field(&hash, str_of(s->id ? s->id : s->cli_id));
	hash_add_field(&hash, (struct str){ (const char *)&s->number,
					    sizeof s->number });
	return copy_format("%s/%016" PRIx64 PROFILE_ENDING, place->scratch,
			   hash_value(&hash));
}

/* Both with a blank line between; takes `preamble`. */
static void
put_together(struct persona *p, char *preamble, const struct terms *terms)
{
	struct str system = { terms->system, terms->system_len };
	size_t len = preamble ? strlen(preamble) : 0;
	struct buf both = BUF_INIT(len + 2 + system.len);

	if (!preamble || !terms->system) {
		p->system = preamble ? preamble : copy(system);
		p->system_len = preamble ? len : system.len;
		return;
	}
	buf_put(&both, str_of(preamble));
	buf_put(&both, STR("\n\n"));
	buf_put(&both, system);
	p->system = copy(buf_str(&both));
	p->system_len = both.len;
	buf_fini(&both);
	free(preamble);
}

void
persona_find(struct persona *p, const struct harness *h,
	     const struct options *o, const struct session *s,
	     const struct executor *place)
{
	const struct profile_takes takes = takes_of(h, o);
	char *preamble = NULL;

	*p = (struct persona){ 0 };
	if (o->profile && !profile_takes_all(&takes)) {
		p->directory = directory_for(o->profile, s, place);
		preamble = preamble_of(o->profile, &takes, p->directory);
		if (takes.parts & TAKES_SYSTEM)
			p->instead = copy(profile_system(o->profile));
	}
	put_together(p, preamble, &s->terms);
}

void
persona_fini(struct persona *p)
{
	free(p->system);
	free(p->instead);
	free(p->directory);
	*p = (struct persona){ 0 };
}

/* Files */

/* Makes every directory on the way to the file `path`, below `root`. */
static bool
make_way(struct executor *x, const char *root, const char *path,
	 struct error *e)
{
	for (const char *c = strchr(path, '/'); c; c = strchr(c + 1, '/')) {
		auto_free char *directory =
			copy_format("%s/%.*s", root, (int)(c - path), path);

		if (!x->make_directory(x, directory, e))
			return false;
	}
	return true;
}

static bool
write_file(const struct conversation *c, const json_t *file, struct error *e)
{
	struct executor *x = c->executor;
	const char *path = json_text(file, "path");
	auto_free char *whole = copy_format("%s/%s", c->directory, path);

	return make_way(x, c->directory, path, e) &&
	       x->write(x, whole, json_str(file, "text"), e);
}

bool
persona_write_files(const struct conversation *c, struct error *e)
{
	json_t *files, *file;
	bool ok = true;
	size_t i;

	if (!c->directory)
		return true;
	files = profile_files(c->options.profile);
	ok = c->executor->make_directory(c->executor, c->directory, e);
	json_array_foreach (files, i, file)
		ok = ok && write_file(c, file, e);
	json_decref(files);
	return ok;
}

/* One that only reads has the files of the place that it is of. */
static bool
same_files(const struct executor *a, const struct executor *b)
{
	return a == b || a->reader == b || b->reader == a;
}

static bool
is_anothers(const struct conversation *c)
{
	list_each (&c->pool->conversations, n) {
		const struct conversation *other =
			container_of(n, struct conversation, node);

		if (other != c && other->directory &&
		    same_files(other->executor, c->executor) &&
		    !strcmp(other->directory, c->directory))
			return true;
	}
	return false;
}

void
persona_remove_files(const struct conversation *c)
{
	if (c->directory && !is_anothers(c))
		c->executor->remove_tree(c->executor, c->directory);
}

json_t *
persona_receipt(const struct options *o, const struct harness *h)
{
	const struct profile_takes takes = takes_of(h, o);

	return profile_receipt(o->profile, &takes);
}

/* What it agrees with */

static const struct {
	const char *name, *aliases;
} harnesses[] = {
/* clang-format off */
#define HARNESS(name, program, aliases, serves, meaning) { name, aliases },
#include "workers/harnesses.def"
	/* clang-format on */
};

static bool
is_called(const char *harness, struct str word)
{
	if (str_is(word, harness))
		return true;
	for (size_t i = 0; i < sizeof harnesses / sizeof *harnesses; i++)
		if (!strcmp(harnesses[i].name, harness))
			return str_list_has(str_of(harnesses[i].aliases), word);
	return false;
}

/* The model without the name of the harness before it. */
static struct str
model_in(const json_t *profile, const char *harness)
{
	struct str model = profile_text(profile, "model.default");
	struct str rest, first = str_cut(model, '/', &rest);

	return rest.len && is_called(harness, first) ? rest : model;
}

/* With its provider before it, "" if there is none.  The caller frees it. */
static char *
with_provider(const json_t *profile, struct str model)
{
	struct str provider = profile_text(profile, "model.provider");

	return provider.len ? copy_format(STR_FMT "/" STR_FMT,
					  STR_ARG(provider), STR_ARG(model))
			    : copy(STR(""));
}

static bool
is_listed(const json_t *models, const char *id)
{
	const json_t *model;
	size_t i;

	json_array_foreach (models, i, model) {
		const char *its = json_is_string(model)
					  ? json_string_value(model)
					  : json_text(model, "id");

		if (its && !strcmp(its, id))
			return true;
	}
	return false;
}

char *
persona_model(const json_t *profile, const char *harness, const json_t *models)
{
	struct str model = model_in(profile, harness);
	char *whole;

	if (!model.len || str_is(model, "default"))
		return NULL;
	whole = with_provider(profile, model);
	if (is_listed(models, whole))
		return whole;
	free(whole);
	return copy(model);
}

static bool
model_agrees(const json_t *profile, const char *harness, const char *model,
	     struct error *e)
{
	struct str its = model_in(profile, harness);
	auto_free char *whole = with_provider(profile, its);

	if (!its.len || !model || !strcmp(model, "default") ||
	    str_is(its, "default") || str_is(its, model) ||
	    !strcmp(whole, model))
		return true;
	return fail_about(e, ERR_INVALID,
			  "agent_profile.model.default: is " STR_FMT
			  ", and the request asks for %s: name one, or the "
			  "same",
			  STR_ARG(its), model);
}

bool
persona_agrees(const struct options *o, const char *harness, const char *model,
	       struct error *e)
{
	struct str its, effort;

	if (!o->profile)
		return true;
	its = profile_text(o->profile, "harness");
	effort = profile_text(o->profile, "model.reasoningEffort");
	if (its.len && !is_called(harness, its))
		return fail_about(e, ERR_INVALID,
				  "agent_profile.harness: is %.80s, and the "
				  "request goes to %s",
				  its.ptr, harness);
	if (effort.len && o->said_effort != EFFORT_USUAL &&
	    !str_is(effort, effort_name(o->said_effort)))
		return fail_about(e, ERR_INVALID,
				  "agent_profile.model.reasoningEffort: is %s, "
				  "and the request asks for %s",
				  effort.ptr, effort_name(o->said_effort));
	return model_agrees(o->profile, harness, model, e);
}
