#include "workers/amp/amp.h"

#include <signal.h>
#include <sys/wait.h>

#include "workers/transcript.h"

/* A thread that is new gets its name from the cloud.  What it can't be told
 * otherwise goes before its first message. */
static bool
command(struct talk *t, struct words *argv, struct words *env, struct error *e)
{
	static const char *const always[] = {
		"--execute",
		"--stream-json",
		"--stream-json-thinking",
		"--stream-json-input",
		"--dangerously-allow-all",
		"--no-ide",
		"--no-notifications",
		"--no-color",
	};

	struct amp *a = t->state;

	if (!t->resumed)
		a->preface = transcript_preface(t);
	if (t->resumed) {
		words_add(argv, "threads");
		words_add(argv, "continue");
		words_add(argv, t->cli_id);
	}
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		words_add(argv, always[i]);
	if (t->kept)
		words_add(argv, "--no-archive-after-execute");
	if (!t->model)
		return true;
	if (!is_plain_model(t->model))
		return fail_with(e, ERR_NO_MODEL, "amp: no mode is called so");
	words_print(argv, "--mode=%s", t->model);
	return true;
}

/* It says nothing by itself. */
static void
greet(struct talk *t)
{
	talk_ready(t);
}

/* Its input knows text only. */
static bool
add_blocks(json_t *blocks, const json_t *parts, struct error *e)
{
	const json_t *part;
	size_t i;

	json_array_foreach (parts, i, part) {
		const json_t *type = json_object_get(part, "type");
		const char *name = json_string_value(type);

		if (!strcmp(name, "image"))
			return fail_with(e, ERR_UNSUPPORTED,
					 "amp takes no images");
	}
	json_array_append_new(blocks,
			      json_pack("{s:s, s:o}", "type", "text", "text",
					transcript_text(parts)));
	return true;
}

static json_t *
blocks_of(struct talk *t, struct error *e)
{
	const json_t *preface = ((struct amp *)t->state)->preface;
	json_t *blocks = json_array();
	bool ok = !json_array_size(preface) || add_blocks(blocks, preface, e);

	for (size_t i = t->from; ok && i < json_array_size(t->messages); i++)
		ok = add_blocks(blocks,
				json_object_get(json_array_get(t->messages, i),
						"content"),
				e);
	if (ok)
		return blocks;
	json_decref(blocks);
	return NULL;
}

static void
say(struct talk *t)
{
	struct error e = { 0 };
	json_t *blocks = blocks_of(t, &e);

	if (!blocks) {
		talk_fail(t, &e);
		return;
	}
	talk_write_json(t, json_pack("{s:s, s:{s:s, s:o}}", "type", "user",
				     "message", "role", "user", "content",
				     blocks));
	talk_end_input(t);
}

static void
clear(struct talk *t)
{
	struct amp *a = t->state;

	json_decref(a->preface);
	memset(a, 0, sizeof *a);
}

/* What it can't begin with it says on its standard error. */
static void
ended(struct talk *t, int status, struct str last_words, struct error *e)
{
	if (WIFSIGNALED(status))
		return;
	if (last_words.len)
		amp_explain(t, last_words, e);
	else
		fail_with(e, ERR_TRUNCATED, "amp ended before its answer did");
}

static const char *const may_see[] = { "XDG_CONFIG_HOME", "XDG_DATA_HOME",
				       "AMP_SETTINGS_FILE", "AMP_URL", NULL };

static const char *const environment[] = {
	"AMP_SKIP_UPDATE_CHECK=1",
	NULL,
};

/*
 * Its own status commands need the network, and without a login it waits for
 * one in a browser: so it is only started if there seems to be one.
 */
static const char *const credentials[] = {
	"$AMP_API_KEY",
	"~/.local/share/amp/secrets.json",
	"$XDG_DATA_HOME/amp/secrets.json",
	NULL,
};

static const char *const version[] = { "--version", NULL };

/* The modes that it has, each of which is a model and more. */
static const char *const models[] = { "low", "medium", "high", "ultra", NULL };

/* It uses its tools without asking; only rules of its user's own stop it. */
static const char *const permission_modes[] = { "dangerously-allow-all", NULL };

/* Nothing keeps it from AGENTS.md, skills and plugins. */
static const struct harness amp = {
	.tested = "0.0.1790142911",
	.state = sizeof(struct amp),
	.may_see = may_see,
	.environment = environment,
	.permission_modes = permission_modes,
	.loads = LOADS_EVERYTHING,
	.version = version,
	.credentials = credentials,
	.log_in = "set AMP_ENV_AMP_API_KEY, or run amp login",
	.one_shot = true,
	.command = command,
	.greet = greet,
	.say = say,
	.line = amp_line,
	.clear = clear,
	.ended = ended,
	.models = models,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &amp;
}
