#include "workers/acp/acp.h"

/* Takes the next WORD or WORD=HOW off a list of modes; without "=", `how` is
 * the word. */
static bool
next_mode(struct str *list, struct str *word, struct str *how)
{
	struct str mode, rest;

	while (list->len && *list->ptr == ' ')
		*list = str_from(*list, 1);
	if (!list->len)
		return false;
	mode = str_cut(*list, ' ', &rest);
	*list = rest.ptr ? rest : (struct str){ "", 0 };
	*word = str_cut(mode, '=', how);
	if (!how->ptr)
		*how = *word;
	return true;
}

char *
acp_mode_words(const struct acp_kind *kind)
{
	struct str list = str_of(kind->modes), word, how;
	struct buf words = BUF_INIT(MAX_DETAIL);
	char *text;

	while (next_mode(&list, &word, &how))
		buf_print(&words, STR_FMT " ", STR_ARG(word));
	text = copy(buf_str(&words));
	buf_fini(&words);
	return text;
}

/* One of `modes`. */
static const char *
mode_of(const struct conversation *c)
{
	return c->options.mode == MODE_SAFE ? acp_agent_of(c)->kind->safe_mode
					    : c->permission_mode;
}

bool
acp_may_all(const struct conversation *c)
{
	struct str list = str_of(acp_agent_of(c)->kind->modes), word, how;

	return c->options.mode != MODE_SAFE && next_mode(&list, &word, &how) &&
	       str_is(word, mode_of(c));
}

static json_t *
string_of(struct str s)
{
	return json_stringn(s.ptr, s.len);
}

/* The mode is set even if the session is in it already: the answer shows that
 * all updates from before, such as the repetition of an old session, are over.
 */
void
acp_set_mode(struct conversation *c, rpc_answer_fn *then)
{
	struct acp_agent *agent = acp_agent_of(c);
	struct str list = str_of(agent->kind->modes), word, how, value;
	json_t *params;

	while (next_mode(&list, &word, &how) && !str_is(word, mode_of(c)))
		;
	if (!how.len) {
		then(c, json_null(), NULL);
		return;
	}
	if (*how.ptr != '@') {
		rpc_ask(&agent->rpc, "session/set_mode",
			acp_params(c, "modeId", string_of(how)), then, c);
		return;
	}
	how = str_cut(str_from(how, 1), '=', &value);
	params = acp_params(c, "configId", string_of(how));
	json_object_set_new(params, "value", string_of(value));
	rpc_ask(&agent->rpc, "session/set_config_option", params, then, c);
}

static const char *
option_of(const json_t *options, const char *kind)
{
	const json_t *option;
	size_t i;

	json_array_foreach (options, i, option) {
		const char *is = json_text(option, "kind");

		if (is && !strcmp(is, kind))
			return json_text(option, "optionId");
	}
	return NULL;
}

/* Decides at once: nobody is there to be asked.  What a server of the caller's
 * can do the caller has allowed, and only this once: "always" may hold for
 * other sessions, and may be written into the user's settings. */
json_t *
acp_decide(const struct conversation *c, const json_t *params)
{
	const json_t *options = json_object_get(params, "options");
	const json_t *call = json_object_get(params, "toolCall");
	bool allowed = c && (acp_may_all(c) || acp_is_of_server(c, call) ||
			     acp_is_client_call(c, call));
	const char *choice =
		option_of(options, allowed ? "allow_once" : "reject_once");

	if (!choice)
		choice = option_of(options,
				   allowed ? "allow_always" : "reject_always");
	if (!c || !choice)
		return json_pack("{s:{s:s}}", "outcome", "outcome",
				 "cancelled");
	return json_pack("{s:{s:s, s:s}}", "outcome", "outcome", "selected",
			 "optionId", choice);
}
