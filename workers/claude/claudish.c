#include "workers/claude/claude.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/variables.h"

/*
 * claudish is a proxy that speaks Anthropic's language and has other vendors'
 * models behind it; `claudish serve` listens where CLAUDISH_URL says.  Its
 * names for models, such as "openrouter@deepseek/deepseek-r1", are its own
 * business; one without "@" or "/" it passes on to Anthropic, with whatever
 * the CLI has identified itself with.
 *
 * So nothing that stands for the user's own account may reach it: a login that
 * Claude Code has stored is sent to any ANTHROPIC_BASE_URL, unless there is a
 * token in the environment.  The user's settings can have variables of their
 * own which count for more than the environment, and a program that prints a
 * key; only a file of settings named in an argument counts for more than those.
 */

bool
is_claudish(const struct talk *t)
{
	return !strcmp(t->agent->name, "claudish");
}

/*
 * As those of claude.c, and a token that stands for nobody.  It has no more
 * than one retry, for the same reason.
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

const char *const claudish_models[] = {
	"openrouter@deepseek/deepseek-r1",
	"google@gemini-2.0-flash",
	"zai@glm-4.6",
	NULL,
};

/* What says where it talks to, and as whom. */
static const char *const identity[] = {
	"ANTHROPIC_BASE_URL",	   "ANTHROPIC_AUTH_TOKEN",
	"ANTHROPIC_API_KEY",	   "ANTHROPIC_CUSTOM_HEADERS",
	"CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK",
	"CLAUDE_CODE_USE_VERTEX",  "CLAUDE_CODE_USE_FOUNDRY",
};

/* Empty is as good as absent to the CLI. */
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

static bool
write_whole(const char *path, const char *text, struct error *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t len = strlen(text);
	bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len;

	if (!ok)
		fail_errno(e, "%s", path);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* One file for all its processes, as long as it says the same: so that none
 * of them ever reads half of it, it takes the place of the one before. */
static bool
add_settings(struct talk *t, struct words *argv, const struct words *env,
	     struct error *e)
{
	auto_free char *path = copy_format("%s/settings.json", t->scratch);
	auto_free char *fresh = copy_format("%s.%s", path, t->cli_id);
	json_t *settings = settings_of(env);
	auto_free char *text = json_dumps(settings, JSON_COMPACT);

	json_decref(settings);
	if (!write_whole(fresh, text, e))
		return false;
	if (rename(fresh, path) < 0)
		return fail_errno(e, "%s", path);
	words_add(argv, "--settings");
	words_add(argv, path);
	return true;
}

/* What Claude Code takes by default is one of Anthropic's. */
void
claudish_ask_for_model(struct talk *t)
{
	struct error e = { 0 };

	fail_with(&e, ERR_NO_MODEL,
		  "claudish: name a model, such as \"claudish/%s\"",
		  claudish_models[0]);
	talk_fail(t, &e);
}

/*
 * The model is named at the start if that can be done: asked for later, one
 * that the CLI does not know is tried out first, which costs a request.
 */
static void
add_model(struct talk *t, struct words *argv, const struct words *env)
{
	struct claude *c = t->state;

	c->needs_model = !*value_of(env, "ANTHROPIC_MODEL");
	if (!t->model || !is_plain_model(t->model))
		return;
	words_print(argv, "--model=%s", t->model);
	c->said_model = copy(str_of(t->model));
}

bool
claudish_add(struct talk *t, struct words *argv, struct words *env,
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
	add_model(t, argv, env);
	return add_settings(t, argv, env, e);
}
