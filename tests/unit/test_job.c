/* What workers/cli/job promises: how a turn begins, goes wrong and ends. */
#include "unit.h"

#include "workers/cli/eviction.h"
#include "workers/cli/failure.h"
#include "workers/cli/job.h"
#include "workers/cli/parked.h"
#include "workers/worker/queue.h"

/* ---- what is around it ---- */

static struct {
	unsigned attaches, decisions, starts, gives, retires, dismissals, saves;
	bool resumed, had_history; /* of the last start */
	const char *position;
	char standings[128]; /* all that were told */
	unsigned finishes, failures;
	enum error_code code;
	char text[128], why[MAX_ERROR_TEXT];
	json_t *said;	 /* messages from where the CLI has to hear them */
	json_t *history; /* of the last start */
	uint64_t input;	 /* tokens, at the end */
} did;

static struct worker worker;
static struct harness harness;
static struct executor executor;
static struct engine_self self;
static struct conversation conversation;
static struct turn turn;
static struct job *job;
static bool is_known, has_room;
static uint64_t pause_ms;
static enum error_code no_start, no_files;

void
queue_run_waiting(struct worker *w)
{
}

bool
job_decide(struct turn *t, struct error *e)
{
	did.decisions++;
	job->on.is_known = is_known;
	job->on.at.position = is_known ? (char *)"place" : NULL;
	return true;
}

bool
job_check_cwd(const struct turn *t, bool is_named, struct error *e)
{
	return true;
}

const char *
job_cache(const struct job *j)
{
	return NULL;
}

const char *
job_how(const struct job *j)
{
	return j->on.is_known ? "resumed" : "replayed";
}

void
continuation_renew(struct continuation *c, const char *reason)
{
	c->is_known = false;
	c->at.position = NULL;
	c->reason = reason;
}

void
continuation_fini(struct continuation *c)
{
	free(c->session.cli_id);
	memset(c, 0, sizeof *c);
}

struct conversation *
pool_start(struct pool *p, const struct conversation_plan *plan,
	   struct error *e)
{
	did.starts++;
	did.resumed = plan->resumed;
	did.had_history = plan->history != NULL;
	json_decref(did.history);
	did.history = json_deep_copy(plan->history);
	did.position = plan->position;
	if (!no_start)
		return &conversation;
	fail_with(e, no_start, "no");
	return NULL;
}

struct conversation *
pool_find(struct pool *p, const char *session, unsigned number)
{
	return NULL;
}

struct conversation *
pool_find_parked(struct pool *p, const char *session, unsigned number)
{
	return NULL;
}

void
conversation_give(struct conversation *c, struct turn *t)
{
	did.gives++;
	c->turn = t;
}

bool
parked_find(const struct turn *t, struct conversation **c, struct error *e)
{
	*c = NULL;
	return true;
}

bool
parked_is_answered_by(const struct prompt *p)
{
	return false;
}

json_t *
parked_results(const struct conversation *c, const struct prompt *p)
{
	return json_array();
}

void
parked_keep(const struct job *its, struct conversation *c)
{
}

json_t *
prompt_beside_results(const struct prompt *p)
{
	return json_array();
}

void
conversation_answer(struct conversation *c, const char *model,
		    const struct options *options, const json_t *results,
		    const json_t *messages)
{
}

void
conversation_say(struct conversation *c, const char *model,
		 const struct options *options, const json_t *messages,
		 size_t from)
{
	json_decref(did.said);
	did.said = json_array();
	for (size_t i = from; i < json_array_size(messages); i++)
		json_array_append(did.said, json_array_get(messages, i));
}

void
conversation_stop(struct conversation *c, const struct error *e)
{
}

void
conversation_retire(struct conversation *c)
{
	did.retires++;
}

void
conversation_dismiss(struct conversation *c)
{
	did.dismissals++;
}

void
conversation_unblock(struct conversation *c)
{
}

char *
conversation_take_meanwhile(struct conversation *c)
{
	return NULL;
}

bool
instance_takes_turns(const struct instance *inst)
{
	return true;
}

bool
evict_for_room(struct pool *p)
{
	return has_room;
}

uint64_t
crashes_pause(const struct crashes *c, const char *session)
{
	return pause_ms;
}

void
health_choose_harness(struct cli_health *h)
{
}

bool
health_is_set_up(const struct cli_health *h, struct error *e)
{
	return true;
}

void
health_learn(struct cli_health *h, const struct error *e)
{
}

void
failure_settle(struct error *e)
{
}

bool
sessions_find(struct sessions *all, const char *session, struct session **list,
	      size_t *n, struct error *e)
{
	return false;
}

void
sessions_save(struct sessions *all, const struct session *s,
	      const struct checkpoint *k, bool *unsaved)
{
	did.saves++;
}

void
prompt_fini(struct prompt *p)
{
}

size_t
prompt_unanswered(const struct prompt *p)
{
	return 0;
}

size_t
prompt_history(const struct prompt *p)
{
	return 1;
}

json_t *
prompt_begin(const struct prompt *p, size_t n)
{
	return json_array();
}

json_t *
prompt_told(const struct prompt *p)
{
	return p->messages;
}

bool
job_attach(const struct turn *t, bool anew, struct error *e)
{
	did.attaches++;
	return !no_files || fail_with(e, no_files, "no file");
}

uint64_t
prompt_hash(const struct prompt *p, size_t from)
{
	return 1;
}

uint64_t
prompt_question(const struct prompt *p, size_t from)
{
	return 1;
}

void
turn_drop_body(struct turn *t)
{
}

void
turn_give_room(struct turn *t)
{
}

void
turn_started(struct turn *t, const struct acceptance *a)
{
	size_t n = strlen(did.standings);

	snprintf(did.standings + n, sizeof did.standings - n, "%s ", a->how);
}

void
turn_text(struct turn *t, struct str s)
{
	snprintf(did.text, sizeof did.text, STR_FMT, STR_ARG(s));
}

uint64_t
answer_add(uint64_t answer, struct str text)
{
	return answer + text.len;
}

void
turn_meanwhile(struct turn *t, struct str s)
{
}

void
turn_finish(struct turn *t, enum finish_reason reason,
	    const struct usage *usage, const char *model)
{
	did.finishes++;
	did.input = usage ? usage->input.count : 0;
}

void
turn_fail(struct turn *t, const struct error *e)
{
	did.failures++;
	did.code = e->code;
	snprintf(did.why, sizeof did.why, "%s", e->text);
}

static int
setup(void **state)
{
	memset(&did, 0, sizeof did);
	worker = (struct worker){ .loop = LOOP_INIT,
				  .name = "test",
				  .self = &self };
	self = (struct engine_self){ .worker = &worker,
				     .pool.executor = &executor,
				     .pool.harness = &harness,
				     .pool.worker = &worker };
	conversation = (struct conversation){ .cli_id = "id",
					      .state = CONVERSATION_BUSY };
	turn = (struct turn){ .worker = &worker, .session = (char *)"s" };
	job = turn.work = xcalloc(1, sizeof *job);
	job->turn = &turn;
	job->has_standing = true;
	is_known = true;
	has_room = false;
	pause_ms = 0;
	no_start = no_files = ERR_NONE;
	return 0;
}

static int
teardown(void **state)
{
	if (turn.work)
		checkpoint_fini(&job->on.session.newest);
	job_forget(&turn);
	json_decref(did.said);
	json_decref(did.history);
	buf_fini(&conversation.held);
	loop_fini(&worker.loop);
	return 0;
}

static void
pause_is_over(void)
{
	assert_true(timer_is_set(&job->pause));
	loop_unset(&worker.loop, &job->pause);
	job->pause.fire(&job->pause);
}

static void
ends(struct outcome o)
{
	conversation.turn = NULL;
	job_over(&turn, &conversation, &o);
}

static const struct error crash = { .code = ERR_CRASHED, .text = "it crashed" };

/* ---- what it promises ---- */

static void
a_session_that_was_lost_is_begun_anew_and_told_so_once(void **state)
{
	job_start(&turn);
	assert_true(did.resumed);
	assert_string_equal(did.position, "place");
	job_ready(&conversation);
	ends((struct outcome){ .lost = true });
	assert_true(did.resumed); /* at the end of its records */
	assert_null(did.position);
	job_ready(&conversation);
	ends((struct outcome){ .lost = true });
	assert_false(did.resumed);
	assert_true(did.had_history);
	job_ready(&conversation);
	assert_string_equal(did.standings, "");
	job_spoke(&conversation);
	job_spoke(&conversation);
	ends((struct outcome){ 0 });
	assert_string_equal(did.standings, "replayed ");
	assert_int_equal(did.finishes, 1);
}

/* They are read when their turn begins, and again for a conversation that is
 * begun anew. */
static void
a_file_that_is_gone_fails_the_turn(void **state)
{
	no_files = ERR_INVALID;
	job_start(&turn);
	assert_int_equal(did.starts, 0);
	assert_int_equal(did.failures, 1);
	assert_int_equal(did.code, ERR_INVALID);
}

static void
a_session_that_was_lost_needs_its_files_again(void **state)
{
	job_start(&turn);
	job_ready(&conversation);
	ends((struct outcome){ .lost = true });
	assert_int_equal(did.attaches, 1);
	no_files = ERR_INVALID;
	ends((struct outcome){ .lost = true });
	assert_int_equal(did.attaches, 2);
	assert_int_equal(did.starts, 2);
	assert_int_equal(did.failures, 1);
}

static void
an_answer_without_a_word_says_how_too(void **state)
{
	job_start(&turn);
	job_ready(&conversation);
	ends((struct outcome){ 0 });
	assert_string_equal(did.standings, "resumed ");
	assert_int_equal(did.saves, 1);
}

static void
a_new_conversation_that_is_lost_fails(void **state)
{
	is_known = false;
	job_start(&turn);
	ends((struct outcome){ .lost = true });
	assert_int_equal(did.failures, 1);
	assert_int_equal(did.code, ERR_HARNESS);
}

static void
what_has_happened_in_a_pause_counts(void **state)
{
	pause_ms = 1000;
	job_start(&turn);
	assert_int_equal(did.starts, 0);
	is_known = false; /* the session was deleted */
	pause_is_over();
	assert_int_equal(did.starts, 1);
	assert_false(did.resumed);
	assert_true(did.had_history);
}

static void
what_has_happened_while_a_turn_waited_counts(void **state)
{
	job_start(&turn);
	is_known = false;
	ends((struct outcome){ .not_begun = true, .error = &crash });
	assert_int_equal(did.starts, 2);
	assert_false(did.resumed);
	assert_int_equal(did.failures, 0);
}

static void
a_session_that_was_lost_stays_lost_while_it_waits_for_room(void **state)
{
	job_start(&turn);
	job->at_end = true;
	no_start = ERR_NO_PROCESS;
	has_room = true;
	ends((struct outcome){ .lost = true });
	assert_false(did.resumed);
	no_start = ERR_NONE;
	pause_is_over();
	assert_int_equal(did.decisions, 1);
	assert_false(did.resumed);
	assert_int_equal(did.gives, 2);
}

static void
a_crash_at_the_start_is_tried_once_more(void **state)
{
	const struct outcome o = { .at_start = true, .error = &crash };

	job->at_end = true;
	job_start(&turn);
	ends(o);
	assert_true(did.resumed);
	ends(o);
	assert_false(did.resumed);
	ends(o);
	assert_int_equal(did.starts, 3);
	assert_int_equal(did.failures, 1);
}

static void
a_conversation_whose_first_turn_failed_is_not_gone_on_with(void **state)
{
	is_known = false;
	job_start(&turn);
	job_ready(&conversation);
	ends((struct outcome){ .error = &crash });
	assert_int_equal(did.dismissals, 1);
	assert_int_equal(did.saves, 0);
	assert_int_equal(did.code, ERR_CRASHED);
}

/* A turn whose answer is to be {"n":<number>}. */
static void
begin_for_json(void)
{
	job->options = (struct options){
		.format = FORMAT_SCHEMA,
		.schema = json_pack("{s:s, s:{s:{s:{s:s}}}}", "name", "x",
				    "schema", "properties", "n", "type",
				    "number"),
	};
	job->prompt.messages =
		json_pack("[{s:s, s:[{s:s, s:s}]}]", "role", "user", "content",
			  "type", "text", "text", "how many?");
	job_start(&turn);
	job_ready(&conversation);
	job_spoke(&conversation);
}

/* What the CLI has said, and that its turn ends; then whether it is asked
 * again. */
static bool
is_asked_again(const char *said, enum finish_reason reason, struct outcome *o)
{
	static const struct usage used = { .input = { .is_known = true,
						      .count = 7 } };

	*o = (struct outcome){ .reason = reason, .usage = &used };
	buf_fini(&conversation.held);
	conversation.held = BUF_INIT(1000);
	buf_put(&conversation.held, str_of(said));
	return job_asks_again(&conversation, o);
}

static const char *
last_said(void)
{
	const json_t *last =
		json_array_get(did.said, json_array_size(did.said) - 1);
	const json_t *content = json_object_get(last, "content");

	return json_string_value(json_object_get(
		json_array_get(content, json_array_size(content) - 1), "text"));
}

static void
an_answer_that_fits_is_told_when_the_turn_has_ended(void **state)
{
	struct outcome o;

	begin_for_json();
	assert_non_null(strstr(last_said(), "JSON Schema"));
	assert_string_equal(did.text, "");
	assert_false(is_asked_again("```\n{\"n\":1}\n```", FINISH_STOP, &o));
	assert_string_equal(did.text, "{\"n\":1}");
	assert_true(conversation.answer ==
		    answer_add(ANSWER_EMPTY, STR("{\"n\":1}")));
	ends(o);
	assert_int_equal(did.finishes, 1);
	assert_int_equal(did.input, 7);
	json_decref(job->prompt.messages);
}

static void
an_answer_that_does_not_fit_is_asked_for_again_once(void **state)
{
	struct outcome o;

	begin_for_json();
	assert_true(is_asked_again("{\"n\":\"1\"}", FINISH_STOP, &o));
	job_ready(&conversation);
	assert_int_equal(json_array_size(did.said), 1);
	assert_non_null(strstr(last_said(), "$.n: must be of the type number"));
	assert_string_equal(did.text, "");
	assert_false(is_asked_again("{\"n\":null}", FINISH_STOP, &o));
	assert_non_null(o.error);
	ends(o);
	assert_string_equal(did.text, "");
	assert_int_equal(did.starts, 1);
	assert_int_equal(did.code, ERR_INVALID_OUTPUT);
	assert_non_null(strstr(did.why, "$.n: must be of the type number, and "
					"is null"));
	json_decref(job->prompt.messages);
}

static void
both_tries_are_counted(void **state)
{
	struct outcome o;

	begin_for_json();
	assert_true(is_asked_again("no", FINISH_STOP, &o));
	job_ready(&conversation);
	assert_false(is_asked_again("{\"n\":2}", FINISH_STOP, &o));
	ends(o);
	assert_int_equal(did.finishes, 1);
	assert_int_equal(did.input, 14);
	json_decref(job->prompt.messages);
}

static void
an_answer_that_was_cut_is_not_asked_for_again(void **state)
{
	struct outcome o;

	begin_for_json();
	assert_false(is_asked_again("{\"n\":", FINISH_LENGTH, &o));
	ends(o);
	assert_int_equal(did.code, ERR_INVALID_OUTPUT);
	assert_non_null(strstr(did.why, "ended early (length)"));
	json_decref(job->prompt.messages);
}

/* The process ends with its turn: the conversation is resumed, if it is kept.
 */
static void
it_is_asked_again_in_another_process(void **state)
{
	struct outcome o;

	is_known = false;
	begin_for_json();
	conversation.kept = true;
	assert_true(is_asked_again("no", FINISH_STOP, &o));
	ends(o);
	assert_int_equal(did.starts, 2);
	assert_true(did.resumed);
	assert_false(did.had_history);
	job_ready(&conversation);
	assert_int_equal(json_array_size(did.said), 1);
	assert_false(is_asked_again("{}", FINISH_STOP, &o));
	ends(o);
	assert_int_equal(did.finishes, 1);
	json_decref(job->prompt.messages);
}

static void
or_in_another_conversation_behind_all_that_was_said(void **state)
{
	struct outcome o;

	begin_for_json();
	conversation.kept = false;
	assert_true(is_asked_again("no", FINISH_STOP, &o));
	ends(o);
	assert_false(did.resumed);
	assert_int_equal(json_array_size(did.history), 2);
	job_ready(&conversation);
	assert_int_equal(json_array_size(did.said), 1);
	assert_non_null(strstr(last_said(), "it is not JSON"));
	json_decref(job->prompt.messages);
}

static void
a_session_that_is_deleted_under_its_turn_is_not_saved(void **state)
{
	job_start(&turn);
	job_ready(&conversation);
	job->forgotten = true;
	ends((struct outcome){ 0 });
	assert_int_equal(did.saves, 0);
	assert_int_equal(did.dismissals, 1);
	assert_int_equal(did.finishes, 1);
}

static void
a_turn_that_is_cancelled_in_a_pause_starts_nothing(void **state)
{
	pause_ms = 1000;
	job_start(&turn);
	job_cancel(&turn);
	assert_int_equal(did.code, ERR_CANCELLED);
	job_forget(&turn);
	assert_int_equal(did.starts, 0);
	assert_null(turn.work);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(an_answer_that_fits_is_told_when_the_turn_has_ended),
		TEST(an_answer_that_does_not_fit_is_asked_for_again_once),
		TEST(both_tries_are_counted),
		TEST(an_answer_that_was_cut_is_not_asked_for_again),
		TEST(it_is_asked_again_in_another_process),
		TEST(or_in_another_conversation_behind_all_that_was_said),
		TEST(a_session_that_was_lost_is_begun_anew_and_told_so_once),
		TEST(a_file_that_is_gone_fails_the_turn),
		TEST(a_session_that_was_lost_needs_its_files_again),
		TEST(an_answer_without_a_word_says_how_too),
		TEST(a_new_conversation_that_is_lost_fails),
		TEST(what_has_happened_in_a_pause_counts),
		TEST(what_has_happened_while_a_turn_waited_counts),
		TEST(a_session_that_was_lost_stays_lost_while_it_waits_for_room),
		TEST(a_crash_at_the_start_is_tried_once_more),
		TEST(a_conversation_whose_first_turn_failed_is_not_gone_on_with),
		TEST(a_session_that_is_deleted_under_its_turn_is_not_saved),
		TEST(a_turn_that_is_cancelled_in_a_pause_starts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
