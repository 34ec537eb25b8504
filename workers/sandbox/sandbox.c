#include "workers/sandbox/sandbox.h"

#include "proto/provider.h"
#include "proto/variables.h"
#include "workers/cli/transcript.h"

/* Whose authorization the service gets: the caller's, if the request has one,
 * or else the key.  The caller frees it; NULL on failure. */
static char *
authorization_for(const struct options *o, struct error *e)
{
	const char *forwarded = o->authorization;
	struct str key = variable_value("SANDBOX_API_KEY");

	for (const char *s = forwarded; s && *s; s++)
		if (*s < ' ' || *s > '~') {
			fail_about(e, ERR_INVALID,
				   "X-Tangle-Forwarded-Authorization: has a "
				   "character that no header can have");
			return NULL;
		}
	if (forwarded)
		return copy(str_of(forwarded));
	if (key.len && provider_check_key("SANDBOX_API_KEY", key, e))
		return copy_format("Bearer " STR_FMT, STR_ARG(key));
	if (!key.len)
		fail_with(e, ERR_NOT_SET_UP,
			  "SANDBOX_API_KEY is not set, and the request has no "
			  "X-Tangle-Forwarded-Authorization: one of them is "
			  "the authorization that the sandbox service gets");
	return NULL;
}

/* What of "Bearer abc" is no word that anybody may see. */
static struct str
secret_in(const char *authorization)
{
	struct str rest, scheme = str_cut(str_of(authorization), ' ', &rest);

	return rest.len ? str_trim(rest) : scheme;
}

static bool
check(const struct options *o, struct error *e)
{
	struct str harness = profile_text(o->profile, "harness");
	auto_free char *authorization = NULL;

	if (!provider_check_url("SANDBOX_API_URL",
				variable_value("SANDBOX_API_URL"), e))
		return false;
	if (!o->profile)
		return fail_about(e, ERR_INVALID,
				  "agent_profile: sandbox needs a profile: "
				  "give one, or write sandbox/<id> for one of "
				  "the catalogue");
	if (harness.len && !str_is(harness, "sandbox") &&
	    !str_is(harness, "opencode"))
		return fail_about(e, ERR_INVALID,
				  "agent_profile.harness: is " STR_FMT
				  ", and the agents of sandbox are opencode's",
				  STR_ARG(harness));
	authorization = authorization_for(o, e);
	return authorization != NULL;
}

static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
{
	struct sandbox *s = c->own;

	s->sse = SSE_INIT;
	s->said = HASH_INIT;
	s->preface = transcript_preface(c);
	return check(&c->options, e);
}

/* A conversation that was told nothing yet cannot be gone on with. */
static void
handshake(struct conversation *c)
{
	if (c->resumed)
		conversation_lost(c);
	else
		conversation_ready(c);
}

/* The parts are text: the harness takes no others. */
static json_t *
message_of(const struct conversation *c)
{
	const struct sandbox *s = c->own;
	json_t *all = json_copy(s->preface), *text;
	json_t *question = transcript_question(c);

	json_array_extend(all, question);
	text = transcript_text(all);
	json_decref(question);
	json_decref(all);
	return text;
}

static json_t *
body_of(const struct conversation *c)
{
	return json_pack("{s:[{s:s, s:o}], s:{s:s, s:O}, s:s, s:b}", "tasks",
			 "id", c->cli_id, "message", message_of(c), "backend",
			 "type", "opencode", "profile", c->options.profile,
			 "scalingMode", "balanced", "persistent", c->kept);
}

static void
say(struct conversation *c)
{
	struct sandbox *s = c->own;
	struct str base = variable_value("SANDBOX_API_URL");
	auto_free char *url = NULL, *authorization = NULL;
	struct error e = { 0 };

	if (!check(&c->options, &e)) { /* the environment is another one now */
		conversation_abort(c, &e);
		return;
	}
	while (base.ptr[base.len - 1] == '/')
		base.len--;
	url = copy_format(STR_FMT "/batch/run", STR_ARG(base));
	authorization = authorization_for(&c->options, &e);
	s->secret = copy(secret_in(authorization));
	s->is_forwarded = c->options.authorization != NULL;
	conversation_write_json(c, json_pack("{s:s, s:s}", "url", url,
					     "authorization", authorization));
	conversation_write_json(c, body_of(c));
	conversation_end_input(c);
}

static void
clear(struct conversation *c)
{
	struct sandbox *s = c->own;

	json_decref(s->preface);
	free(s->secret);
	sse_fini(&s->sse);
	memset(s, 0, sizeof *s);
}

static const char *const permission_modes[] = { "all", NULL };
static const char *const reach[] = { "health", NULL };
static const char *const models[] = { NULL };

static const struct harness sandbox = {
	.can = SANDBOX_CAN,
	.takes = &profile_takes[SANDBOX_TAKES],
	.own = sizeof(struct sandbox),
	.is_remote = true,
	.forgets = true,
	.check = check,
	.permission_modes = permission_modes,
	.loads = LOADS_NOTHING | LOADS_PROJECT | LOADS_EVERYTHING,
	.reach = reach,
	.log_in = "set SANDBOX_API_KEY to a key that the service takes",
	.command = command,
	.handshake = handshake,
	.say = say,
	.line = sandbox_line,
	.clear = clear,
	.models = models,
};

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &sandbox;
}
