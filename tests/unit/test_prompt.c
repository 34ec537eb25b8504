/* What workers/conversation promises. */
#include "tests/unit/unit.h"

#include <glob.h>

#include "proto/limits.h"
#include "workers/cli/parts.h"
#include "tests/unit/read_prompt.h"

static struct prompt c;

/* A harness that takes everything. */
static const struct recipient any = { "any",
				      CAN_IMAGES | CAN_IMAGE_URLS | CAN_PDFS };

static int
fini(void **state)
{
	prompt_fini(&c);
	return 0;
}

#define reads(body) must(read_prompt(&c, STR(body), &any, &e))
#define refuses(code, why, body) \
	must_fail(code, why, read_prompt(&c, STR(body), &any, &e))

static void
messages_are(const char *want)
{
	char *got = json_dumps(c.messages, JSON_COMPACT);

	assert_string_equal(got, want);
	free(got);
}

/* Every tests/data/conversation/NAME.json: a body, and what is heard of it. */
static void
is_heard_as_it_says(const char *path)
{
	json_error_t why;
	json_t *all = json_load_file(path, 0, &why);
	char *body = json_dumps(json_object_get(all, "body"), JSON_COMPACT);
	char *want = json_dumps(json_object_get(all, "messages"), JSON_COMPACT);
	const json_t *system = json_object_get(all, "system");

	print_message("%s\n", path);
	assert_non_null(all);
	must(read_prompt(&c, str_of(body), &any, &e));
	messages_are(want);
	assert_int_equal(c.goes_on, strstr(want, "Go on from exactly") != NULL);
	assert_string_equal(c.ignored ? c.ignored : "",
			    json_string_value(json_object_get(all, "ignored")));
	if (json_is_null(system))
		assert_null(c.system);
	else
		assert_string_equal(c.system, json_string_value(system));
	free(want);
	free(body);
	json_decref(all);
	prompt_fini(&c);
}

static void
whatever_clients_send_is_heard(void **state)
{
	glob_t found;

	assert_int_equal(glob(DATA "/conversation/*.json", 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 30);
	for (size_t i = 0; i < found.gl_pathc; i++)
		is_heard_as_it_says(found.gl_pathv[i]);
	globfree(&found);
}

static void
a_string_and_an_array_of_parts_say_the_same(void **state)
{
	static const char want[] = "[{\"role\":\"user\",\"content\":"
				   "[{\"type\":\"text\",\"text\":\"hi\"}]}]";

	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
	messages_are(want);
	fini(state);
	reads("{\"messages\":[{\"role\":\"user\",\"content\":"
	      "[{\"type\":\"text\",\"text\":\"hi\"}]}]}");
	messages_are(want);
}

static void
all_system_and_developer_messages_are_the_system_prompt(void **state)
{
	reads("{\"messages\":[{\"role\":\"system\",\"content\":\"a\"},"
	      "{\"role\":\"user\",\"content\":\"hi\"},"
	      "{\"role\":\"developer\",\"content\":"
	      "[{\"type\":\"text\",\"text\":\"b\"}]}]}");
	assert_string_equal(c.system, "a\n\nb");
	assert_int_equal(json_array_size(c.messages), 1);
}

static void
calls_of_tools_and_their_results_are_kept(void **state)
{
	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
	      "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":"
	      "[{\"id\":\"c1\",\"type\":\"function\",\"function\":"
	      "{\"name\":\"look\",\"arguments\":\"{}\"}}]},"
	      "{\"role\":\"tool\",\"tool_call_id\":\"c1\","
	      "\"content\":\"seen\"}]}");
	assert_int_equal(json_array_size(c.messages), 4);
	assert_int_equal(prompt_unanswered(&c), 2);
	assert_int_equal(prompt_history(&c), 3);
}

static void
what_nobody_honours_is_named(void **state)
{
	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
	      "\"temperature\":0.5,\"n\":1,\"seed\":null,\"tools\":[],"
	      "\"logprobs\":true,\"user\":\"me\",\"stream\":true}");
	assert_string_equal(c.ignored, "temperature, logprobs");
	fini(state);
	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],"
	      "\"bridge\":{\"builtin_tools\":true,\"colour\":\"red\"}}");
	assert_string_equal(c.ignored, "bridge.colour");
}

static void
an_error_names_the_place(void **state)
{
	refuses(ERR_INVALID,
		"messages[1].role must be system, developer, user, assistant "
		"or tool",
		"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
		"{\"role\":\"robot\",\"content\":\"hi\"}]}");
	refuses(ERR_UNSUPPORTED,
		"messages[0].content[1].type \"video\" is not supported: text, "
		"image_url, file, input_text, input_image and input_file are",
		"{\"messages\":[{\"role\":\"user\",\"content\":"
		"[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"video\"}]}]}");
}

static void
an_image_that_cannot_be_one_is_refused_by_its_name(void **state)
{
#define IMAGE(url)                                                          \
	"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_" \
	"url\","                                                            \
	"\"image_url\":{\"url\":\"" url "\"}}]}]}"

	refuses(ERR_INVALID,
		"messages[0].content[0] is an image without a media type: it "
		"must be data:image/png;base64,... or the like",
		IMAGE("data:;base64,AAAA"));
	refuses(ERR_INVALID,
		"messages[0].content[0] is an image that is not valid base64",
		IMAGE("data:image/png;base64,A\\u0000A"));
	refuses(ERR_INVALID,
		"messages[0].content[0] is an image that is not valid base64",
		IMAGE("data:image/png;base64,"));
	refuses(ERR_INVALID,
		"messages[0].content[0] is a data URL, but not of base64",
		IMAGE("data:image/svg+xml,%3Csvg/%3E"));
	refuses(ERR_INVALID, "messages[0].content[0] has no image URL",
		IMAGE(""));
	refuses(ERR_INVALID,
		"messages[0].content[0] is of a type that is not an image's: "
		"PNG, JPEG, GIF, WebP, BMP, AVIF, HEIC and HEIF can be sent",
		IMAGE("data:application/pdf;base64,iVBORw0KGgo="));
	refuses(ERR_INVALID,
		"messages[0].content[0] is an image that cannot be decoded: it "
		"begins like none of PNG, JPEG, GIF, WebP, BMP, AVIF, HEIC and "
		"HEIF",
		IMAGE("data:image/png;base64,aGVsbG8sIHdvcmxk"));
}

static void
an_image_comes_from_a_public_place_or_the_sessions_own(void **state)
{
	refuses(ERR_INVALID,
		"messages[0].content[0] has an image URL that is neither "
		"http:, https:, data: nor file:",
		IMAGE("ftp://a.example/b.png"));
	refuses(ERR_INVALID,
		"messages[0].content[0] has an image URL with a host that is "
		"not a public one: only public web servers are asked for "
		"images, so send its bytes as data:image/png;base64,... or the "
		"like",
		IMAGE("http://169.254.169.254/latest"));
	refuses(ERR_INVALID,
		"messages[0].content[0] has an image URL with no host: only "
		"public web servers are asked for images, so send its bytes as "
		"data:image/png;base64,... or the like",
		IMAGE("https://"));
	refuses(ERR_INVALID,
		"messages[0].content[0] is a file: URL with a host or a zero "
		"byte: it must be file:/// and a path in the session's "
		"directory",
		IMAGE("file://a.example/b.png"));
	refuses(ERR_INVALID,
		"messages[0].content[0] is a file: URL with a host or a zero "
		"byte: it must be file:/// and a path in the session's "
		"directory",
		IMAGE("file:///a%00b"));
	refuses(ERR_INVALID,
		"messages[0].content[0] is an image that is not valid base64",
		IMAGE("data:image/png;base64,iVBORw0KGgo=="));
	refuses(ERR_INVALID,
		"messages[0].content[0] has a detail that is none of auto, "
		"low, high and original",
		IMAGE("it.png\",\"detail\":\"hihg"));
}

/* What each kind of image begins with, and what it is called then. */
static void
an_image_has_the_type_that_its_bytes_have(void **state)
{
	static const struct {
		const char *begins, *type;
	} images[] = {
		{ "iVBORw0KGgo=", "image/png" },
		{ "iVBO\\nRw0K\\nGgo=", "image/png" },
		{ "/9j/4AAQ", "image/jpeg" },
		{ "_9j_4AAQ", "image/jpeg" },
		{ "R0lGODlh", "image/gif" },
		{ "UklGRiQAAABXRUJQ", "image/webp" },
		{ "Qk0AAAAA", "image/bmp" },
		{ "AAAAIGZ0eXBhdmlm", "image/avif" },
		{ "AAAAGGZ0eXBoZWlj", "image/heic" },
	};

	for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
		auto_free char *body = copy_format(
			IMAGE("data:image/jpg;base64,%s"), images[i].begins);
		const json_t *part;

		must(read_prompt(&c, str_of(body), &any, &e));
		part = json_array_get(
			json_object_get(json_array_get(c.messages, 0),
					"content"),
			0);
		assert_string_equal(
			json_string_value(json_object_get(part, "media_type")),
			images[i].type);
		prompt_fini(&c);
	}
}

static void
a_request_that_asks_nothing_is_refused(void **state)
{
	static const char why[] =
		"messages: nothing is asked: the last message is blank";

	refuses(ERR_INVALID, why,
		"{\"messages\":[{\"role\":\"user\",\"content\":\" \\n \"}]}");
	refuses(ERR_INVALID, why,
		"{\"messages\":[{\"role\":\"system\",\"content\":\" \"}]}");
	refuses(ERR_INVALID, why,
		"{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
		"{\"role\":\"assistant\",\"content\":\"ho\"},"
		"{\"role\":\"user\",\"content\":\" \"}]}");
}

static void
says(const char *text)
{
	const json_t *message = json_array_get(c.messages, 0);
	const json_t *part =
		json_array_get(json_object_get(message, "content"), 0);

	assert_string_equal(json_string_value(json_object_get(part, "text")),
			    text);
	prompt_fini(&c);
}

#define SAYING(text) \
	"{\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]}"

static void
half_a_character_costs_no_more_than_itself(void **state)
{
	reads(SAYING("a\\ud83d"));
	says("a\xef\xbf\xbd");
	reads(SAYING("\\ud83d\\ud83d\\ude00\\ude00!"));
	says("\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd!");
	reads(SAYING("\\uDC00\\n\\u00e9"));
	says("\xef\xbf\xbd\n\xc3\xa9");
	reads(SAYING("\\\\ud83d\\ud83dx"));
	says("\\ud83d\xef\xbf\xbdx");
	assert_false(read_prompt(&c, STR(SAYING("\\ud83d\\u12")), &any,
				 &(struct error){ 0 }));
	assert_false(read_prompt(&c, STR(SAYING("\\ud83d\\u")), &any,
				 &(struct error){ 0 }));
}

static void
integers_of_any_size_are_no_fault(void **state)
{
	reads("{\"seed\":123456789012345678901234567890,\"messages\":"
	      "[{\"role\":\"user\",\"content\":\"hi\"}]}");
	assert_string_equal(c.ignored, "seed");
}

static void
an_answer_is_known_again_whatever_its_white_space(void **state)
{
	uint64_t said = answer_add(answer_add(ANSWER_EMPTY, STR("Hello, ")),
				   STR("world.\n"));

	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
	      "{\"role\":\"assistant\",\"content\":\"Hello,\\nworld.\"},"
	      "{\"role\":\"user\",\"content\":\"hi\"}]}");
	assert_true(prompt_answer(&c, 1) == said);
	assert_true(prompt_answer(&c, 0) == 0);
}

/* A conversation as a client sends it; %s is what follows the question. */
#define ASKING(question, rest)                                      \
	"{\"messages\":[{\"role\":\"user\",\"content\":\"first\"}," \
	"{\"role\":\"assistant\",\"content\":\"one\"},"             \
	"{\"role\":\"user\",\"content\":" question "}" rest "]}"
#define ANSWERED                                         \
	",{\"role\":\"assistant\",\"content\":\"two\"}," \
	"{\"role\":\"user\",\"content\":\"third\"}"

static uint64_t
question_of(const char *body, size_t from)
{
	uint64_t hash;

	must(read_prompt(&c, str_of(body), &any, &e));
	hash = prompt_question(&c, from);
	prompt_fini(&c);
	return hash;
}

static uint64_t
asked_by(const char *body, size_t answer)
{
	uint64_t hash;

	must(read_prompt(&c, str_of(body), &any, &e));
	hash = prompt_asked(&c, answer);
	prompt_fini(&c);
	return hash;
}

static void
a_question_is_known_again_before_its_answer(void **state)
{
	uint64_t asked = question_of(ASKING("\"second one\"", ""), 2);

	assert_true(asked_by(ASKING("\"second one\"", ANSWERED), 3) == asked);
	assert_true(asked_by(ASKING("\"second\\n one \"", ANSWERED), 3) ==
		    asked);
	assert_true(asked_by(ASKING("[{\"type\":\"text\",\"text\":\"second\"}"
				    ",\" one\"]",
				    ANSWERED),
			     3) == asked);
	assert_true(asked_by(ASKING("\"second two\"", ANSWERED), 3) != asked);
	assert_true(asked_by(ASKING("\"second one\"", ANSWERED), 1) != asked);
	assert_true(asked_by(ASKING("\"second one\"", ANSWERED), 1) ==
		    question_of(SAYING("first"), 0));
}

static void
a_question_of_ours_is_not_expected_from_the_caller(void **state)
{
#define BEGUN                                                   \
	"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}," \
	"{\"role\":\"assistant\",\"content\":\"b\"}"
	uint64_t asked = question_of(BEGUN "]}", 2);

	assert_true(asked_by(BEGUN
			     ",{\"role\":\"assistant\",\"content\":\"c\"},"
			     "{\"role\":\"user\",\"content\":\"d\"}]}",
			     2) == asked);
}

static uint64_t
hash_of(const char *body)
{
	uint64_t hash;

	must(read_prompt(&c, str_of(body), &any, &e));
	hash = prompt_hash(&c, 0);
	prompt_fini(&c);
	return hash;
}

static void
the_same_messages_have_one_hash_however_they_are_spelled(void **state)
{
	uint64_t hash = hash_of(SAYING("caf\xc3\xa9 /"));

	assert_true(hash == hash_of(SAYING("caf\\u00e9 \\/")));
	assert_true(hash ==
		    hash_of("{\"messages\":[{\"content\":[{\"text\":"
			    "\"caf\\u00e9 /\",\"type\":\"input_text\"}],"
			    "\"role\":\"USER\"}]}"));
	assert_true(hash != hash_of(SAYING("caf\xc3\xa9/")));
	assert_true(hash !=
		    hash_of("{\"messages\":[{\"role\":\"user\",\"content\":"
			    "[\"caf\xc3\xa9\",\" /\"]}]}"));
}

#define CALLING(id, name)                                                   \
	"{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":" \
	"\"" id "\",\"function\":{\"name\":\"" name                         \
	"\",\"arguments\":\"{}\"}}]},"
#define ANSWERING(id, content)                            \
	"{\"role\":\"tool\",\"tool_call_id\":\"" id "\"," \
	"\"content\":" content "}"
#define BODY(messages) \
	"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}," messages "]}"

static const json_t *
part_at(size_t message, size_t part)
{
	return json_array_get(
		json_object_get(json_array_get(c.messages, message), "content"),
		part);
}

static const char *
id_at(size_t message, size_t part)
{
	return json_string_value(json_object_get(part_at(message, part), "id"));
}

static bool
is_plain(const char *id, size_t max)
{
	return *id && strlen(id) <= max &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "0123456789_-") == strlen(id);
}

/* Anthropic's interface refuses a history with any other, for ever. */
static void
ids_and_names_are_such_as_every_vendor_takes(void **state)
{
	static const char body[] =
		BODY(CALLING("functions.Bash:0", "web.search") ANSWERING(
			"functions.Bash:0", "\"x\"") "," CALLING("a b", "f")
			     ANSWERING("a b", "\"y\"") "," CALLING("a_b", "g")
				     ANSWERING("a_b", "\"z\""));
	char first[128];

	must(read_prompt(&c, str_of(body), &any, &e));
	for (size_t i = 1; i < 7; i += 2) {
		assert_true(is_plain(id_at(i, 0), 64));
		assert_string_equal(id_at(i, 0), id_at(i + 1, 0));
	}
	assert_string_not_equal(id_at(3, 0), id_at(5, 0));
	assert_string_equal(id_at(5, 0), "a_b");
	assert_string_equal(
		json_string_value(json_object_get(part_at(1, 0), "name")),
		"web_search");
	snprintf(first, sizeof first, "%s", id_at(1, 0));
	fini(state);
	must(read_prompt(&c, str_of(body), &any, &e));
	assert_string_equal(id_at(1, 0), first);
}

static void
an_id_that_comes_twice_belongs_to_two_calls(void **state)
{
	reads(BODY(CALLING("c", "f") ANSWERING("c", "\"1\"") "," CALLING(
		"c", "f") ANSWERING("c", "\"2\"")));
	assert_string_equal(id_at(1, 0), "c");
	assert_string_equal(id_at(2, 0), "c");
	assert_string_not_equal(id_at(3, 0), "c");
	assert_true(is_plain(id_at(3, 0), 64));
	assert_string_equal(id_at(3, 0), id_at(4, 0));
}

/* Text behind a NUL, pieces, images: all of it, in its order. */
static void
a_result_has_all_that_the_tool_has_said(void **state)
{
	auto_free char *got = NULL;

	reads(BODY(CALLING("c", "f") ANSWERING(
		"c", "[{\"type\":\"text\",\"text\":\"a\\u0000b\"},"
		     "{\"type\":\"image_url\",\"image_url\":"
		     "{\"url\":\"https://a.example/b\"}},"
		     "{\"type\":\"text\",\"text\":\"c\"}]")));
	got = json_dumps(json_object_get(part_at(2, 0), "content"),
			 JSON_COMPACT);
	assert_string_equal(
		got, "[{\"type\":\"text\",\"text\":\"a\\u0000b\"},"
		     "{\"type\":\"image\",\"url\":\"https://a.example/b\"},"
		     "{\"type\":\"text\",\"text\":\"c\"}]");
}

/* A CLI answers a message of the user's, and results are none. */
static void
results_at_the_end_are_history_and_the_question_is_ours(void **state)
{
	reads(BODY(CALLING("c", "f") ANSWERING("c", "\"1\"")));
	assert_int_equal(prompt_unanswered(&c), 2);
	assert_int_equal(prompt_history(&c), 3);
	assert_int_equal(json_array_size(c.messages), 4);
	assert_false(c.goes_on);
	fini(state);
	reads(BODY(CALLING("c", "f") ANSWERING(
		"c", "\"1\"") ",{\"role\":\"user\",\"content\":\"b\"}"));
	assert_int_equal(prompt_history(&c), 3);
	assert_int_equal(json_array_size(c.messages), 4);
	fini(state);
	reads(BODY(
		"{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
		"\"id\":\"c\",\"name\":\"f\",\"input\":{}}]},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
		"\"tool_use_id\":\"c\",\"content\":\"1\",\"is_error\":true},"
		"\"b\"]}"));
	assert_int_equal(prompt_history(&c), 3);
	assert_int_equal(json_array_size(c.messages), 4);
	assert_true(json_is_true(json_object_get(part_at(2, 0), "is_error")));
}

static void
results_are_part_of_what_was_asked(void **state)
{
	static const char asked[] =
		BODY(CALLING("c", "f") ANSWERING("c", "\"1\""));
	static const char answered[] = BODY(CALLING("c", "f") ANSWERING(
		"c", "\"1\"") ",{\"role\":\"assistant\",\"content\":\"b\"},"
			      "{\"role\":\"user\",\"content\":\"c\"}");

	assert_true(question_of(asked, 3) == question_of(asked, 2));
	assert_true(question_of(asked, 3) == asked_by(answered, 3));
	assert_true(question_of(asked, 3) !=
		    question_of(BODY(CALLING("c", "f") ANSWERING("c", "\"2\"")),
				3));
}

static void
what_a_harness_does_not_take_is_refused_by_its_place(void **state)
{
#define WEB_IMAGE                                       \
	"[\"x\",{\"type\":\"image_url\",\"image_url\":" \
	"{\"url\":\"https://a.example/b\"}}]"
#define PNG                                                                 \
	"[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;" \
	"base64,iVBORw0KGgo=\"}}]"
	static const struct recipient text = { "forge", 0 };
	static const struct recipient bytes = { "pi", CAN_IMAGES };

	must_fail(ERR_UNSUPPORTED,
		  "messages[0].content[0]: forge takes no images",
		  read_prompt(&c,
			      STR("{\"messages\":[{\"role\":\"user\","
				  "\"content\":" PNG "}]}"),
			      &text, &e));
	must_fail(ERR_UNSUPPORTED,
		  "messages[2].content[0]: forge takes no images",
		  read_prompt(&c,
			      STR(BODY(CALLING("c", "f") ANSWERING("c", PNG))),
			      &text, &e));
	must_fail(ERR_UNSUPPORTED,
		  "messages[2].content[1]: pi takes no images by their URL, "
		  "only as data: URLs",
		  read_prompt(&c,
			      STR(BODY(CALLING("c", "f")
					       ANSWERING("c", WEB_IMAGE))),
			      &bytes, &e));
	must_fail(
		ERR_UNSUPPORTED,
		"messages[1].content[1]: a message of the assistant's can "
		"have no image and no file",
		read_prompt(
			&c,
			STR(BODY(
				"{\"role\":\"assistant\",\"content\":" WEB_IMAGE
				"}")),
			&any, &e));
}

static void
what_no_harness_takes_is_refused_by_its_place(void **state)
{
#define ONLY(type)                                                        \
	"{\"messages\":[{\"role\":\"user\",\"content\":[\"x\",{\"type\":" \
	"\"" type "\"}]}]}"
	refuses(ERR_UNSUPPORTED, "messages[0].content[1]: any takes no audio",
		ONLY("input_audio"));
}

#define FILE_OF(members) \
	"{\"messages\":[{\"role\":\"user\",\"content\":[\"x\"," members "]}]}"
#define OPENAI(members) FILE_OF("{\"type\":\"file\",\"file\":{" members "}}")

/* Whatever OpenAI, Anthropic and others call it. */
static void
a_text_file_is_a_text_that_is_marked(void **state)
{
	static const char *const bodies[] = {
		OPENAI("\"filename\":\"n\",\"file_data\":\"aGk=\""),
		OPENAI("\"filename\":\"n\",\"file_data\":"
		       "\"data:text/plain;base64,aGk\""),
		OPENAI("\"filename\":\"n\",\"file_data\":"
		       "\"data:application/json;base64,aGk=\""),
		FILE_OF("{\"type\":\"input_file\",\"filename\":\"n\","
			"\"file_data\":\"data:;base64,aGk=\"}"),
		FILE_OF("{\"type\":\"file\",\"filename\":\"n\",\"mediaType\":"
			"\"text/x-c\",\"data\":\"aGk=\"}"),
		FILE_OF("{\"type\":\"file\",\"filename\":\"n\",\"content\":"
			"\"hi\"}"),
		FILE_OF("{\"type\":\"document\",\"title\":\"n\",\"source\":"
			"{\"type\":\"text\",\"media_type\":\"text/plain\","
			"\"data\":\"hi\"}}"),
		FILE_OF("{\"type\":\"document\",\"title\":\"n\",\"source\":"
			"{\"type\":\"base64\",\"media_type\":\"text/plain\","
			"\"data\":\"aGk=\"}}"),
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		must(read_prompt(&c, str_of(bodies[i]), &any, &e));
		messages_are("[{\"role\":\"user\",\"content\":["
			     "{\"type\":\"text\",\"text\":\"x\"},"
			     "{\"type\":\"text\",\"text\":\"<file name=\\\"n"
			     "\\\">\\nhi\\n</file>\"}]}]");
		assert_null(c.ignored);
		fini(state);
	}
}

static void
other_files_are_what_their_bytes_are(void **state)
{
	reads(OPENAI("\"filename\":\"n\",\"file_data\":"
		     "\"data:application/pdf;base64,JVBERi0xLjQ\""));
	messages_are("[{\"role\":\"user\",\"content\":["
		     "{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"file\","
		     "\"media_type\":\"application/pdf\",\"data\":"
		     "\"JVBERi0xLjQ=\",\"name\":\"n\"}]}]");
	fini(state);
	reads(OPENAI("\"file_data\":\"iVBORw0KGgo=\""));
	messages_are("[{\"role\":\"user\",\"content\":["
		     "{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image\","
		     "\"media_type\":\"image/png\",\"data\":"
		     "\"iVBORw0KGgo=\"}]}]");
}

#define SYSTEM_FILE                                                   \
	"{\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":" \
	"\"file\",\"file\":{\"path\":\"a\"}}]},{\"role\":\"user\","   \
	"\"content\":\"x\"}]}"

static void
a_file_that_cannot_be_sent_is_refused_by_its_place(void **state)
{
	static const struct recipient images = { "pi", CAN_IMAGES };
	static const char uploaded[] =
		"messages[0].content[1].file.file_id: no files are kept here "
		"that were uploaded before: send the bytes as file_data";

	refuses(ERR_UNSUPPORTED, uploaded, OPENAI("\"file_id\":\"file-1\""));
	refuses(ERR_UNSUPPORTED,
		"messages[0].content[1].source.file_id: no files are kept here "
		"that were uploaded before: send the bytes as file_data",
		FILE_OF("{\"type\":\"document\",\"source\":{\"type\":\"file\","
			"\"file_id\":\"f\"}}"));
	refuses(ERR_UNSUPPORTED,
		"messages[0].content[1].file_id: no files are kept here that "
		"were uploaded before: send the image as "
		"data:image/png;base64,... or the like",
		FILE_OF("{\"type\":\"input_image\",\"file_id\":\"f\"}"));
	refuses(ERR_INVALID,
		"messages[0].content[1].file is a file without bytes: it must "
		"have file_data, url or path",
		OPENAI("\"filename\":\"n\""));
	refuses(ERR_INVALID,
		"messages[0].content[1].file.file_data is not valid base64",
		OPENAI("\"file_data\":\"a*b\""));
	refuses(ERR_INVALID, "messages[0].content[1].file.file_data is empty",
		OPENAI("\"file_data\":\"data:text/plain;base64,\""));
	refuses(ERR_INVALID,
		"messages[0].content[1].file.file_data is a data URL, but not "
		"of base64: data:text/plain;base64,... is",
		OPENAI("\"file_data\":\"data:text/plain,hi\""));
	refuses(ERR_INVALID,
		"messages[0].content[1].file.file_data is called "
		"\"application/pdf\", and is text: call it by its own type, or "
		"by none",
		OPENAI("\"file_data\":\"data:application/pdf;base64,aGk=\""));
	refuses(ERR_UNSUPPORTED,
		"messages[0].content[1].file.file_data is neither text in "
		"UTF-8 nor a PDF document nor an image of the types PNG, JPEG, "
		"GIF, WebP, BMP, AVIF, HEIC and HEIF: nothing else can be told "
		"to a model",
		OPENAI("\"file_data\":\"UEsDBAAA\""));
	refuses(ERR_UNSUPPORTED,
		"messages[0].content[1].file.file_url is the URL of a file: "
		"none is fetched, so send its bytes as "
		"data:application/pdf;base64,... or the like",
		OPENAI("\"file_url\":\"https://a.example/b.pdf\""));
	refuses(ERR_UNSUPPORTED,
		"messages[0].content[0]: a system message can have no image "
		"and no file",
		SYSTEM_FILE);
	must_fail(ERR_UNSUPPORTED,
		  "messages[0].content[1]: pi takes no PDF documents",
		  read_prompt(&c, STR(OPENAI("\"file_data\":\"JVBERi0xLjQ\"")),
			      &images, &e));
}

static void
a_request_has_so_many_images_and_files(void **state)
{
	struct buf body = BUF_INIT(1 << 20);

	buf_put(&body, STR("{\"messages\":[{\"role\":\"user\",\"content\":["));
	for (unsigned i = 0; i < MAX_ATTACHMENTS; i++)
		buf_put(&body, STR("{\"type\":\"file\",\"path\":\"a\"},"));
	buf_put(&body, STR("\"x\"]}"));
	buf_put(&body, STR("]}"));
	must(read_prompt(&c, buf_str(&body), &any, &e));
	fini(state);
	body.len -= 2;
	buf_put(&body,
		STR(",{\"role\":\"user\",\"content\":[{\"type\":\"file\","
		    "\"path\":\"a\"}]}]}"));
	must_fail(ERR_INVALID,
		  "messages[1].content[0]: a request can have 500 images and "
		  "files, and this is one more",
		  read_prompt(&c, buf_str(&body), &any, &e));
	buf_fini(&body);
}

/* A request for one that takes no images at all is not told that it could send
 * them in another way. */
static void
a_link_to_an_image_is_an_image(void **state)
{
	static const struct recipient text = { "forge", 0 };

	must_fail(ERR_UNSUPPORTED,
		  "messages[2].content[1]: forge takes no images",
		  read_prompt(&c,
			      STR(BODY(CALLING("c", "f")
					       ANSWERING("c", WEB_IMAGE))),
			      &text, &e));
}

static void
a_part_may_say_text_and_a_refusal(void **state)
{
	reads("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
	      "\"text\",\"text\":\"a\",\"refusal\":\"b\"}]}]}");
	assert_int_equal(json_array_size(json_object_get(
				 json_array_get(c.messages, 0), "content")),
			 2);
}

/* No name is left out because a header cannot have it, or for want of room. */
static void
every_field_that_is_ignored_is_named(void **state)
{
	struct buf body = BUF_INIT(64 << 10);

	reads("{\"n\":2,\"sn\xc3\xb6 %\":1,"
	      "\"stream_options\":{\"include_usage\":true,"
	      "\"include_obfuscation\":true},"
	      "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
	assert_string_equal(c.ignored, "n, sn%C3%B6%20%25, "
				       "stream_options.include_obfuscation");
	prompt_fini(&c);
	buf_put(&body,
		STR("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]"));
	for (int i = 0; i < 1000; i++)
		buf_print(&body, ",\"field_%d\":1", i);
	buf_put(&body, STR("}"));
	must(read_prompt(&c, buf_str(&body), &any, &e));
	assert_true(strlen(c.ignored) < MAX_DETAIL);
	assert_non_null(strstr(c.ignored, "field_20, "));
	assert_non_null(strstr(c.ignored, ", and "));
	assert_non_null(strstr(c.ignored, " others"));
	buf_fini(&body);
}

static void
a_field_that_is_not_read_is_named(void **state)
{
	reads(BODY("{\"role\":\"assistant\",\"content\":[{\"type\":\"text\","
		   "\"text\":\"b\",\"annotations\":[],\"citations\":[1]}],"
		   "\"tool_calls\":[{\"id\":\"c\",\"extra_content\":{\"s\":1},"
		   "\"function\":{\"name\":\"f\",\"strict\":true}}]},"
		   "{\"role\":\"user\",\"content\":\"c\"}"));
	assert_string_equal(c.ignored, "messages.content.citations, "
				       "messages.tool_calls.extra_content, "
				       "messages.tool_calls.strict");
}

/* Anthropic's shape: a result between words. */
static void
what_is_beside_results_has_none_of_them(void **state)
{
	json_t *beside;
	char *text;

	reads("{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
	      "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
	      "\"id\":\"a\",\"name\":\"f\",\"input\":{}}]},"
	      "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":"
	      "\"x\"},{\"type\":\"tool_result\",\"tool_use_id\":\"a\","
	      "\"content\":\"r\"},{\"type\":\"text\",\"text\":\"y\"}]}]}");
	beside = prompt_beside_results(&c);
	text = json_dumps(beside, JSON_COMPACT);
	assert_string_equal(text, "[{\"role\":\"user\",\"content\":["
				  "{\"type\":\"text\",\"text\":\"x\"},"
				  "{\"type\":\"text\",\"text\":\"y\"}]}]");
	free(text);
	json_decref(beside);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_clients_send_is_heard),
		cmocka_unit_test_teardown(
			a_string_and_an_array_of_parts_say_the_same, fini),
		cmocka_unit_test_teardown(
			all_system_and_developer_messages_are_the_system_prompt,
			fini),
		cmocka_unit_test_teardown(
			calls_of_tools_and_their_results_are_kept, fini),
		cmocka_unit_test_teardown(what_nobody_honours_is_named, fini),
		cmocka_unit_test(an_error_names_the_place),
		cmocka_unit_test(
			an_image_that_cannot_be_one_is_refused_by_its_name),
		cmocka_unit_test(
			an_image_comes_from_a_public_place_or_the_sessions_own),
		cmocka_unit_test(an_image_has_the_type_that_its_bytes_have),
		cmocka_unit_test(a_request_that_asks_nothing_is_refused),
		cmocka_unit_test(half_a_character_costs_no_more_than_itself),
		cmocka_unit_test_teardown(integers_of_any_size_are_no_fault,
					  fini),
		cmocka_unit_test_teardown(
			an_answer_is_known_again_whatever_its_white_space,
			fini),
		cmocka_unit_test(a_question_is_known_again_before_its_answer),
		cmocka_unit_test_teardown(
			ids_and_names_are_such_as_every_vendor_takes, fini),
		cmocka_unit_test_teardown(
			an_id_that_comes_twice_belongs_to_two_calls, fini),
		cmocka_unit_test_teardown(
			a_result_has_all_that_the_tool_has_said, fini),
		cmocka_unit_test_teardown(
			what_is_beside_results_has_none_of_them, fini),
		cmocka_unit_test_teardown(
			results_at_the_end_are_history_and_the_question_is_ours,
			fini),
		cmocka_unit_test(results_are_part_of_what_was_asked),
		cmocka_unit_test(
			what_a_harness_does_not_take_is_refused_by_its_place),
		cmocka_unit_test_teardown(a_field_that_is_not_read_is_named,
					  fini),
		cmocka_unit_test(what_no_harness_takes_is_refused_by_its_place),
		cmocka_unit_test(a_text_file_is_a_text_that_is_marked),
		cmocka_unit_test_teardown(other_files_are_what_their_bytes_are,
					  fini),
		cmocka_unit_test(
			a_file_that_cannot_be_sent_is_refused_by_its_place),
		cmocka_unit_test(a_request_has_so_many_images_and_files),
		cmocka_unit_test(a_link_to_an_image_is_an_image),
		cmocka_unit_test_teardown(a_part_may_say_text_and_a_refusal,
					  fini),
		cmocka_unit_test_teardown(every_field_that_is_ignored_is_named,
					  fini),
		cmocka_unit_test(
			a_question_of_ours_is_not_expected_from_the_caller),
		cmocka_unit_test(
			the_same_messages_have_one_hash_however_they_are_spelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
