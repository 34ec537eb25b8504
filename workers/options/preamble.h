#pragma once
/*
 * preamble - what of a profile is told to the model in words
 *
 * The same profile has the same preamble, byte for byte, for ever: callers and
 * vendors' caches rely on it, and tests hold each to a file.  Sections that are
 * empty are left out; between two stands one blank line:
 *
 *   <systemPrompt, or prompt.systemPrompt, without white space around it>
 *   Caller-declared skills for this session: a, b
 *   Caller-declared MCP servers for this session: x, y
 *   Caller-declared resources for this session: files, skills
 *   Requested permission posture: edit=deny, bash=allow
 *   <prompt.appendSystemPrompt>
 *   <prompt.instructions>
 *   <resources.instructions>
 *   Requested tools: bash=off, web=on, git(push *)=deny
 *   <which files there are, and where>
 *
 * What the harness takes in its own way is not in it.
 */
#include "workers/options/profile.h"

/*
 * The caller frees it; NULL: there is nothing to tell.  `directory` is where
 * the profile's files are; NULL: nowhere.
 */
char *preamble_of(const json_t *profile, const struct profile_takes *,
		  const char *directory);
