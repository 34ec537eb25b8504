/*
 * How long the model may think, which the CLI keeps until it is told otherwise:
 * so it is told whenever a turn wants another effort than the one before.  It
 * takes a word that it does not know without a word.
 */
#include "workers/claude/claude.h"

enum {
	LEVELS = EFFORT_BIT(EFFORT_LOW) | EFFORT_BIT(EFFORT_MEDIUM) |
		 EFFORT_BIT(EFFORT_HIGH) | EFFORT_BIT(EFFORT_XHIGH) |
		 EFFORT_BIT(EFFORT_MAX)
};

/* What the CLI says of a model; it takes models that it does not list. */
void
claude_note_efforts(struct claude *own, const json_t *model)
{
	const json_t *words = json_object_get(model, "supportedEffortLevels");
	const json_t *off = json_object_get(model, "supportsThinkingOff");
	unsigned set = effort_set_of(words, NULL);

	if (!json_is_boolean(json_object_get(model, "supportsEffort")))
		return;
	if (!json_is_false(off))
		set |= EFFORT_BIT(EFFORT_NONE);
	if (!own->efforts)
		own->efforts = json_object();
	json_object_set_new(own->efforts, json_text(model, "value"),
			    json_integer((json_int_t)set));
}

bool
claude_choose_effort(const struct conversation *c, enum effort *effort,
		     struct error *e)
{
	const struct claude *own = c->own;
	const char *model = c->model ? c->model : "default";
	const json_t *set = json_object_get(own->efforts, model);
	auto_free char *who = copy_format("%s/%s", c->instance->name, model);

	return effort_settle(&c->options, who,
			     set ? (unsigned)json_integer_value(set)
				 : LEVELS | EFFORT_BIT(EFFORT_NONE),
			     effort, e);
}

static bool
is_level(enum effort e)
{
	return LEVELS & EFFORT_BIT(e);
}

static void
ask(struct conversation *c, json_t *request)
{
	struct claude *own = c->own;
	char id[32];

	snprintf(id, sizeof id, CLAUDE_EFFORT_REQUEST,
		 (uintmax_t)++own->asked_efforts);
	own->missing_efforts++;
	claude_ask(c, id, request);
}

void
claude_ask_effort(struct conversation *c, enum effort wanted)
{
	struct claude *own = c->own;
	enum effort had = own->effort;

	if (had == wanted)
		return;
	own->effort = wanted;
	if (is_level(had) || is_level(wanted))
		ask(c,
		    json_pack("{s:s, s:{s:s?}}", "subtype",
			      "apply_flag_settings", "settings", "effortLevel",
			      is_level(wanted) ? effort_name(wanted) : NULL));
	if (had == EFFORT_NONE || wanted == EFFORT_NONE)
		ask(c,
		    json_pack("{s:s, s:o}", "subtype",
			      "set_max_thinking_tokens", "max_thinking_tokens",
			      wanted == EFFORT_NONE ? json_integer(0)
						    : json_null()));
}

bool
claude_on_effort(struct conversation *c, const char *id, const char *error)
{
	struct claude *own = c->own;
	struct error why = { 0 };

	if (strncmp(id, CLAUDE_EFFORT_REQUEST,
		    sizeof CLAUDE_EFFORT_REQUEST - sizeof "%ju") != 0)
		return false;
	own->missing_efforts--;
	if (error && own->prompt) {
		free(own->prompt);
		own->prompt = NULL;
		fail_about(&why, ERR_UNSUPPORTED, "reasoning_effort: %s: %s",
			   c->instance->name, error);
		conversation_abort(c, &why); /* what is set is not known */
	} else if (own->prompt) {
		claude_send_prompt(c);
	}
	return true;
}
