/*
 * How long the model may think.  pi keeps it with its session, so it is set
 * before a prompt and set back as soon as that has been answered.  For a model
 * that cannot think, or not so, pi would take what is nearest without a word.
 */
#include "workers/pi/pi.h"

static const char *
level_of(enum effort e)
{
	return e == EFFORT_NONE ? "off" : effort_name(e);
}

/* As pi has it: a model that can think takes every level up to high, unless its
 * map of them says null, and those above if they are in it. */
void
pi_note_efforts(struct pi *p, const char *name, const json_t *model)
{
	const json_t *map = json_object_get(model, "thinkingLevelMap");
	unsigned set = EFFORT_BIT(EFFORT_NONE);

	for (int i = EFFORT_NONE; i < EFFORTS; i++) {
		const json_t *value =
			json_object_get(map, level_of((enum effort)i));

		if (!json_is_true(json_object_get(model, "reasoning")))
			break;
		if (json_is_null(value))
			set &= ~EFFORT_BIT(i);
		else if (value || i <= EFFORT_HIGH)
			set |= EFFORT_BIT(i);
	}
	if (!p->efforts)
		p->efforts = json_object();
	json_object_set_new(p->efforts, name, json_integer((json_int_t)set));
}

bool
pi_choose_effort(const struct conversation *c, const char *model,
		 struct error *e)
{
	struct pi *p = c->own;
	const json_t *set = json_object_get(p->efforts, model ? model : "");
	auto_free char *who = copy_format("pi/%s", model ? model : "default");

	return effort_settle(&c->options, who,
			     set ? (unsigned)json_integer_value(set)
				 : ANY_EFFORT,
			     &p->asked_effort, e);
}

static void
ask(struct conversation *c, const char *level)
{
	pi_ask(c, "set_thinking_level", json_pack("{s:s}", "level", level));
}

void
pi_set_effort(struct conversation *c)
{
	struct pi *p = c->own;

	p->effort_is_set = p->asked_effort != EFFORT_USUAL;
	if (p->effort_is_set)
		ask(c, level_of(p->asked_effort));
}

void
pi_reset_effort(struct conversation *c)
{
	struct pi *p = c->own;

	if (p->effort_is_set && p->usual_level)
		ask(c, p->usual_level);
	p->effort_is_set = false;
}
