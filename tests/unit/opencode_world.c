#include "tests/unit/opencode_world.h"

#include "tests/unit/http_notes.h"

const char providers[] =
	"{\"providers\":[{\"id\":\"opencode\",\"options\":{\"apiKey\":"
	"\"public\"},\"models\":{\"free\":{}}},{\"id\":\"fake\",\"options\":{},"
	"\"models\":{\"fake-model\":{},\"org/slashed\":{}}}],"
	"\"default\":{\"opencode\":\"free\",\"fake\":\"fake-model\"}}";

struct server server;
struct opencode state;
static struct loop loop;
static struct executor executor;

struct instance agent = { .name = "opencode",
			  .executor = &executor,
			  .workspace = "/w",
			  .scratch = "/scratch",
			  .permission_mode = "allow",
			  .loads = LOADS_EVERYTHING,
			  .loop = &loop,
			  .own = &server };
struct conversation talk = { .instance = &agent, .own = &state };
struct words argv, env;

const struct harness *
harness(void)
{
	struct error e;

	return harness_of(agent.name, &e);
}

/* The server has been started, and has told of its models. */
void
start(const char *models)
{
	auto_free char *line = NULL;

	must(harness()->instance_command(&agent, &argv, &env, &e));
	line = copy_format("opencode server listening on %s", server.origin);
	must(harness()->instance_line(&agent, str_of(line), &e));
	assert_true(http_notes_line(STR("data: {\"payload\":{\"type\":"
					"\"server.connected\"}}")));
	assert_true(http_notes_answer(200, str_of(models)));
	json_object_set_new(server.prepared, "/w", json_true());
}

void
end(void)
{
	harness()->clear(&talk);
	harness()->instance_clear(&agent);
	words_fini(&argv);
	words_fini(&env);
	notes_clear();
	json_decref((json_t *)talk.messages);
	talk = (struct conversation){ .instance = &agent,
				      .permission_mode = agent.permission_mode,
				      .cwd = "/w",
				      .cli_id = "a uuid",
				      .kept = true,
				      .own = &state };
	notes_talk = &talk;
}

int
setup(void **state_)
{
	agent.permission_mode = "allow";
	agent.loads = LOADS_EVERYTHING;
	end();
	return 0;
}

int
teardown(void **state_)
{
	end();
	return 0;
}

/* A session that is open, so that a turn can be said. */
void
open_session(const char *id)
{
	auto_free char *made = copy_format("{\"id\":\"%s\"}", id);

	start(providers);
	harness()->handshake(&talk);
	assert_true(http_notes_answer(200, str_of(made)));
	assert_true(http_notes_answer(200, STR("{\"model\":\"fake/x\"}")));
	notes_clear();
}

void
say(const char *text)
{
	json_decref((json_t *)talk.messages);
	talk.messages = json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user",
				  "content", "type", "text", "text", text);
	talk.from = 0;
	talk.turns++;
	harness()->say(&talk);
}

void
hear_event(struct str json)
{
	struct buf line = BUF_INIT(MAX_LINE);

	must(buf_add(&line, STR("data: "), &e));
	must(buf_add(&line, json, &e));
	(void)http_notes_line(buf_str(&line));
	buf_fini(&line);
}
