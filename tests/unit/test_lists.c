/* Lists have every field that clients insist on, whatever the workers say */
#include "gateway/checkup.h"
#include "gateway/fan_out.h"
#include "gateway/gateway.h"
#include "gateway/routes.h"
#include "tests/unit/answers.h"

static struct gateway gateway;
static struct request request;
static struct msg reply; /* of the one worker that there is */

void __wrap_fan_out_start(struct fan_out *, struct workers *,
			  const struct inquiry *);
const char *__wrap_request_argument(const struct request *, const char *name);
void __wrap_checkup_start(struct gateway *, struct request *,
			  void (*done)(struct checkup *));

static const char *limit, *asked; /* arguments of the request */

/* In the place of workers: the reply is there at once. */
void
__wrap_fan_out_start(struct fan_out *f, struct workers *w,
		     const struct inquiry *what)
{
	f->take(f, &reply);
	f->done(f);
	json_decref(f->rows);
	json_decref(f->backends);
	free(f->wanted);
	free(f);
}

/* In the place of the supervisor. */
void
__wrap_checkup_start(struct gateway *g, struct request *r,
		     void (*done)(struct checkup *))
{
	struct checkup c = { .gateway = g, .request = r };

	c.backends = json_pack("[{s:s, s:s, s:s, s:n}]", "name", "echo",
			       "state", "ready", "version", "1.2", "detail");
	done(&c);
	json_decref(c.backends);
}

const char *
__wrap_request_argument(const struct request *r, const char *name)
{
	return !strcmp(name, "limit")	? limit
	       : !strcmp(name, "model") ? asked
					: NULL;
}

static void
asks(handler_fn *handler, const char *path)
{
	const char *allow;

	answers_init(&request);
	request.http = &gateway.http;
	request.path = (char *)path;
	must(routes_find(STR("GET"), str_of(path), &request.route, &allow, &e));
	handler(&gateway, &request);
	assert_int_equal(answered.count, 1);
}

static void
lists_models(const char *rows)
{
	reply = (struct msg){ .type = MSG_MODELS };
	reply.body.models.rows = str_of(rows);
	asks(handle_list_models, "/v1/models");
}

static void
a_row_that_says_little_is_completed(void **state)
{
	lists_models("[{\"id\":\"a/b\"}]");
	assert_string_equal(answered.body,
			    "{\"object\":\"list\",\"data\":[{\"id\":\"a/b\","
			    "\"object\":\"model\",\"created\":0,"
			    "\"owned_by\":\"cli-bridge\"}],"
			    "\"has_more\":false}");
	answers_fini(&request);
}

static void
what_a_row_says_is_kept(void **state)
{
	static const char row[] =
		"{\"id\":\"a/b\",\"object\":\"model\",\"created\":7,"
		"\"owned_by\":\"a\",\"name\":\"B\",\"context_length\":9}";
	auto_free char *rows = copy_format("[%s]", row);
	auto_free char *want = copy_format(
		"{\"object\":\"list\",\"data\":[%s],\"has_more\":false}", row);

	lists_models(rows);
	assert_string_equal(answered.body, want);
	answers_fini(&request);
}

#define EMPTY "{\"object\":\"list\",\"data\":[],\"has_more\":false}"

static void
no_models_are_an_empty_list(void **state)
{
	lists_models("[]");
	assert_string_equal(answered.body, EMPTY);
	answers_fini(&request);
	lists_models("nonsense");
	assert_string_equal(answered.body, EMPTY);
	answers_fini(&request);
}

static void
a_list_that_is_cut_says_so(void **state)
{
	reply = (struct msg){ .type = MSG_MODELS };
	reply.body.models.rows = STR("[]");
	reply.body.models.has_more = 1;
	asks(handle_list_models, "/v1/models");
	assert_non_null(strstr(answered.body, "\"has_more\":true"));
	answers_fini(&request);
}

static void
shows(const char *path, int status, const char *id)
{
	json_t *model;

	reply = (struct msg){ .type = MSG_MODELS };
	reply.body.models.rows = STR("[{\"id\":\"echo/b/c\"}]");
	asks(handle_show_model, path);
	assert_int_equal(answered.status, status);
	model = answers_json();
	if (id) {
		assert_string_equal(
			json_string_value(json_object_get(model, "id")), id);
		assert_non_null(json_object_get(model, "created"));
		assert_non_null(json_object_get(model, "owned_by"));
	}
	json_decref(model);
	answers_fini(&request);
}

static void
one_model_is_found_by_any_spelling_of_its_id(void **state)
{
	shows("/v1/models/echo/b/c", 200, "echo/b/c");
	shows("/v1/models/echo%2Fb%2Fc", 200, "echo/b/c");
	shows("/models/bridge/echo/b/c", 200, "echo/b/c");
	shows("/v1/models/echo", 200, "echo");
	shows("/v1/models/echo/x", 404, NULL);
	shows("/v1/models/nobody", 404, NULL);
}

static void
sessions_are_newest_first_and_no_more_than_asked_for(void **state)
{
	reply = (struct msg){ .type = MSG_SESSIONS };
	reply.body.sessions.rows = STR("[{\"id\":\"a\",\"last_used_at\":1},"
				       "{\"id\":\"b\",\"last_used_at\":3},"
				       "{\"id\":\"c\",\"last_used_at\":2}]");
	limit = "2";
	asks(handle_list_sessions, "/v1/sessions");
	limit = NULL;
	assert_non_null(strstr(answered.body,
			       "\"data\":[{\"id\":\"b\",\"last_used_at\":3},"
			       "{\"id\":\"c\",\"last_used_at\":2}]"));
	assert_non_null(strstr(answered.body, "\"has_more\":true"));
	answers_fini(&request);
}

static void
describes(const char *path, const char *of)
{
	reply = (struct msg){ .type = MSG_DESCRIPTION };
	reply.body.description.name = STR("echo");
	reply.body.description.row = STR("{\"modes\":{\"byob\":\"native\"}}");
	asked = of;
	asks(handle_show_capabilities, path);
	asked = NULL;
}

#define DESCRIBED                                                            \
	"{\"harness\":\"echo\",\"prefixes\":[\"echo\"],\"state\":\"ready\"," \
	"\"version\":\"1.2\",\"detail\":null,\"modes\":{\"byob\":\"native\"}"

static void
a_worker_describes_what_it_can(void **state)
{
	describes("/v1/capabilities", NULL);
	assert_string_equal(answered.body,
			    "{\"object\":\"list\",\"data\":[" DESCRIBED
			    "}],\"has_more\":false}");
	answers_fini(&request);
	describes("/v1/capabilities", "bridge/Echo/any");
	assert_string_equal(answered.body,
			    DESCRIBED ",\"object\":\"capabilities\","
				      "\"model\":\"bridge/Echo/any\"}");
	answers_fini(&request);
}

static void
a_worker_that_does_not_run_is_described_by_the_list(void **state)
{
	json_t *document, *modes;

	reply = (struct msg){ .type = MSG_REFUSED };
	asks(handle_show_capabilities, "/v1/capabilities");
	document = answers_json();
	modes = json_object_get(
		json_array_get(json_object_get(document, "data"), 0), "modes");
	assert_int_equal(json_object_size(modes), 2);
	json_decref(document);
	answers_fini(&request);
}

static void
a_model_that_no_request_could_have_has_no_capabilities(void **state)
{
	static const struct {
		const char *model;
		int status;
	} of[] = { { "nobody/x", 404 }, { "", 400 }, { "\xff", 400 } };

	for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
		describes("/v1/capabilities", of[i].model);
		assert_int_equal(answered.status, of[i].status);
		assert_non_null(strstr(answered.body, "\"param\":\"model\""));
		answers_fini(&request);
	}
}

static int
set_up(void **state)
{
	struct error e;

	return !workers_init(&gateway.workers, "echo", "echo=echo", &e);
}

static int
tear_down(void **state)
{
	workers_fini(&gateway.workers);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_that_says_little_is_completed),
		cmocka_unit_test(what_a_row_says_is_kept),
		cmocka_unit_test(no_models_are_an_empty_list),
		cmocka_unit_test(a_list_that_is_cut_says_so),
		cmocka_unit_test(one_model_is_found_by_any_spelling_of_its_id),
		cmocka_unit_test(
			sessions_are_newest_first_and_no_more_than_asked_for),
		cmocka_unit_test(a_worker_describes_what_it_can),
		cmocka_unit_test(
			a_worker_that_does_not_run_is_described_by_the_list),
		cmocka_unit_test(
			a_model_that_no_request_could_have_has_no_capabilities),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
