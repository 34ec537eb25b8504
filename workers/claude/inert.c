#include "workers/claude/claude.h"

#include "workers/cli/transcript.h"

/*
 * To Claude Code a prompt is something that a person has typed: "@file" in it
 * is a file to read, and "/clear" a command to obey.  With client_composed, and
 * in some versions with text_not_typed, the CLI passes the text on as it is.
 * Both are fields of which only a test can show that a version honours them.
 *
 * With any other version than the tested one, the text is protected by its
 * place as well: the CLI looks for names and commands in the last block of a
 * prompt only, and so the last block is one of ours.
 */

/* The mark that follows the user's blocks: the API wants more than white
 * space. */
#define END_OF_MESSAGE "(end of the message)"

/* Whether a CLI could find anything in the text to act on. */
static bool
may_be_acted_on(struct str text)
{
	while (text.len && strchr(" \t\r\n", *text.ptr))
		text = str_from(text, 1);
	return text.len &&
	       (strchr("/!#", *text.ptr) || memchr(text.ptr, '@', text.len));
}

static bool
any_may_be_acted_on(const json_t *blocks)
{
	const json_t *block;
	size_t i;

	json_array_foreach (blocks, i, block) {
		const json_t *text = json_object_get(block, "text");

		if (may_be_acted_on((struct str){ json_string_value(text),
						  json_string_length(text) }))
			return true;
	}
	return false;
}

json_t *
inert_blocks(const struct conversation *c)
{
	const struct claude *own = c->own;
	json_t *question = transcript_question(c);
	json_t *all = history_blocks(question);

	json_decref(question);
	if (!own->honours_composed && any_may_be_acted_on(all))
		json_array_append_new(all,
				      json_pack("{s:s, s:s}", "type", "text",
						"text", END_OF_MESSAGE));
	return all;
}
