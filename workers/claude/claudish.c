#include "workers/claude/claude.h"

#include "proto/variables.h"

/*
 * claudish is a proxy that speaks Anthropic's protocol and has other vendors'
 * models behind it; `claudish serve` listens at CLAUDISH_URL.  It has names of
 * its own for models, such as "openrouter@deepseek/deepseek-r1".  A model
 * without "@" or "/" it passes on to Anthropic, together with the credentials
 * of the CLI.
 *
 * So no credentials of the user's may reach it.  Claude Code sends a stored
 * login to any ANTHROPIC_BASE_URL, unless there is a token in the environment.
 * The user's settings can set variables, which override the environment, and
 * name a program that prints a key.  Only a settings file that is named in an
 * argument overrides those, so we write one.
 */

bool
is_claudish(const struct conversation *c)
{
	return !strcmp(c->instance->name, "claudish");
}

/*
 * As in claude.c, with a token that belongs to no account.
 */
const char *const claudish_environment[] = {
	"ANTHROPIC_AUTH_TOKEN=claudish",
	"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
	"DISABLE_AUTOUPDATER=1",
	"DISABLE_TELEMETRY=1",
	"DISABLE_ERROR_REPORTING=1",
	"CLAUDE_CODE_MAX_RETRIES=1",
	"CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK=1",
	"CLAUDE_CODE_DISABLE_REFUSAL_RETRY=1",
	"CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE=1000000000",
	NULL,
};

/* The variables that name the server and the account. */
static const char *const identity[] = {
	"ANTHROPIC_BASE_URL",	   "ANTHROPIC_AUTH_TOKEN",
	"ANTHROPIC_API_KEY",	   "ANTHROPIC_CUSTOM_HEADERS",
	"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK",
	"CLAUDE_CODE_USE_VERTEX",  "CLAUDE_CODE_USE_FOUNDRY",
};

/* To the CLI an empty variable is as good as none. */
static const char *
value_of(const struct words *env, const char *name)
{
	const char *value = words_value(env, name);

	return value ? value : "";
}

static json_t *
settings_of(const struct words *env)
{
	json_t *variables = json_object();

	for (size_t i = 0; i < sizeof identity / sizeof *identity; i++)
		json_object_set_new(variables, identity[i],
				    json_string(value_of(env, identity[i])));
	return json_pack("{s:s, s:o}", "apiKeyHelper", "", "env", variables);
}

/*
 * Only the operator knows for which vendors the proxy has keys.  So the models
 * are the default one, if there is one, and those that CLAUDISH_MODELS names.
 */
const char *const *
claudish_models(void)
{
	static struct words models;
	static const char *const none[] = { NULL };
	struct str usual = variable_value("CLAUDISH_ENV_ANTHROPIC_MODEL");
	struct str name, rest = variable_value("CLAUDISH_MODELS");

	words_fini(&models);
	if (usual.len) {
		words_add(&models, "default");
		words_print(&models, STR_FMT, STR_ARG(usual));
	}
	while (str_word(&rest, &name))
		if (!str_same(name, usual))
			words_print(&models, STR_FMT, STR_ARG(name));
	return models.ptr ? (const char *const *)models.ptr : none;
}

/* Claude Code's default model is one of Anthropic's. */
void
claudish_ask_for_model(struct conversation *c)
{
	struct error e = { 0 };

	fail_with(&e, ERR_NO_MODEL,
		  "claudish: name a model, such as "
		  "\"claudish/openrouter@deepseek/deepseek-r1\"");
	conversation_fail(c, &e);
}

/*
 * The model is named at the start if possible: if it is asked for later and the
 * CLI does not know it, the CLI tries it out first, which costs a request.
 */
static void
add_model(struct conversation *c, struct words *argv, const struct words *env)
{
	struct claude *own = c->own;

	own->needs_model = true;
	own->usual_model = copy(str_of(words_value(env, "ANTHROPIC_MODEL")));
	if (!c->model)
		own->said_model = copy(str_of(own->usual_model));
	if (!c->model || !is_plain_model(c->model))
		return;
	words_print(argv, "--model=%s", c->model);
	own->said_model = copy(str_of(c->model));
}

bool
claudish_add(struct conversation *c, struct words *argv, struct words *env,
	     struct error *e)
{
	struct str url = variable_value("CLAUDISH_URL");
	auto_free char *base = NULL;

	if (!url.len)
		return fail_with(e, ERR_NOT_SET_UP,
				 "claudish: set CLAUDISH_URL to where claudish "
				 "serve listens");
	base = copy_format("ANTHROPIC_BASE_URL=" STR_FMT, STR_ARG(url));
	words_set(env, base);
	add_model(c, argv, env);
	return claude_add_settings(c, argv, settings_of(env), e);
}
