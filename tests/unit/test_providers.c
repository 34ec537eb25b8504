/* What workers/passthrough/providers promises. */
#include "unit.h"

#include <stdlib.h>

#include "workers/passthrough/providers.h"

static struct providers all;

static int
setup(void **state)
{
	clearenv();
	return 0;
}

static int
teardown(void **state)
{
	providers_fini(&all);
	return 0;
}

static void
set(const char *variable, const char *value)
{
	assert_int_equal(setenv(variable, value, 1), 0);
}

static const struct provider *
reads(const char *name)
{
	const struct provider *p;

	must(providers_read(&all, &e));
	p = providers_find(&all, name);
	assert_non_null(p);
	return p;
}

static void
describes(const char *want)
{
	struct buf detail = BUF_INIT(4096);

	assert_int_equal(providers_describe(&all, &detail),
			 !strncmp(want, "providers", 9));
	assert_str(buf_str(&detail), want);
	buf_fini(&detail);
}

static void
a_vendor_without_a_key_is_known_but_not_usable(void **state)
{
	const struct provider *p = reads("OpenAI");

	assert_false(p->usable);
	assert_string_equal(p->name, "openai");
	assert_string_equal(p->key_variable, "OPENAI_API_KEY");
	assert_string_equal(p->base_url, "https://api.openai.com/v1");
	assert_string_equal(p->host, "api.openai.com");
	assert_null(providers_find(&all, "open"));
	describes("no provider has a key: set OPENAI_API_KEY, "
		  "ANTHROPIC_API_KEY, MOONSHOT_API_KEY, ZAI_API_KEY or "
		  "BRIDGE_PROVIDER_<NAME>_BASE_URL");
}

static void
a_key_makes_it_usable(void **state)
{
	set("OPENAI_API_KEY", "");
	set("ZAI_API_KEY", " k1 ");
	assert_string_equal(reads("zai")->key, "k1");
	describes("providers: zai");
}

static void
the_environment_moves_a_vendor(void **state)
{
	const struct provider *p;

	set("OPENAI_API_KEY", "theirs");
	set("BRIDGE_PROVIDER_OPENAI_BASE_URL", "http://127.0.0.1:8080/v1//");
	p = reads("openai");
	assert_string_equal(p->base_url, "http://127.0.0.1:8080/v1");
	assert_string_equal(p->host, "127.0.0.1:8080");
	assert_string_equal(p->key, "theirs");
	assert_true(p->is_local);
	providers_fini(&all);
	set("BRIDGE_PROVIDER_OPENAI_API_KEY", "mine");
	assert_string_equal(reads("openai")->key, "mine");
}

static void
the_environment_adds_a_provider_that_needs_no_key(void **state)
{
	const struct provider *p;

	set("BRIDGE_PROVIDER_MY_LAB_BASE_URL", "https://me:pw@lab.example");
	p = reads("my-LAB");
	assert_true(p->usable);
	assert_false(p->is_local);
	assert_null(p->key);
	assert_string_equal(p->name, "my_lab");
	assert_string_equal(p->host, "lab.example");
	assert_string_equal(p->base_url, "https://me:pw@lab.example");
	describes("providers: my_lab");
}

static void
this_machine_is_recognized(void **state)
{
	set("BRIDGE_PROVIDER_A_BASE_URL", "http://localhost");
	set("BRIDGE_PROVIDER_B_BASE_URL", "http://[::1]:80/");
	set("BRIDGE_PROVIDER_C_BASE_URL", "http://localhost.example/");
	assert_true(reads("a")->is_local);
	assert_true(providers_find(&all, "b")->is_local);
	assert_false(providers_find(&all, "c")->is_local);
}

static void
wrong_values_are_named(void **state)
{
	set("BRIDGE_PROVIDER_X_BASE_URL", "localhost:1");
	must_fail(ERR_INVALID,
		  "BRIDGE_PROVIDER_X_BASE_URL is \"localhost:1\", but a base "
		  "URL must begin with http:// or https://",
		  providers_read(&all, &e));
	providers_fini(&all);
	unsetenv("BRIDGE_PROVIDER_X_BASE_URL");
	set("OPENAI_API_KEY", "a\r\nb");
	must_fail(ERR_INVALID,
		  "OPENAI_API_KEY has white space or another character in it "
		  "that a key can't have: copy the key again",
		  providers_read(&all, &e));
}

static void
urls_that_are_none_are_refused(void **state)
{
	static const char *const urls[] = {
		"http://",    "https:///v1", "ftp://x", "http://a b",
		"http://a?b", "http://a#b",  "http:a",	"/",
	};

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct error e = { 0 };

		set("BRIDGE_PROVIDER_X_BASE_URL", urls[i]);
		assert_false(providers_read(&all, &e));
		assert_int_equal(e.code, ERR_INVALID);
		providers_fini(&all);
	}
}

#define env_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		env_test(a_vendor_without_a_key_is_known_but_not_usable),
		env_test(a_key_makes_it_usable),
		env_test(the_environment_moves_a_vendor),
		env_test(the_environment_adds_a_provider_that_needs_no_key),
		env_test(this_machine_is_recognized),
		env_test(wrong_values_are_named),
		env_test(urls_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
