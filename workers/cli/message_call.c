#include "workers/cli/message_call.h"

#include <ctype.h>
#include <stdio.h>

#include "proto/buf.h"
#include "workers/cli/message.h"
#include "workers/cli/transcript.h"
#include "workers/io/hash.h"
#include "workers/io/json.h"

/* Text as it is, anything else as JSON. */
static json_t *
text_of(json_t *value)
{
	auto_free char *dumped = NULL;

	if (json_is_string(value))
		return json_incref(value);
	dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	return json_string(dumped ? dumped : "");
}

/* Writes `from`, with "_" for whatever vendors do not take.  False: there was
 * something of that kind. */
static bool
make_plain(char *plain, size_t size, struct str from)
{
	bool is_plain = from.len < size;
	size_t n = 0;

	for (; n < from.len && n + 1 < size; n++) {
		bool ok = isalnum((unsigned char)from.ptr[n]) ||
			  from.ptr[n] == '_' || from.ptr[n] == '-';

		plain[n] = from.ptr[n];
		if (!ok)
			plain[n] = '_';
		is_plain = is_plain && ok;
	}
	plain[n] = '\0';
	return is_plain;
}

enum {
	MAX_CALL_ID = 64,    /* characters that every vendor takes */
	MAX_CALL_NAME = 128, /* likewise */
};

/*
 * The id by which a call is known from here on.  One that some vendor would
 * refuse, and one that an earlier call has, becomes another: the same whenever
 * the same messages are read.
 */
static void
make_id(char own[MAX_CALL_ID + 1], struct str id, json_int_t times)
{
	struct hash h = HASH_INIT;
	size_t n;

	if (make_plain(own, MAX_CALL_ID + 1, id) && !times)
		return;
	hash_add_field(&h, id);
	hash_add(&h, (struct str){ (const char *)&times, sizeof times });
	own[23] = '\0';
	n = strlen(own);
	snprintf(own + n, MAX_CALL_ID + 1 - n, "_%016jx",
		 (uintmax_t)hash_value(&h));
}

/* Takes `arguments`.  Who gives a call no id gets one that is unique. */
static void
add_call(struct reading *r, json_t *parts, struct str id, struct str name,
	 json_t *arguments)
{
	auto_free char *none =
		copy_format("call_%zu_%zu", r->message, json_array_size(parts));
	char key[MAX_CALL_ID + 1], own[MAX_CALL_ID + 1];
	char plain[MAX_CALL_NAME + 1];
	json_int_t times;
	json_t *call;

	if (!id.len)
		id = str_of(none);
	make_id(key, id, 0);
	times = json_integer_value(json_object_get(r->ids, key));
	make_id(own, id, times);
	(void)make_plain(plain, sizeof plain, name);
	if (!json_string_length(arguments)) {
		json_decref(arguments);
		arguments = json_string("{}");
	}
	call = json_pack("{s:s, s:s, s:s, s:o}", "type", "tool_call", "id", own,
			 "name", plain, "arguments", arguments);
	json_object_set_new(r->ids, key, json_integer(times + 1));
	json_object_set(r->open_calls, key, call);
	json_array_append_new(parts, call);
}

/* One whose shape nobody knows is told as it is. */
static void
add_unknown_call(struct reading *r, json_t *parts, json_t *call)
{
	struct str type = json_str(call, "type");

	add_call(r, parts, json_str(call, "id"), type.len ? type : STR("tool"),
		 text_of(call));
}

/*
 * What a call says is in "function" or, if it is of a custom tool, in
 * "custom"; some clients have it in the call itself.  Arguments are JSON in a
 * string or JSON; a custom tool's input is any text.
 */
static void
read_call(struct reading *r, json_t *parts, json_t *call, const char *where)
{
	static const char fields[] = "id type index name arguments input "
				     "function custom cache_control caller";
	json_t *said = json_object_get(call, "function"), *arguments;
	struct str name;

	said = said ? said : json_object_get(call, "custom");
	said = said ? said : call;
	name = json_str(said, "name");
	arguments = json_object_get(said, "arguments");
	arguments = arguments ? arguments : json_object_get(said, "input");
	if (!name.len) {
		add_unknown_call(r, parts, call);
		return;
	}
	reading_note_unread(r, where, call, fields);
	if (said != call)
		reading_note_unread(r, where, said, "name arguments input");
	add_call(r, parts, json_str(call, "id"), name,
		 json_says_nothing(arguments) || !arguments
			 ? json_string("{}")
			 : text_of(arguments));
}

void
message_calls(struct reading *r, json_t *parts, const json_t *message)
{
	json_t *calls = json_object_get(message, "tool_calls"), *call;
	size_t i;

	json_array_foreach (calls, i, call)
		read_call(r, parts, call, "messages.tool_calls");
	call = json_object_get(message, "function_call"); /* before 2023-11 */
	if (json_is_object(call))
		read_call(r, parts, call, "messages.function_call");
}

/* The call that a result belongs to: if nobody says, the first that has no
 * result.  NULL: there is none. */
static json_t *
take_call(struct reading *r, struct str id)
{
	char key[MAX_CALL_ID + 1];
	const char *first =
		json_object_iter_key(json_object_iter(r->open_calls));
	json_t *call;

	if (id.len)
		make_id(key, id, 0);
	else
		snprintf(key, sizeof key, "%s", first ? first : "");
	call = json_incref(json_object_get(r->open_calls, key));
	json_object_del(r->open_calls, key);
	return call;
}

/* A result of a call that is not there is told as text: no vendor takes it as
 * a result.  Takes `call`, or NULL. */
static json_t *
result_of(struct reading *r, json_t *call, json_t *content, struct str id,
	  bool is_error)
{
	char own[MAX_CALL_ID + 1];
	json_t *result, *told;

	make_id(own, id, 0);
	result = json_pack("{s:s, s:s, s:O*, s:O*, s:O}", "type", "tool_result",
			   "id", own, "name", json_object_get(call, "name"),
			   "arguments", json_object_get(call, "arguments"),
			   "content", content);
	if (call)
		json_object_set(result, "id", json_object_get(call, "id"));
	if (is_error)
		json_object_set_new(result, "is_error", json_true());
	if (!call && id.len)
		json_array_append(r->strays, result);
	told = call ? json_pack("[O]", result) : transcript_of(result);
	json_decref(result);
	json_decref(call);
	return told;
}

json_t *
message_result(struct reading *r, json_t *parts, const json_t *message)
{
	struct str id = json_str(message, "tool_call_id");

	return result_of(r, take_call(r, id), parts, id,
			 json_is_true(json_object_get(message, "is_error")));
}

/* Adds what is no call or result in the place where it stands. */
static void
add_told(json_t *parts, json_t *from)
{
	const json_t *part;
	json_t *told;
	size_t i;

	json_array_foreach (from, i, part) {
		told = transcript_of(part);
		json_array_extend(parts, told);
		json_decref(told);
	}
}

/* Anthropic's calls and results are parts of a message's content.  Calls are
 * the assistant's and results the user's; otherwise they are told as text. */
bool
calls_read_use(struct reading *r, json_t *parts, const json_t *part,
	       struct error *e)
{
	json_t *calls = json_array();

	if (r->is_assistants) {
		read_call(r, parts, (json_t *)part, "messages.content");
	} else {
		read_call(r, calls, (json_t *)part, "messages.content");
		add_told(parts, calls);
	}
	json_decref(calls);
	return true;
}

bool
calls_read_result(struct reading *r, json_t *parts, const json_t *part,
		  struct error *e)
{
	const json_t *is_error = json_object_get(part, "is_error");
	struct str id = json_str(part, "tool_use_id");
	json_t *said = json_array(), *result, *call;
	bool ok = message_parts(r, said, json_object_get(part, "content"), e);

	if (ok) {
		call = r->is_assistants ? NULL : take_call(r, id);
		result = result_of(r, call, said, id, json_is_true(is_error));
		json_array_extend(parts, result);
		json_decref(result);
	}
	json_decref(said);
	return ok;
}
