/* Which values of <NAME>_NET are right, and what each lets through. */
#include "unit.h"

#include <regex.h>

#include "workers/executor/docker/allowed.h"
#include "workers/executor/docker/way.h"

enum { MAX_FILTER_BYTES = 1 << 20, LONG_NAME = 254 };

/* As the proxy looks at a request: its lines are patterns. */
static bool
lets_through(const char *value, const char *request)
{
	struct allowed a;
	struct buf text = BUF_INIT(MAX_FILTER_BYTES);
	struct str rest, line;
	bool through = false;

	assert_true(allowed_read(&a, value));
	allowed_print_filter(&a, &text);
	rest = buf_str(&text);
	while (rest.len) {
		auto_free char *pattern = NULL;
		regex_t r;

		line = str_cut(rest, '\n', &rest);
		pattern = copy(line);
		assert_int_equal(regcomp(&r, pattern,
					 REG_NEWLINE | REG_NOSUB |
						 REG_EXTENDED | REG_ICASE),
				 0);
		through |= regexec(&r, request, 0, NULL, 0) == 0;
		regfree(&r);
	}
	buf_fini(&text);
	allowed_fini(&a);
	return through;
}

static void
a_name_means_its_usual_ports(void **state)
{
	static const char value[] = "allow:api.example.com";

	assert_true(lets_through(value, "api.example.com:443"));
	assert_true(lets_through(value, "API.Example.COM"));
	assert_true(lets_through(value, "http://api.example.com/a?b=c:d"));
	assert_true(lets_through(value, "http://api.example.com:80/"));
	assert_false(lets_through(value, "api.example.com:80"));
	assert_false(lets_through(value, "api.example.com:4430"));
	assert_false(lets_through(value, "http://api.example.com:443/"));
	assert_false(lets_through(value, "http://api.example.com:8080/"));
}

static void
a_port_means_that_port_alone(void **state)
{
	static const char value[] = "allow:127.0.0.1:8080";

	assert_true(lets_through(value, "127.0.0.1:8080"));
	assert_true(lets_through(value, "http://127.0.0.1:8080/v1"));
	assert_true(lets_through(value, "http://127.0.0.1:8080"));
	assert_false(lets_through(value, "127.0.0.1:443"));
	assert_false(lets_through(value, "127.0.0.1"));
	assert_false(lets_through(value, "127.0.0.1:80801"));
	assert_false(lets_through(value, "http://127.0.0.1/"));
	assert_false(lets_through(value, "http://127.0.0.1:80/"));
	assert_false(lets_through(value, "127.0.0.1.:8080"));
	assert_false(lets_through(value, "127x0.0.1:8080"));
}

static void
other_names_do_not_pass(void **state)
{
	static const char *const others[] = {
		"example.com:443",
		"xapi.example.com:443",
		"api.example.com.evil.example:443",
		"evil.example:443",
		"evil.example/api.example.com:443",
		"api.example.com@evil.example:443",
		"http://api.example.com@evil.example/",
		"http://api.example.com:80@evil.example/",
		"http://evil.example/http://api.example.com/",
		"http://evil.example/?api.example.com",
		"api.example.com:443:22",
		"api-example.com:443",
		"https://api.example.com/",
		"",
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_false(lets_through("allow:api.example.com", others[i]));
}

static void
a_star_means_names_below_and_not_the_name(void **state)
{
	static const char value[] = "allow:*.example.com";

	assert_true(lets_through(value, "a.example.com:443"));
	assert_true(lets_through(value, "a.b-c.d_e.example.com:443"));
	assert_true(lets_through(value, "http://a.example.com/"));
	assert_false(lets_through(value, "example.com:443"));
	assert_false(lets_through(value, ".example.com:443"));
	assert_false(lets_through(value, "aexample.com:443"));
	assert_false(lets_through(value, "evil.example/a.example.com:443"));
	assert_false(lets_through(value, "x@a.example.com:443"));
	assert_false(lets_through(value, "a.example.com.evil.example:443"));
}

static void
many_hosts_may_be_named(void **state)
{
	static const char value[] = "allow: a.example , B.example:99,c";

	assert_true(lets_through(value, "a.example:443"));
	assert_true(lets_through(value, "b.example:99"));
	assert_true(lets_through(value, "c:443"));
	assert_false(lets_through(value, "b.example:443"));
}

static void
a_value_that_is_not_right_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"api.example.com",
		"deny:a",
		"Allow:a",
		"allow:",
		"allow:,",
		"allow:a,",
		"allow:a,,b",
		"allow:a b",
		"allow:https://a.example",
		"allow:a.example/path",
		"allow:a.example:",
		"allow:a.example:0",
		"allow:a.example:65536",
		"allow:a.example:80a",
		"allow:a:1:2",
		"allow:*",
		"allow:*.",
		"allow:*a.example",
		"allow:a.*.example",
		"allow:.example",
		"allow:example.",
		"allow:a..example",
		"allow:[::1]",
		"allow:a\\.b",
		"allow:a|b",
		"allow:a\nb",
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct allowed a;

		if (allowed_read(&a, wrong[i]))
			fail_msg("taken: %s", wrong[i]);
		allowed_fini(&a);
	}
}

static void
a_name_or_a_list_may_not_be_too_long(void **state)
{
	struct buf value = BUF_INIT(MAX_FILTER_BYTES);
	struct allowed a;

	buf_print(&value, "allow:%0*d", LONG_NAME, 0);
	buf_put(&value, (struct str){ "", 1 });
	assert_false(allowed_read(&a, value.ptr));
	allowed_fini(&a);
	value.len = strlen("allow:");
	for (int i = 0; i <= MAX_ALLOWED; i++)
		buf_print(&value, "%sh%d", i ? "," : "", i);
	buf_put(&value, (struct str){ "", 1 });
	assert_false(allowed_read(&a, value.ptr));
	allowed_fini(&a);
	buf_fini(&value);
}

static void
loopback_is_reached_directly_unless_it_is_allowed(void **state)
{
	static const struct {
		const char *value, *direct;
	} rows[] = {
		{ "allow:a.example", "localhost,127.0.0.1,::1" },
		{ "allow:127.0.0.1:8080", "localhost,::1" },
		{ "allow:*.localhost", "localhost,127.0.0.1,::1" },
		{ "allow:localhost,127.0.0.1", "::1" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf text = BUF_INIT(MAX_LINE);
		struct allowed a;

		assert_true(allowed_read(&a, rows[i].value));
		allowed_print_direct(&a, &text);
		assert_str(buf_str(&text), rows[i].direct);
		buf_fini(&text);
		allowed_fini(&a);
	}
}

static void
none_is_right_and_is_no_list(void **state)
{
	struct allowed a;

	assert_true(allowed_read(&a, NULL));
	assert_int_equal(a.count, 0);
	allowed_fini(&a);
}

static void
programs_are_told_of_the_proxy_in_all_ways(void **state)
{
	struct words variables = { 0 };
	struct allowed a;

	assert_true(allowed_read(&a, "allow:a.example"));
	way_set_variables(&a, &variables);
	for (size_t i = 0; i < variables.len; i++) {
		struct str value,
			name = str_cut(str_of(variables.ptr[i]), '=', &value);

		assert_true(way_is_variable(name) ||
			    str_is(name, "NODE_USE_ENV_PROXY"));
	}
	assert_string_equal(words_value(&variables, "https_proxy"),
			    "http://127.0.0.1:3128");
	assert_string_equal(words_value(&variables, "HTTP_PROXY"),
			    "http://127.0.0.1:3128");
	assert_string_equal(words_value(&variables, "no_proxy"),
			    "localhost,127.0.0.1,::1");
	assert_false(way_is_variable(STR("HTTP_PROXY_X")));
	words_fini(&variables);
	allowed_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_means_its_usual_ports),
		cmocka_unit_test(a_port_means_that_port_alone),
		cmocka_unit_test(other_names_do_not_pass),
		cmocka_unit_test(a_star_means_names_below_and_not_the_name),
		cmocka_unit_test(many_hosts_may_be_named),
		cmocka_unit_test(a_value_that_is_not_right_is_refused),
		cmocka_unit_test(a_name_or_a_list_may_not_be_too_long),
		cmocka_unit_test(
			loopback_is_reached_directly_unless_it_is_allowed),
		cmocka_unit_test(none_is_right_and_is_no_list),
		cmocka_unit_test(programs_are_told_of_the_proxy_in_all_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
