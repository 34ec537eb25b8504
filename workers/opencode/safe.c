#include "workers/opencode/opencode.h"

#include <unistd.h>

#include "proto/limits.h"

/*
 * The mode hosted-safe.  Rules of the session, which count before all others,
 * take every tool away but those that look at files, and hold these to the
 * working directory.  The server's configuration starts no programs: neither
 * the user's MCP servers nor plugins, language servers and formatters.  The
 * project's configuration is not read.  The user's is, for it has the
 * providers.
 */

/* The user's configuration */

/* Where a comment that begins at `at` ends; NULL: none begins there. */
static const char *
end_of_comment(const char *at, const char *end)
{
	const char *found;

	if (end - at < 2 || at[0] != '/' || (at[1] != '/' && at[1] != '*'))
		return NULL;
	found = at[1] == '/' ? memchr(at, '\n', (size_t)(end - at))
			     : memmem(at + 2, (size_t)(end - at) - 2, "*/", 2);
	if (!found)
		return end;
	return found + (at[1] == '*' ? 2 : 0);
}

static const char *
end_of_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at < end ? at + 1 : end;
}

/* In place, which makes it JSON: comments and commas at the end of a list. */
static void
strip_comments(struct buf *b)
{
	char *to = b->ptr;
	const char *at = b->ptr, *end = b->ptr + b->len;

	while (at < end) {
		const char *next = end_of_comment(at, end);

		if (next) {
			at = next;
			continue;
		}
		if (*at == '}' || *at == ']') {
			char *last = to;

			while (last > b->ptr && strchr(" \t\r\n", last[-1]))
				last--;
			if (last > b->ptr && last[-1] == ',')
				last[-1] = ' ';
		}
		next = *at == '"' ? end_of_string(at, end) : at + 1;
		memmove(to, at, (size_t)(next - at));
		to += next - at;
		at = next;
	}
	b->len = (size_t)(to - b->ptr);
}

static bool
read_all(int fd, struct buf *text, struct error *e)
{
	char piece[16 << 10];
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) > 0)
		if (!buf_add(text, (struct str){ piece, (size_t)n }, e))
			return false;
	return n == 0 || fail_errno(e, "read");
}

/* Switches off the MCP servers in `theirs`. */
static void
switch_off(json_t *config, const json_t *theirs)
{
	json_t *servers = json_object_get(config, "mcp"), *server;
	const char *name;

	json_object_foreach (json_object_get(theirs, "mcp"), name, server)
		json_object_set_new(servers, name,
				    json_pack("{s:b}", "enabled", 0));
}

/* Of one file, which need not be there. */
static bool
switch_off_in(const struct instance *inst, const char *path, json_t *config,
	      struct error *e)
{
	struct buf text = BUF_INIT(MAX_LINE);
	int fd = inst->executor->open(inst->executor, path);
	json_t *theirs = NULL;
	bool ok;

	if (fd < 0)
		return true;
	ok = read_all(fd, &text, e);
	close(fd);
	if (ok) {
		strip_comments(&text);
		theirs = json_loadb(text.ptr ? text.ptr : "", text.len,
				    JSON_ALLOW_NUL, NULL);
		ok = theirs || !text.len ||
		     fail_with(e, ERR_NOT_SET_UP,
			       "opencode: %s is not valid JSON, so its MCP "
			       "servers cannot be switched off for the mode %s",
			       path, mode_name(MODE_SAFE));
	}
	switch_off(config, theirs);
	json_decref(theirs);
	buf_fini(&text);
	return ok;
}

/* The caller frees it; NULL: there is no such directory. */
static char *
directory_in(const struct words *env, const char *variable, const char *below)
{
	const char *value = words_value(env, variable);

	return value ? copy_format("%s%s", value, below) : NULL;
}

static bool
switch_off_below(const struct instance *inst, char *directory, json_t *config,
		 struct error *e)
{
	static const char *const names[] = { "config.json", "opencode.json",
					     "opencode.jsonc" };
	bool ok = true;

	for (size_t i = 0; directory && ok && i < sizeof names / sizeof *names;
	     i++) {
		auto_free char *path =
			copy_format("%s/%s", directory, names[i]);

		ok = switch_off_in(inst, path, config, e);
	}
	free(directory);
	return ok;
}

bool
safe_configure(const struct instance *inst, json_t *config, struct words *env,
	       struct error *e)
{
	const char *file = words_value(env, "OPENCODE_CONFIG");
	json_t *theirs = json_deep_copy(config);
	bool ok;

	words_set(env, "OPENCODE_DISABLE_PROJECT_CONFIG=1");
	words_set(env, "OPENCODE_DISABLE_CLAUDE_CODE=1");
	words_set(env, "OPENCODE_DISABLE_EXTERNAL_SKILLS=1");
	words_set(env, "OPENCODE_PURE=1");
	json_object_set_new(config, "lsp", json_false());
	json_object_set_new(config, "formatter", json_false());
	json_object_set_new(config, "mcp", json_object());
	switch_off(config, theirs);
	json_decref(theirs);
	ok = !file || switch_off_in(inst, file, config, e);
	return ok &&
	       switch_off_below(inst,
				directory_in(env, "OPENCODE_CONFIG_DIR", ""),
				config, e) &&
	       switch_off_below(
		       inst, directory_in(env, "XDG_CONFIG_HOME", "/opencode"),
		       config, e) &&
	       switch_off_below(inst,
				directory_in(env, "HOME", "/.config/opencode"),
				config, e) &&
	       switch_off_below(inst, directory_in(env, "HOME", "/.opencode"),
				config, e) &&
	       switch_off_below(inst, copy(STR("/etc/opencode")), config, e);
}
