/* routes finds who answers, and workers which worker a model leads to */
#include "gateway/workers.h"
#include "gateway/routes.h"
#include "tests/unit/unit.h"

static const struct route *route;
static const char *allow;
static struct workers workers;
static struct destination to;

static bool
finds(const char *method, const char *path, struct error *e)
{
	route = NULL;
	return routes_find(str_of(method), str_of(path), &route, &allow, e);
}

static void
paths_are_found_with_and_without_version_and_slash(void **state)
{
	static const char *const paths[] = { "/v1/models", "/models",
					     "/models/", "/v1/models//" };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		must(finds("GET", paths[i], &e));
		assert_ptr_equal(route->handler, handle_list_models);
	}
	must(finds("HEAD", "/", &e));
	assert_ptr_equal(route->handler, handle_root);
}

static void
the_root_is_found_with_and_without_version(void **state)
{
	static const char *const paths[] = { "/",    "//",   "/v1",
					     "/v1/", "//v1", "/v1//" };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		must(finds("GET", paths[i], &e));
		assert_ptr_equal(route->handler, handle_root);
	}
}

static void
a_slash_too_many_is_no_other_path(void **state)
{
	static const char *const paths[] = { "//v1/models", "///models",
					     "/v1//models", "//v1//models/" };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		must(finds("GET", paths[i], &e));
		assert_ptr_equal(route->handler, handle_list_models);
	}
}

static void
a_target_may_be_a_whole_url(void **state)
{
	must(finds("GET", "http://localhost:3344/v1/models", &e));
	assert_ptr_equal(route->handler, handle_list_models);
	must(finds("GET", "HTTPS://bridge.example//models", &e));
	assert_ptr_equal(route->handler, handle_list_models);
	must(finds("GET", "http://localhost", &e));
	assert_ptr_equal(route->handler, handle_root);
	must(finds("GET", "http://localhost/v1/models/a/b", &e));
	assert_ptr_equal(route->handler, handle_show_model);
	must_fail(ERR_NOT_FOUND, "there is nothing at \"http:/models\"",
		  finds("GET", "http:/models", &e));
	must_fail(ERR_NOT_FOUND, "there is nothing at \"ftp://a/models\"",
		  finds("GET", "ftp://a/models", &e));
}

static const char *
tail(const char *path)
{
	static char text[64];
	char *found auto_free = NULL;
	struct error e;

	if (!route_tail(route, str_of(path), &found, &e)) {
		assert_int_equal(e.code, ERR_INVALID);
		return NULL;
	}
	snprintf(text, sizeof text, "%s", found);
	return text;
}

static void
an_id_may_contain_slashes(void **state)
{
	must(finds("GET", "/v1/models/a/b/c", &e));
	assert_ptr_equal(route->handler, handle_show_model);
	assert_string_equal(tail("/v1/models/a/b/c"), "a/b/c");
	assert_string_equal(tail("//v1//models/a//b"), "a//b");
	assert_string_equal(tail("http://localhost/v1/models/a/b"), "a/b");
	must(finds("DELETE", "/sessions/x", &e));
	assert_string_equal(tail("/sessions/x"), "x");
}

static void
an_id_may_be_escaped(void **state)
{
	must(finds("DELETE", "/sessions/%2F", &e));
	assert_string_equal(tail("/sessions/a%2fb%2F/"), "a/b/");
	assert_string_equal(tail("/sessions/%C3%A4%25"), "\xc3\xa4%");
	assert_null(tail("/sessions/a%00b"));
	assert_null(tail("/sessions/a%0a"));
	assert_null(tail("/sessions/a%2"));
	assert_null(tail("/sessions/a%zz"));
	assert_null(tail("/sessions/%ff"));
}

static void
what_is_not_there_is_not_found(void **state)
{
	must_fail(ERR_NOT_FOUND, "there is nothing at \"/v2/models\"",
		  finds("GET", "/v2/models", &e));
	must_fail(ERR_NOT_FOUND, "there is nothing at \"/v1x\"",
		  finds("GET", "/v1x", &e));
	must_fail(ERR_NOT_FOUND, "there is nothing at \"/modelsx\"",
		  finds("GET", "/modelsx", &e));
	must_fail(ERR_NOT_FOUND, "there is nothing at \"\"",
		  finds("GET", "", &e));
}

static void
a_path_is_quoted_as_it_was_asked_for(void **state)
{
	must_fail(ERR_NOT_FOUND, "there is nothing at \"/v1/nothing/\"",
		  finds("GET", "/v1/nothing/", &e));
	must_fail(ERR_METHOD,
		  "\"/v1/models\" is answered to GET, HEAD, OPTIONS only",
		  finds("PUT", "/v1/models", &e));
}

static void
the_methods_there_are_are_named(void **state)
{
	struct error e;

	assert_false(finds("PUT", "/v1/models", &e));
	assert_int_equal(e.code, ERR_METHOD);
	assert_string_equal(allow, "GET, HEAD, OPTIONS");
	assert_false(finds("GET", "/v1/chat/completions", &e));
	assert_string_equal(allow, "POST, OPTIONS");
}

static bool
leads(const char *model, struct error *e)
{
	return workers_find(&workers, str_of(model), &to, e);
}

static void
a_prefix_leads_to_a_worker(void **state)
{
	must(leads("claude/opus", &e));
	assert_string_equal(to.link->name, "claude");
	assert_string_equal(to.prefix, "claude");
	assert_str(to.model, "opus");
	must(leads("bridge/CC/Some/Thing", &e));
	assert_string_equal(to.link->name, "claude");
	assert_string_equal(to.prefix, "cc");
	assert_str(to.model, "Some/Thing");
}

static void
a_prefix_alone_means_the_default(void **state)
{
	must(leads("echo", &e));
	assert_null(to.model.ptr);
	must(leads("echo/", &e));
	assert_null(to.model.ptr);
}

static void
a_harness_has_a_default_and_a_provider_has_none(void **state)
{
	must(leads("cc", &e));
	assert_true(workers_has_default(&workers, &to));
	must(leads("cc/opus", &e));
	assert_false(workers_has_default(&workers, &to));
	must(leads("openai", &e));
	assert_false(workers_has_default(&workers, &to));
}

static void
who_is_unknown_is_told_who_is_not(void **state)
{
	must_fail(ERR_NO_MODEL,
		  "there is no harness \"gpt-4o\"; a model is "
		  "<harness>/<model>, and the harnesses are: claude, cc, echo, "
		  "openai",
		  leads("gpt-4o", &e));
	must_fail(ERR_NO_MODEL,
		  "there is no harness \"\"; a model is <harness>/<model>, and "
		  "the harnesses are: claude, cc, echo, openai",
		  leads("bridge/", &e));
}

static void
a_route_to_nobody_is_refused(void **state)
{
	struct workers other = { 0 };

	must_fail(ERR_INVALID, "\"a=b\" is no route",
		  workers_init(&other, "c", "a=b", &e));
	workers_fini(&other);
}

static void
lists_change_as_a_whole_or_not_at_all(void **state)
{
	struct workers other = { 0 };
	const struct worker_link *echo;

	must(workers_init(&other, "claude echo", "claude=claude echo=echo",
			  &e));
	echo = workers_link(&other, STR("echo"));
	must_fail(ERR_INVALID, "\"x=nobody\" is no route",
		  workers_change(&other, "echo", "x=nobody", &e));
	assert_non_null(workers_link(&other, STR("claude")));
	must(workers_change(&other, "echo codex",
			    "echo=echo e=echo codex=codex", &e));
	assert_null(workers_link(&other, STR("claude")));
	assert_non_null(workers_link(&other, STR("codex")));
	assert_ptr_equal(workers_link(&other, STR("echo")), echo);
	must(workers_change(&other, "claude echo", "claude=claude echo=echo",
			    &e));
	assert_null(workers_link(&other, STR("codex")));
	assert_ptr_equal(workers_link(&other, STR("echo")), echo);
	workers_fini(&other);
}

static int
set_up(void **state)
{
	struct error e;

	return !workers_init(&workers, "claude echo passthrough",
			     "claude=claude cc=claude echo=echo "
			     "openai=passthrough",
			     &e);
}

static int
tear_down(void **state)
{
	workers_fini(&workers);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			paths_are_found_with_and_without_version_and_slash),
		cmocka_unit_test(the_root_is_found_with_and_without_version),
		cmocka_unit_test(a_slash_too_many_is_no_other_path),
		cmocka_unit_test(a_target_may_be_a_whole_url),
		cmocka_unit_test(an_id_may_contain_slashes),
		cmocka_unit_test(an_id_may_be_escaped),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(a_path_is_quoted_as_it_was_asked_for),
		cmocka_unit_test(the_methods_there_are_are_named),
		cmocka_unit_test(a_prefix_leads_to_a_worker),
		cmocka_unit_test(a_prefix_alone_means_the_default),
		cmocka_unit_test(who_is_unknown_is_told_who_is_not),
		cmocka_unit_test(
			a_harness_has_a_default_and_a_provider_has_none),
		cmocka_unit_test(a_route_to_nobody_is_refused),
		cmocka_unit_test(lists_change_as_a_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
