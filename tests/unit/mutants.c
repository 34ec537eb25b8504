#include "tests/unit/mutants.h"

#include <jansson.h>

enum {
	MAX_SAID = 4 << 20,
	MAX_HEARD = 500, /* of one transcript, evenly spread: for time */
};

/* The line that changes, and what is around it. */
struct place {
	struct str before, line, after;
	mutant_fn *hear;
	size_t count, every; /* of which every so manieth is heard; 0: none */
};

static void
say(struct place *p, struct str line)
{
	struct buf all = BUF_INIT(MAX_SAID);

	p->count++;
	if (!p->every || p->count % p->every)
		return;
	buf_print(&all, STR_FMT STR_FMT STR_FMT, STR_ARG(p->before),
		  STR_ARG(line), STR_ARG(p->after));
	p->hear(buf_str(&all));
	buf_fini(&all);
}

static void
say_json(struct place *p, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	auto_free char *line = copy_format("%s\n", text);

	say(p, str_of(line));
	free(text);
}

/* Takes `other`. */
static void
say_with(struct place *p, const json_t *root, json_t *object, const char *key,
	 json_t *other)
{
	json_t *own = json_incref(json_object_get(object, key));

	json_object_set_new(object, key, other);
	say_json(p, root);
	json_object_set_new(object, key, own);
}

static void
change_member(struct place *p, const json_t *root, json_t *object,
	      const char *key)
{
	auto_free char *name = copy_format("%s_of_tomorrow", key);
	json_t *own = json_incref(json_object_get(object, key));

	say_with(p, root, object, key, json_null());
	say_with(p, root, object, key, json_integer(-7));
	say_with(p, root, object, key, json_string(""));
	say_with(p, root, object, key, json_object());
	json_object_del(object, key);
	say_json(p, root);
	json_object_set(object, name, own);
	say_json(p, root);
	json_object_del(object, name);
	json_object_set_new(object, key, own);
}

static void
change_members(struct place *p, const json_t *root, json_t *json)
{
	const char *key;
	json_t *member, *keys = json_array();
	size_t i;

	json_object_foreach (json, key, member)
		json_array_append_new(keys, json_string(key));
	json_array_foreach (keys, i, member) {
		key = json_string_value(member);
		change_member(p, root, json, key);
		change_members(p, root, json_object_get(json, key));
	}
	json_array_foreach (json, i, member)
		change_members(p, root, member);
	json_decref(keys);
}

static void
change_line(struct place *p)
{
	auto_free char *twice = copy_format(STR_FMT STR_FMT, STR_ARG(p->line),
					    STR_ARG(p->line));
	json_t *json = json_loadb(p->line.ptr, p->line.len, 0, NULL);

	say(p, STR(""));
	say(p, str_of(twice));
	say(p, (struct str){ p->line.ptr, p->line.len / 2 });
	if (json)
		change_members(p, json, json);
	json_decref(json);
}

static size_t
each(struct str said, mutant_fn *hear, size_t every)
{
	struct place p = { .hear = hear, .after = said, .every = every };

	while (p.after.len) {
		const char *end = memchr(p.after.ptr, '\n', p.after.len);

		p.before = (struct str){ said.ptr, said.len - p.after.len };
		p.line = p.after;
		if (end)
			p.line.len = (size_t)(end - p.line.ptr) + 1;
		p.after = str_from(p.after, p.line.len);
		change_line(&p);
	}
	return p.count;
}

void
mutants_each(struct str said, mutant_fn *hear)
{
	size_t all = each(said, hear, 0);

	each(said, hear, all / MAX_HEARD + 1);
}
