#pragma once
/*
 * persona - who the agent of a conversation is told to be
 *
 * It is made of the conversation's profile, as its harness takes it, and of the
 * system prompt in the messages.  What the CLI says of itself comes first, or
 * the profile's system prompt in its place; then the preamble, then the system
 * prompt in the messages.
 *
 * The files of a profile are in a directory below the executor's scratch, which
 * nobody else can read.  Its name is the same whenever the session goes on
 * under the same profile, for the model may remember it.  It is made with the
 * conversation and goes with it, unless another conversation of the same
 * session has it by then.
 */
#include "workers/cli/harness.h"

struct session;

struct persona {
	char *system; /* is added to what the CLI says; NULL: nothing */
	size_t system_len;
	char *instead;	 /* takes its place; NULL: nothing does */
	char *directory; /* of the profile's files; NULL: there are none */
};

/* For a conversation of the session in the place.  Needs persona_fini(). */
void persona_find(struct persona *, const struct harness *,
		  const struct options *, const struct session *,
		  const struct executor *place);
void persona_fini(struct persona *);

/* The files of the conversation's profile. */
must_check bool persona_write_files(const struct conversation *,
				    struct error *);
void persona_remove_files(const struct conversation *);

/* What has become of the parts of the profile, as profile_receipt() has it. */
json_t *persona_receipt(const struct options *, const struct harness *);

/* Parts of a profile that are given to the CLI as files it may run. */
#define PERSONA_PROGRAMS (TAKES_SKILLS | TAKES_AGENTS | TAKES_COMMANDS)

/* Whether the profile agrees with what the request asks for: a harness, a model
 * and an effort. */
must_check bool persona_agrees(const struct options *, const char *harness,
			       const char *model, struct error *);

/* The model that the profile names, as the harness knows it, among `models`,
 * which may be NULL; the caller frees it.  NULL: it names none. */
char *persona_model(const json_t *profile, const char *harness,
		    const json_t *models);
