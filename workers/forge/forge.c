#include "workers/forge/forge.h"

#include <ctype.h>
#include <sys/wait.h>

#include "workers/cli/failure.h"
#include "workers/cli/transcript.h"

/* `model` is "provider/model", and is set by variables. */
static bool
add_model(const struct conversation *c, struct words *env, struct error *e)
{
	auto_free char *provider = NULL, *model = NULL;
	struct str rest, name;

	if (!c->model)
		return true;
	name = str_cut(str_of(c->model), '/', &rest);
	if (!is_plain_model(c->model) || !name.len || !rest.len)
		return fail_with(e, ERR_NO_MODEL,
				 "forge: a model is \"provider/model\"");
	provider = copy_format("FORGE_SESSION__PROVIDER_ID=" STR_FMT,
			       STR_ARG(name));
	model = copy_format("FORGE_SESSION__MODEL_ID=" STR_FMT, STR_ARG(rest));
	words_set(env, provider);
	words_set(env, model);
	return true;
}

/*
 * forge begins a conversation that it does not know under the given id.  It
 * takes no system prompt and no history, so they go before the first message
 * as text.
 */
static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
{
	bool is_restricted = !strcmp(c->permission_mode, "restricted");
	struct forge *f = c->own;

	f->preface = transcript_preface(c);

	words_add(argv, "--conversation-id");
	words_add(argv, c->cli_id);
	words_set(env, is_restricted ? "FORGE_RESTRICTED=true"
				     : "FORGE_RESTRICTED=false");
	return add_model(c, env, e);
}

/* forge says nothing before it has read its input, so it counts as ready. */
static void
handshake(struct conversation *c)
{
	conversation_ready(c);
}

/*
 * "@[file]" anywhere in a prompt makes forge read a file, and there is no way
 * to escape it.  So a space is put between the two characters.
 */
static void
write_inert(struct conversation *c, struct str s)
{
	const char *at;

	while (s.len && (at = memmem(s.ptr, s.len, "@[", 2))) {
		struct str before = { s.ptr, (size_t)(at - s.ptr) + 1 };

		conversation_write(c, before);
		conversation_write(c, STR(" "));
		s = str_from(s, before.len);
	}
	conversation_write(c, s);
}

static bool
say_text(void *to, const json_t *part, struct error *e)
{
	write_inert(to, json_str(part, "text"));
	conversation_write(to, STR("\n"));
	return true;
}

/* forge takes text only. */
static void
say(struct conversation *c)
{
	static const struct part_handlers handlers = { .text = say_text };
	const struct forge *f = c->own;
	struct error e = { 0 };
	json_t *question = transcript_question(c);

	if (parts_say(f->preface, &handlers, c, &e) &&
	    parts_say(question, &handlers, c, &e))
		conversation_end_input(c);
	else
		conversation_abort(
			c, &e); /* forge must not answer half of a prompt */
	json_decref(question);
}

static void
clear(struct conversation *c)
{
	struct forge *f = c->own;

	json_decref(f->preface);
	memset(f, 0, sizeof *f);
}

/* The end of the process */

/* forge tells of failures in words for people only. */
static const struct failure_word phrases[] = {
	{ "*provider configured", ERR_LOGIN },
	{ "*model configured", ERR_LOGIN },
	{ "login again", ERR_LOGIN },
	{ NULL, ERR_NONE },
};

static const struct failure_table table = {
	.cli = "forge",
	.phrases = phrases,
	.log_in = "run forge provider login",
};

static void
explain(const char *words, struct error *e)
{
	const struct failure f = { .words = words };
	const char *at = strstr(words, "ERROR: ");

	failure_tell(e, failure_code(&table, &f), &table,
		     str_of(at ? at + strlen("ERROR: ") : words));
}

static bool
ended_well(const struct forge *f, int status)
{
	return f->has_finished && f->has_text && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

/*
 * forge exits with 0 even if it has failed; then its standard error says why.
 * It says that it has finished before it has stored the conversation.
 */
static void
ended(struct conversation *c, int status, struct str last_words,
      struct error *e)
{
	const struct forge *f = c->own;
	auto_free char *words = forge_plain(last_words);

	if (f->has_forgotten)
		fail_with(e, ERR_HARNESS,
			  "forge has lost the conversation, and begun another");
	else if (ended_well(f, status))
		conversation_finish(c, FINISH_STOP, NULL, c->model);
	else if (WIFSIGNALED(status))
		return;
	else if (*words || f->failure[0])
		explain(*words ? words : f->failure, e);
	else if (f->has_finished)
		fail_with(e, ERR_HARNESS,
			  "forge: the answer is empty (no stream output)");
	else
		fail_with(e, ERR_TRUNCATED,
			  "forge ended before its answer "
			  "did");
}

static const char *const may_see[] = { "FORGE_CONFIG", NULL };

/*
 * Colours tell thoughts from answers.  An update would end the process with 0
 * before it has read its prompt.  Retries could take minutes.
 */
static const char *const environment[] = {
	"CLICOLOR_FORCE=1",
	"FORGE_UPDATES__AUTO_UPDATE=false",
	"FORGE_TRACKER=false",
	"FORGE_RETRY__MAX_ATTEMPTS=1",
	"FORGE_RETRY__SUPPRESS_ERRORS=false",
	NULL,
};

static const char *const credentials[] = {
	"~/forge/.credentials.json",
	"~/.forge/.credentials.json",
	"$FORGE_CONFIG/.credentials.json",
	NULL,
};

static const char *const version[] = { "--version", NULL };
static const char *const models[] = { "default", NULL };
static const char *const permission_modes[] = { "unrestricted", "restricted",
						NULL };

/* forge has no option to leave out AGENTS.md and its user's agents and skills.
 */
static const struct harness forge = {
	.can = FORGE_CAN,
	.own = sizeof(struct forge),
	.may_see = may_see,
	.environment = environment,
	.permission_modes = permission_modes,
	.loads = LOADS_EVERYTHING,
	.version = version,
	.credentials = credentials,
	.log_in = "run forge provider login",
	.command = command,
	.handshake = handshake,
	.say = say,
	.line = forge_line,
	.clear = clear,
	.ended = ended,
	.models = models,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &forge;
}
