#include "workers/claude/claude.h"

/*
 * The mode hosted-safe.  Claude Code gets no tools but those that look at
 * files, or those of the caller's program instead, and "--restricted", which
 * holds these to the working directory.  It loads nothing of its user's or its
 * project's: no settings, hooks, plugins, skills, commands or MCP servers. What
 * it would ask for it is denied.
 */
void
safe_add(const struct conversation *c, struct words *argv, struct words *env)
{
	static const char *const always[] = {
		"--restricted",
		"--permission-mode",
		"dontAsk",
		"--setting-sources",
		"",
		"--strict-mcp-config",
		"--disable-slash-commands",
	};

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		words_add(argv, always[i]);
	words_add(argv, "--tools");
	words_add(argv,
		  options_replace_tools(&c->options) ? "" : "Read,Glob,Grep");
	words_set(env, "CLAUDE_CODE_DISABLE_AUTO_MEMORY=1");
	words_set(env, "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=1");
	words_set(env, "CLAUDE_CODE_DISABLE_CRON=1");
}
