#include "word_harness.h"

static bool
command(struct conversation *c, struct words *argv, struct words *env,
	struct error *e)
{
	return true;
}

static bool
instance_command(struct instance *inst, struct words *argv, struct words *env,
		 struct error *e)
{
	return true;
}

static void
tell(struct conversation *c, const char *word)
{
	auto_free char *text = c->pool->harness->shares
				       ? copy_format("%s %s\n", c->cli_id, word)
				       : copy_format("%s\n", word);

	conversation_write(c, str_of(text));
}

static void
handshake(struct conversation *c)
{
	tell(c, c->resumed ? "resume" : "open");
}

static void
say(struct conversation *c)
{
	tell(c, "say");
}

static void
interrupt(struct conversation *c)
{
	tell(c, "stop");
}

static void
close_it(struct conversation *c)
{
	tell(c, "close");
}

static bool
hear(struct conversation *c, struct str word, struct error *e)
{
	struct error stopped = { 0 };

	fail_with(&stopped, ERR_HARNESS, "it was stopped");
	if (str_is(word, "ready"))
		conversation_ready(c);
	else if (str_is(word, "lost"))
		conversation_lost(c);
	else if (str_is(word, "end"))
		conversation_finish(c, FINISH_STOP, NULL, NULL);
	else if (str_is(word, "stopped"))
		conversation_fail(c, &stopped);
	else if (str_is(word, "alone"))
		conversation_speaks_alone(c);
	else if (str_is(word, "silent"))
		conversation_falls_silent(c);
	else if (str_is(word, "nonsense"))
		return fail_with(e, ERR_HARNESS, "it speaks nonsense");
	else
		conversation_text(c, word);
	return true;
}

static void
instance_handshake(struct instance *inst)
{
	instance_write(inst, STR("hello\n"));
}

static bool
instance_line(struct instance *inst, struct str line, struct error *e)
{
	struct str word, id = str_cut(line, ' ', &word);
	auto_free char *cli_id = copy(id);
	struct conversation *c = instance_conversation(inst, cli_id);

	if (str_is(line, "up"))
		instance_ready(inst);
	else if (c)
		return hear(c, word, e);
	return true;
}

static const char *const none[] = { NULL };
static const char *const modes[] = { "default", NULL };

struct harness harness;

const struct harness *
harness_of(const char *name, struct error *e)
{
	return &harness;
}

void
word_harness_is(bool shared)
{
	harness = (struct harness){ .can = CAN_WARMTH,
				    .permission_modes = modes,
				    .models = none,
				    .loads = LOADS_EVERYTHING,
				    .command = command,
				    .handshake = handshake,
				    .say = say,
				    .interrupt = interrupt,
				    .line = hear };
	if (!shared)
		return;
	harness.shares = 4;
	harness.instance_command = instance_command;
	harness.instance_handshake = instance_handshake;
	harness.instance_line = instance_line;
	harness.close = close_it;
}

void
word_cli_opens(struct fake_cli *cli, struct str line)
{
	struct str word, id = str_cut(line, ' ', &word);
	auto_free char *ready = copy_format(STR_FMT " ready", STR_ARG(id));

	if (str_is(line, "open") || str_is(line, "resume"))
		fake_cli_says(cli, "ready");
	else if (str_is(line, "hello"))
		fake_cli_says(cli, "up");
	else if (str_is(word, "open"))
		fake_cli_says(cli, ready);
}
