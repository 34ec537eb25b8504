#include "workers/pi/pi.h"

#include "workers/options/tools.h"

/*
 * The caller's tools are those of an extension that we write for the
 * conversation.  What runs a tool there asks us for its result in the way in
 * which an extension asks its user something: in a line of pi's, which we
 * answer in a line of ours, however long that takes.  So it needs no address
 * of ours, and no clock runs.
 *
 * pi tells all calls of a message before it runs any of them, and those that
 * it does not run, since their arguments are not as the schema has them.  The
 * others end the response once all of them have asked.
 */

#define READY "client_tools" /* the name of the extension's state */
#define ASKS "client_tool"   /* the title of its questions */

enum { MAX_NAME_LEFT = 64 /* that every vendor takes */ };

/* pi does not say why an extension's tool lost its name to another's. */
static const char extension[] =
	"export default pi => {\n"
	"  const failed = new Set();\n"
	"  for (const { name, description, parameters } of tools)\n"
	"    pi.registerTool({\n"
	"      name, label: name, description, parameters,\n"
	"      async execute(id, args, signal, update, ctx) {\n"
	"        const said = await ctx.ui.input('" ASKS "', id, { signal });\n"
	"        if (said === undefined)\n"
	"          throw new Error('nobody has run it');\n"
	"        const { content, is_error } = JSON.parse(said);\n"
	"        if (is_error)\n"
	"          failed.add(id);\n"
	"        return { content, details: undefined };\n"
	"      },\n"
	"    });\n"
	"  pi.on('tool_result', ({ toolCallId: id }) => failed.delete(id) ? { "
	"isError: true } : undefined);\n"
	"  pi.on('session_start', (event, ctx) => {\n"
	"    const has = new Map(pi.getAllTools().map(tool => [tool.name, "
	"tool.sourceInfo.path]));\n"
	"    const lost = tools.filter(({ name }) => "
	"!has.get(name)?.endsWith(file)).map(({ name }) => name);\n"
	"    ctx.ui.setStatus('" READY
	"', lost.length ? lost.join(', ') : 'ready');\n"
	"  });\n"
	"};\n";

static const json_t *
tool_told(const struct conversation *c, const char *name)
{
	return name ? tools_find_told(c->options.tools, name, MAX_NAME_LEFT)
		    : NULL;
}

bool
pi_is_callers(const struct conversation *c, const char *name)
{
	return tool_told(c, name) != NULL;
}

/* Its file */

static json_t *
list_of(const struct conversation *c)
{
	json_t *all = json_array();
	const json_t *tool;
	size_t i;

	json_array_foreach (c->options.tools, i, tool) {
		json_t *told = json_copy((json_t *)tool);
		auto_free char *name =
			tool_told_name(json_text(tool, "name"), MAX_NAME_LEFT);

		json_object_set_new(told, "name", json_string(name));
		json_array_append_new(all, told);
	}
	return all;
}

static bool
write_extension(struct conversation *c, struct error *e)
{
	struct pi *p = c->own;
	struct executor *x = c->executor;
	json_t *tools = list_of(c);
	auto_free char *list = json_dumps(tools, JSON_COMPACT);
	auto_free char *file = copy_format("%s.mjs", c->cli_id);
	auto_free char *text = copy_format("const file = '%s', tools = %s;\n%s",
					   file, list ? list : "[]", extension);

	json_decref(tools);
	free(p->extension);
	p->extension = copy_format("%s/%s", c->scratch, file);
	return x->write(x, p->extension, str_of(text), e);
}

/* The names of `more`, and of the caller's tools: nothing else is there. */
static void
allow_only(const struct conversation *c, const char *more, struct words *argv)
{
	struct buf names = BUF_INIT(MAX_LINE);
	const json_t *tool;
	size_t i;

	buf_print(&names, "%s", more);
	json_array_foreach (c->options.tools, i, tool) {
		auto_free char *name =
			tool_told_name(json_text(tool, "name"), MAX_NAME_LEFT);

		buf_print(&names, "%s%s", names.len ? "," : "", name);
	}
	if (names.len) {
		words_add(argv, "--tools");
		words_print(argv, STR_FMT, STR_ARG(buf_str(&names)));
	} else {
		words_add(argv, "--no-tools");
	}
	buf_fini(&names);
}

bool
pi_add_tools(struct conversation *c, struct words *argv, struct error *e)
{
	bool only_reads = c->options.mode == MODE_SAFE ||
			  !strcmp(c->permission_mode, "read-only");

	if (options_replace_tools(&c->options) ||
	    (!only_reads && !strcmp(c->permission_mode, "no-tools")))
		allow_only(c, "", argv);
	else if (only_reads)
		allow_only(c, "read,grep,find,ls", argv);
	if (!json_array_size(c->options.tools))
		return true;
	if (!write_extension(c, e))
		return false;
	words_add(argv, "--extension");
	words_add(argv, ((const struct pi *)c->own)->extension);
	return true;
}

/* What the extension says */

bool
pi_hears_state(struct conversation *c, const json_t *line)
{
	struct pi *p = c->own;
	const char *key = json_text(line, "statusKey");

	if (!key || strcmp(key, READY) != 0)
		return false;
	free(p->tools_state);
	p->tools_state = copy(json_str(line, "statusText"));
	return true;
}

static bool
fail_taken(const char *what, struct error *e)
{
	return fail_about(e, ERR_CONFLICT,
			  "tools: an extension of pi's has a tool of the same "
			  "name: %.300s",
			  what);
}

/* Without them pi would take a call of one for a call of its own tool of that
 * name. */
bool
pi_has_tools(const struct conversation *c, struct error *e)
{
	const struct pi *p = c->own;

	if (!json_array_size(c->options.tools))
		return true;
	if (!p->tools_state)
		return fail_with(e, ERR_HARNESS,
				 "pi: it has not loaded the caller's tools");
	return !strcmp(p->tools_state, "ready") ||
	       fail_taken(p->tools_state, e);
}

/* It does not start with extensions that have a tool of the same name. */
void
pi_ended(struct conversation *c, int status, struct str words, struct error *e)
{
	static const char conflict[] = "conflicts with";

	if (json_array_size(c->options.tools) && words.len &&
	    memmem(words.ptr, words.len, conflict, sizeof conflict - 1)) {
		auto_free char *said = copy(words);

		(void)fail_taken(said, e);
	}
}

/* Calls */

void
pi_note_call(struct conversation *c, const json_t *line)
{
	struct pi *p = c->own;
	const char *id = json_text(line, "toolCallId");
	const json_t *tool = tool_told(c, json_text(line, "toolName"));
	auto_free char *arguments =
		json_dumps(json_object_get(line, "args"), JSON_COMPACT);

	if (!id)
		return;
	if (!p->calls)
		p->calls = json_object();
	json_object_set_new(p->calls, id,
			    json_pack("{s:s, s:O, s:s}", "cli", id, "name",
				      json_object_get(tool, "name"),
				      "arguments",
				      arguments ? arguments : "{}"));
}

static void
park_if_complete(struct conversation *c)
{
	struct pi *p = c->own;
	json_t *call, *all = json_array();
	const char *id;

	json_object_foreach (p->calls, id, call) {
		if (!json_object_get(call, "question")) {
			json_decref(all);
			return;
		}
		json_array_append(all, call);
	}
	if (json_array_size(all) && p->is_busy && !p->is_stopped &&
	    !p->why.code)
		conversation_park(c, all, &p->usage,
				  p->model[0] ? p->model : NULL);
	else
		json_decref(all);
}

void
pi_forget_call(struct conversation *c, const json_t *line)
{
	struct pi *p = c->own;
	const char *id = json_text(line, "toolCallId");

	if (id && json_object_del(p->calls, id) == 0)
		park_if_complete(c);
}

bool
pi_hears_call(struct conversation *c, const json_t *line)
{
	struct pi *p = c->own;
	const char *title = json_text(line, "title");
	const char *id = json_text(line, "placeholder");
	json_t *call = id ? json_object_get(p->calls, id) : NULL;

	if (!call || !title || strcmp(title, ASKS) != 0)
		return false;
	json_object_set(call, "question", json_object_get(line, "id"));
	park_if_complete(c);
	return true;
}

/* Results */

static bool
say_image(void *to, const json_t *part, struct error *e)
{
	json_array_append_new(to, pi_image(part));
	return true;
}

/* NULL on failure. */
static char *
told_of(const json_t *result, struct error *e)
{
	static const struct part_handlers handlers = { .text = part_append,
						       .image = say_image };
	json_t *content = json_array(), *told;
	bool ok = parts_say(json_object_get(result, "content"), &handlers,
			    content, e);
	char *text;

	told = json_pack("{s:o, s:b}", "content", content, "is_error",
			 json_is_true(json_object_get(result, "is_error")));
	text = ok ? json_dumps(told, JSON_COMPACT) : NULL;
	json_decref(told);
	return text;
}

static bool
give_result(struct conversation *c, const json_t *result, struct error *e)
{
	struct pi *p = c->own;
	const char *id = json_text(result, "id");
	json_t *call = json_object_get(p->calls, id);
	json_t *question = json_incref(json_object_get(call, "question"));
	auto_free char *told = told_of(result, e);

	if (told && question)
		conversation_write_json(c,
					json_pack("{s:s, s:O, s:s}", "type",
						  "extension_ui_response", "id",
						  question, "value", told));
	json_decref(question);
	json_object_del(p->calls, id);
	return told != NULL;
}

void
pi_give_results(struct conversation *c)
{
	struct pi *p = c->own;
	json_t *results = p->results;
	const json_t *result;
	struct error e = { 0 };
	size_t i;

	p->results = NULL;
	json_array_foreach (results, i, result) {
		if (give_result(c, result, &e))
			continue;
		conversation_abort(c, &e);
		break;
	}
	json_decref(results);
}
