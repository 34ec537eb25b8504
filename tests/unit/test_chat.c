/* chat understands what OpenAI's clients send, and says what they expect */
#include "gateway/chat/chat.h"
#include "tests/unit/unit.h"

static struct chat chat;

static bool
parse_as(enum dialect dialect, const char *body, struct error *e)
{
	struct fields fields = { 0 };
	struct str b = str_of(body);

	chat_fini(&chat);
	return fields_read(&fields, b, e) && fields_end(&fields, e) &&
	       chat_read(&chat, dialect, b, &fields, e);
}

static bool
parse(const char *body, struct error *e)
{
	return parse_as(DIALECT_CHAT, body, e);
}

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void
what_the_gateway_needs_is_read(void **state)
{
	must(parse("{\"model\":\"a/b\",\"stream\":true,\"session_id\":\"s\","
		   "\"cwd\":\"/"
		   "x\",\"stream_options\":{\"include_usage\":true}," MESSAGES
		   "}",
		   &e));
	assert_str(chat.model, "a/b");
	assert_str(chat.session, "s");
	assert_str(chat.cwd, "/x");
	assert_true(chat.streamed && chat.says_streamed);
	assert_true(chat.include_usage);
}

static void
null_is_the_same_as_absent(void **state)
{
	must(parse("{\"model\":\"a\",\"stream\":null,\"session_id\":null,"
		   "\"cwd\":null,\"stream_options\":null," MESSAGES "}",
		   &e));
	assert_false(chat.says_streamed);
	assert_null(chat.session.ptr);
	assert_null(chat.cwd.ptr);
}

static void
the_field_that_is_wrong_is_named(void **state)
{
	static const struct {
		const char *body, *param;
	} wrong[] = {
		{ "{}", "model" },
		{ "{\"model\":3}", "model" },
		{ "{\"model\":\"\"}", "model" },
		{ "{\"model\":\"a\"}", "messages" },
		{ "{\"model\":\"a\",\"messages\":{}}", "messages" },
		{ "{\"model\":\"a\",\"messages\":[]}", "messages" },
		{ "{\"model\":\"a\",\"stream\":1," MESSAGES "}", "stream" },
		{ "{\"model\":\"a\",\"resume_id\":1," MESSAGES "}",
		  "resume_id" },
		{ "{\"model\":\"a\",\"cwd\":1," MESSAGES "}", "cwd" },
		{ "{\"model\":\"a\",\"session_id\":\"x\\u0000\"," MESSAGES "}",
		  "session_id" },
		{ "{\"model\":\"a\",\"stream_options\":1," MESSAGES "}",
		  "stream_options" },
	};
	struct error e;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_false(parse(wrong[i].body, &e));
		assert_int_equal(e.code, ERR_INVALID);
		assert_string_equal(chat.param, wrong[i].param);
	}
}

static void
what_is_not_json_is_refused(void **state)
{
	static const char *const bodies[] = { "",  "{",		 "[]",	"1",
					      "x", "{\"a\":1}x", "\xff" };
	struct error e;

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		assert_false(parse(bodies[i], &e));
		assert_int_equal(e.code, ERR_INVALID);
	}
}

static void
embeddings_need_no_messages(void **state)
{
	must(parse_as(DIALECT_EMBEDDINGS, "{\"model\":\"a\",\"input\":\"x\"}",
		      &e));
}

static void
every_text_survives_being_escaped(void **state)
{
	struct buf b = BUF_INIT(4096);
	char all[256];
	json_t *back;

	for (int i = 0; i < 128; i++)
		all[i] = (char)i;
	memcpy(all + 128, "\xc3\xa4\xf0\x9f\x8c\x8d", 6);
	buf_print(&b, "\"");
	chat_escape(&b, (struct str){ all, 134 });
	buf_print(&b, "\"");
	back = json_loadb(b.ptr, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	assert_int_equal(json_string_length(back), 134);
	assert_memory_equal(json_string_value(back), all, 134);
	json_decref(back);
	buf_fini(&b);
}

/* What one chunk says, of which `write` has written all. */
static json_t *
read_back(struct buf *b)
{
	json_t *chunk = json_loadb(b->ptr, b->len, 0, NULL);

	assert_non_null(chunk);
	assert_null(memchr(b->ptr, '\n', b->len));
	buf_fini(b);
	return chunk;
}

static void
a_delta_is_a_chunk(void **state)
{
	struct buf b = BUF_INIT(4096);
	const char *id, *text;
	struct stamp s;
	json_t *chunk;

	stamp_init(&s, 7, STR("a\"b"), true);
	chat_begin_delta(&b, &s, DELTA_TEXT);
	chat_escape(&b, STR("x\ny"));
	chat_end_delta(&b, &s);
	chunk = read_back(&b);
	must(json_unpack(chunk, "{s:s,s:[{s:{s:s},s:n}],s:n}", "id", &id,
			 "choices", "delta", "content", &text, "finish_reason",
			 "usage") == 0 ||
	     fail_with(&e, ERR_INVALID, "no chunk"));
	assert_string_equal(text, "x\ny");
	assert_string_equal(id, s.id);
	json_decref(chunk);
	stamp_fini(&s);
}

static void
a_tool_may_be_written_on_many_lines(void **state)
{
	struct buf b = BUF_INIT(4096);
	struct stamp s;
	const char *name;
	json_t *chunk;

	stamp_init(&s, 7, STR("m"), false);
	chat_tool(&b, &s, STR("{\n\"name\":\r\n\"Bash\"}"));
	chunk = read_back(&b);
	assert_int_equal(json_unpack(chunk, "{s:{s:{s:s}}}", "bridge", "tool",
				     "name", &name),
			 0);
	assert_string_equal(name, "Bash");
	json_decref(chunk);
	stamp_fini(&s);
}

static void
a_completion_says_all(void **state)
{
	struct buf b = BUF_INIT(4096);
	const struct msg_finish finish = {
		.reason = FINISH_STOP,
		.input = amount_of(2),
		.output = amount_of(1),
	};
	const struct completion c = {
		.text = STR("t"),
		.tools = STR("{},{}"),
		.standing = { "s1", "new", NULL, "new" },
		.finish = &finish,
	};
	struct stamp s;
	const char *content, *id;
	int total;
	json_t *tools, *answer;

	stamp_init(&s, 7, STR("m"), false);
	chat_completion(&b, &s, &c);
	answer = read_back(&b);
	assert_int_equal(
		json_unpack(answer,
			    "{s:[{s:{s:s}}],s:{s:i},s:{s:o,s:{s:s},s:n}}",
			    "choices", "message", "content", &content, "usage",
			    "total_tokens", &total, "bridge", "tools", &tools,
			    "session", "id", &id, "model"),
		0);
	assert_string_equal(content, "t");
	assert_string_equal(id, "s1");
	assert_int_equal(total, 3);
	assert_int_equal(json_array_size(tools), 2);
	json_decref(answer);
	stamp_fini(&s);
}

static void
a_completion_has_every_field_that_clients_insist_on(void **state)
{
	struct buf b = BUF_INIT(4096);
	const struct msg_finish finish = { .reason = FINISH_STOP };
	const struct completion c = {
		.text = STR("t"),
		.reasoning = STR("r"),
		.tools = STR(""),
		.finish = &finish,
	};
	struct stamp s;
	const char *content, *reason, *same;
	json_t *answer;

	stamp_init(&s, 7, STR("m"), true);
	chat_completion(&b, &s, &c);
	answer = read_back(&b);
	assert_int_equal(
		json_unpack(answer, "{s:[{s:n, s:{s:s, s:n, s:s, s:s}}]}",
			    "choices", "logprobs", "message", "content",
			    &content, "refusal", "reasoning_content", &reason,
			    "reasoning", &same),
		0);
	assert_string_equal(reason, "r");
	assert_string_equal(same, "r");
	assert_null(json_object_get(answer, "usage"));
	json_decref(answer);

	chat_usage(&b, &s, &finish);
	answer = read_back(&b);
	assert_true(json_is_null(json_object_get(answer, "usage")));
	json_decref(answer);
	stamp_fini(&s);
}

static void
an_error_is_openais(void **state)
{
	struct buf b = BUF_INIT(4096);
	struct error e = { 0 };

	fail_with(&e, ERR_QUEUE_FULL, "a \"b\"");
	chat_error(&b, &e, "model");
	assert_str(buf_str(&b),
		   "{\"error\":{\"message\":\"a \\\"b\\\"\",\"type\":"
		   "\"admission_rejected\",\"param\":\"model\",\"code\":"
		   "\"queue_full\"}}");
	buf_fini(&b);
}

static void
is_about(const struct error *e, const char *field)
{
	struct buf b = BUF_INIT(4096);
	struct str param = chat_param(e);

	if (!field)
		assert_null(param.ptr);
	else
		assert_str(param, field);
	chat_error(&b, e, NULL);
	json_decref(read_back(&b));
}

static void
an_error_says_itself_which_field_is_wrong(void **state)
{
	struct error e = { 0 };

	fail_about(&e, ERR_INVALID, "messages[%d].content is wrong", 2);
	is_about(&e, "messages[2].content");
	fail_about(&e, ERR_UNSUPPORTED, "messages: they are too many");
	is_about(&e, "messages");
	fail_with(&e, ERR_BAD_CWD, "there is no directory x");
	is_about(&e, "cwd");
	fail_with(&e, ERR_NO_MODEL, "there is no model x");
	is_about(&e, "model");
}

static void
an_error_in_a_stream_has_the_status_that_was_too_late(void **state)
{
	struct buf b = BUF_INIT(4096);
	struct error e = { 0 };

	fail_with(&e, ERR_RATE_LIMIT, "too fast");
	e.retry_ms = 7000;
	chat_stream_error(&b, &e);
	assert_str(buf_str(&b), "{\"error\":{\"message\":\"too fast\",\"type\":"
				"\"rate_limit_error\",\"param\":null,\"code\":"
				"\"rate_limit_exceeded\",\"status\":429,"
				"\"retry_after_ms\":7000}}");
	buf_fini(&b);
}

/* Who has told it may be anybody, and put it as if it were a field. */
static void
words_of_others_name_no_field(void **state)
{
	struct error e = { 0 };

	fail_with(&e, ERR_INVALID, "claude: the vendor answered with 400");
	is_about(&e, NULL);
	fail_with(&e, ERR_UNSUPPORTED, "messages[2]: they said");
	is_about(&e, NULL);
	fail_with(&e, ERR_INVALID, "%s", "");
	is_about(&e, NULL);
}

static int
forget(void **state)
{
	chat_fini(&chat);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_gateway_needs_is_read),
		cmocka_unit_test(null_is_the_same_as_absent),
		cmocka_unit_test(the_field_that_is_wrong_is_named),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(embeddings_need_no_messages),
		cmocka_unit_test(every_text_survives_being_escaped),
		cmocka_unit_test(a_delta_is_a_chunk),
		cmocka_unit_test(a_tool_may_be_written_on_many_lines),
		cmocka_unit_test(a_completion_says_all),
		cmocka_unit_test(
			a_completion_has_every_field_that_clients_insist_on),
		cmocka_unit_test(an_error_is_openais),
		cmocka_unit_test(an_error_says_itself_which_field_is_wrong),
		cmocka_unit_test(words_of_others_name_no_field),
		cmocka_unit_test(
			an_error_in_a_stream_has_the_status_that_was_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
