/* What proto/provider promises. */
#include "unit.h"

#include "proto/provider.h"

static void
is_wrong(const char *url, const char *why)
{
	auto_free char *text =
		copy_format("X is \"%s\", but a base URL %s", url, why);

	must_fail(ERR_INVALID, text, provider_check_url("X", str_of(url), &e));
}

static void
what_is_wrong_with_an_address_is_said(void **state)
{
	static const char scheme[] = "must begin with http:// or https://",
			  host[] = "must name a host",
			  port[] = "must have a port from 1 to 65535, or none",
			  query[] = "must have no query: leave out what begins "
				    "with \"?\"",
			  fragment[] = "must have no fragment: leave out what "
				       "begins with \"#\"",
			  space[] = "must have no white space and no other "
				    "characters than those of ASCII";

	is_wrong("ftp://x", scheme);
	is_wrong("localhost:8080", scheme);
	is_wrong("http:a", scheme);
	is_wrong("/", scheme);
	is_wrong("https://", host);
	is_wrong("https:///v1", host);
	is_wrong("http://me:pw@/v1", host);
	is_wrong("http://:80", host);
	is_wrong("http://a:", port);
	is_wrong("http://a:0", port);
	is_wrong("http://a:65536", port);
	is_wrong("http://[::1]:x/v1", port);
	is_wrong("http://a?b", query);
	is_wrong("https://a/v1?key=1#c", query);
	is_wrong("http://a#b", fragment);
	is_wrong("http://a b", space);
	is_wrong("http://\xc3\xa4.example", space);
}

static void
a_long_address_is_refused_and_not_all_of_it_shown(void **state)
{
	char url[2100];
	struct error e = { 0 };

	memset(url, 'x', sizeof url);
	memcpy(url, "http://", 7);
	assert_false(
		provider_check_url("X", (struct str){ url, sizeof url }, &e));
	assert_non_null(strstr(e.text, "less than 2048 characters"));
}

static void
an_address_has_a_host(void **state)
{
	static const struct {
		const char *url, *host;
	} right[] = {
		{ "https://api.openai.com/v1", "api.openai.com" },
		{ "http://127.0.0.1:8080", "127.0.0.1:8080" },
		{ "http://[::1]:80/v1//", "[::1]:80" },
		{ "http://[::1]", "[::1]" },
		{ "https://me:p@w@lab.example/v1", "lab.example" },
	};

	for (size_t i = 0; i < sizeof right / sizeof *right; i++)
		assert_str(provider_host(str_of(right[i].url)), right[i].host);
	for (size_t i = 0; i < sizeof right / sizeof *right; i++)
		assert_int_equal(provider_is_local(str_of(right[i].url)),
				 i >= 1 && i <= 3);
	must(provider_check_url("X", STR("http://[::1]:80/v1//"), &e));
	must(provider_check_url("X", STR("https://a:b@c.example:443/"), &e));
}

static void
a_key_is_one_word(void **state)
{
	static const char why[] =
		"K has white space or another character in "
		"it that a key can't have: copy the key again";

	must(provider_check_key("K", STR("sk-_.1"), &e));
	must_fail(ERR_INVALID, why, provider_check_key("K", STR("a b"), &e));
	must_fail(ERR_INVALID, why, provider_check_key("K", STR("a\nb"), &e));
	must_fail(ERR_INVALID, why,
		  provider_check_key("K", STR("\xe2\x80\xa2"), &e));
}

static void
a_variable_names_its_provider(void **state)
{
	char name[MAX_NAME + 1] = "";

	assert_true(provider_read_name(name,
				       STR("BRIDGE_PROVIDER_My_LAB_BASE_URL"),
				       PROVIDER_BASE_URL));
	assert_string_equal(name, "my_lab");
	assert_false(provider_read_name(name, STR("BRIDGE_PROVIDER_X_API_KEY"),
					PROVIDER_BASE_URL));
	assert_false(provider_read_name(name, STR("BRIDGE_PROVIDER_BASE_URL"),
					PROVIDER_BASE_URL));
	assert_false(provider_read_name(
		name, STR("BRIDGE_PROVIDER_A-B_BASE_URL"), PROVIDER_BASE_URL));
	assert_string_equal(name, "my_lab");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_with_an_address_is_said),
		cmocka_unit_test(
			a_long_address_is_refused_and_not_all_of_it_shown),
		cmocka_unit_test(an_address_has_a_host),
		cmocka_unit_test(a_key_is_one_word),
		cmocka_unit_test(a_variable_names_its_provider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
