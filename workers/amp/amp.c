#include "workers/amp/amp.h"

#include <signal.h>
#include <sys/wait.h>

#include "workers/cli/transcript.h"

/* The cloud names a new thread.  amp takes no system prompt and no history, so
 * they go before the first message as text. */
static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
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

	struct amp *a = c->own;

	a->preface = transcript_preface(c);
	if (c->resumed) {
		words_add(argv, "threads");
		words_add(argv, "continue");
		words_add(argv, c->cli_id);
	}
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		words_add(argv, always[i]);
	if (c->kept)
		words_add(argv, "--no-archive-after-execute");
	if (!c->model)
		return true;
	if (!is_plain_model(c->model))
		return fail_with(e, ERR_NO_MODEL,
				 "amp: it has no mode of that name");
	words_print(argv, "--mode=%s", c->model);
	return true;
}

/* amp says nothing before it has read its input, so it counts as ready. */
static void
handshake(struct conversation *c)
{
	conversation_ready(c);
}

/* amp's input takes text only. */
static json_t *
blocks_of(struct conversation *c, struct error *e)
{
	static const struct part_handlers handlers = { .text = part_append };
	const json_t *preface = ((struct amp *)c->own)->preface;
	json_t *blocks = json_array(), *question = transcript_question(c);
	bool ok = parts_say(preface, &handlers, blocks, e) &&
		  parts_say(question, &handlers, blocks, e);

	json_decref(question);
	if (ok)
		return blocks;
	json_decref(blocks);
	return NULL;
}

static void
say(struct conversation *c)
{
	struct error e = { 0 };
	json_t *blocks = blocks_of(c, &e);

	if (!blocks) {
		conversation_fail(c, &e);
		return;
	}
	conversation_write_json(c, json_pack("{s:s, s:{s:s, s:o}}", "type",
					     "user", "message", "role", "user",
					     "content", blocks));
	conversation_end_input(c);
}

static void
clear(struct conversation *c)
{
	struct amp *a = c->own;

	json_decref(a->preface);
	memset(a, 0, sizeof *a);
}

/*
 * Why amp could not begin, it says on its standard error.  A thread that it
 * could not go on with for a reason that no table knows is lost: the session
 * would fail in the same way for ever.
 */
static void
ended(struct conversation *c, int status, struct str last_words,
      struct error *e)
{
	const struct amp *a = c->own;

	if (WIFSIGNALED(status))
		return;
	if (!last_words.len) {
		fail_with(e, ERR_TRUNCATED, "amp ended before its answer did");
		return;
	}
	amp_explain(last_words, e);
	if (c->resumed && !a->has_begun && e->code == ERR_HARNESS)
		conversation_lost(c);
}

static const char *const may_see[] = { "XDG_CONFIG_HOME", "XDG_DATA_HOME",
				       "AMP_SETTINGS_FILE", "AMP_URL", NULL };

static const char *const environment[] = {
	"AMP_SKIP_UPDATE_CHECK=1",
	NULL,
};

/*
 * amp's status commands need the network, and without a login it waits for one
 * in a browser.  So it is started only if there is a sign of a login.
 */
static const char *const credentials[] = {
	"$AMP_API_KEY",
	"~/.local/share/amp/secrets.json",
	"$XDG_DATA_HOME/amp/secrets.json",
	NULL,
};

static const char *const version[] = { "--version", NULL };

/* amp's modes: each stands for a model and its settings. */
static const char *const models[] = { "low", "medium", "high", "ultra", NULL };

/* amp uses its tools without asking; only its user's own rules stop it. */
static const char *const permission_modes[] = { "dangerously-allow-all", NULL };

/* amp has no option to leave out AGENTS.md, skills and plugins. */
static const struct harness amp = {
	.tested = "0.0.1790142911",
	.can = AMP_CAN,
	.own = sizeof(struct amp),
	.may_see = may_see,
	.environment = environment,
	.permission_modes = permission_modes,
	.loads = LOADS_EVERYTHING,
	.version = version,
	.credentials = credentials,
	.log_in = "set AMP_ENV_AMP_API_KEY, or run amp login",
	.command = command,
	.handshake = handshake,
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
