/* guard lets nobody in who has only tricked a browser */
#include "gateway/guard.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct settings settings;
static struct guard guard;

static bool
host(const char *name)
{
	struct error e = { 0 };
	bool ok = guard_host(&guard, str_of(name), &e);

	assert_true(ok || e.code == ERR_FORBIDDEN);
	return ok;
}

static bool
origin(const char *name)
{
	struct error e = { 0 };

	return guard_origin(&guard, str_of(name), &e);
}

static bool
key(const char *authorization)
{
	struct error e = { 0 };

	return guard_key(&guard, str_of(authorization), (struct str){ 0 }, &e);
}

static bool
keys(const char *authorization, const char *x_api_key, struct error *e)
{
	return guard_key(&guard, str_of(authorization), str_of(x_api_key), e);
}

static bool
type(const char *name)
{
	struct error e = { 0 };

	return guard_type(str_of(name), (struct str){ 0 }, &e);
}

static void
only_our_own_names_are_a_host(void **state)
{
	assert_true(host("localhost"));
	assert_true(host("LOCALHOST:3344"));
	assert_true(host("127.0.0.1:80"));
	assert_true(host("[::1]:3344"));
	assert_true(host("[::1]"));
	assert_true(host("bridge.example:1"));
	assert_false(host("evil.example"));
	assert_false(host("localhost.evil.example"));
	assert_false(host("127.0.0.1.evil.example"));
	assert_false(host(""));
	assert_true(host(NULL)); /* which no browser sends */
}

static void
behind_a_key_any_host_will_do(void **state)
{
	settings.bearer = (char *)"k";
	assert_false(host("evil.example")); /* loopback: still not */
	guard.is_loopback = false;
	assert_true(host("evil.example"));
	guard.is_loopback = true;
	settings.bearer = NULL;
}

static void
origins_must_be_named(void **state)
{
	assert_true(origin(NULL));
	assert_true(origin("https://app.example"));
	assert_false(origin("https://app.example.evil"));
	assert_false(origin("null"));
	assert_false(origin(""));
}

static void
any_origin_is_for_those_with_a_key(void **state)
{
	settings.allowed_origins = (char *)"*";
	assert_false(origin("https://x"));
	settings.bearer = (char *)"k";
	assert_true(origin("https://x"));
	settings.bearer = NULL;
	settings.allowed_origins = (char *)"https://app.example";
}

static void
the_key_must_be_right_to_the_last_byte(void **state)
{
	assert_true(key(NULL)); /* there is none */
	settings.bearer = (char *)"secret";
	assert_true(key("Bearer secret"));
	assert_true(key("bearer  secret"));
	assert_false(key("Bearer secre"));
	assert_false(key("Bearer secrets"));
	assert_false(key("Bearer secretsecret"));
	assert_false(key("Basic secret"));
	assert_false(key("secret"));
	assert_false(key("Bearer"));
	assert_false(key(NULL));
	settings.bearer = NULL;
}

/* No reader of settings makes one; the compare must bear it all the same. */
static void
no_key_fits_an_empty_secret(void **state)
{
	settings.bearer = (char *)"";
	assert_false(key("Bearer "));
	assert_false(key("Bearer x"));
	assert_false(key(NULL));
	settings.bearer = NULL;
}

static void
a_key_may_come_in_a_header_of_its_own(void **state)
{
	assert_true(keys(NULL, "any", &(struct error){ 0 })); /* none is set */
	settings.bearer = (char *)"secret";
	must(keys(NULL, "secret", &e));
	must(keys("", " secret ", &e));
	must(keys("Bearer secret", "", &e));
	must(keys("Bearer secret", "secret", &e));
	must_fail(ERR_UNAUTHORIZED, "the key in x-api-key is wrong",
		  keys(NULL, "secre", &e));
	must_fail(ERR_UNAUTHORIZED, "the key in x-api-key is wrong",
		  keys("Bearer secret", "x", &e));
	must_fail(ERR_UNAUTHORIZED, "the bearer in Authorization is wrong",
		  keys("Bearer x", "secret", &e));
	must_fail(ERR_UNAUTHORIZED,
		  "a key is needed: send \"Authorization: Bearer KEY\" or "
		  "\"x-api-key: KEY\"",
		  keys("", "", &e));
	settings.bearer = NULL;
}

static void
a_body_is_json(void **state)
{
	assert_true(type("application/json"));
	assert_true(type("Application/JSON; charset=utf-8"));
	assert_false(type("text/plain"));
	assert_false(type("application/jsonp"));
	assert_false(type(NULL));
}

static bool
may_listen(in_addr_t address, const char *bearer)
{
	const struct settings s = { .bearer = (char *)bearer };
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct guard g;
	struct error e = { 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool ok;

	a.sin_addr.s_addr = htonl(address);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	ok = guard_init(&g, &s, fd, &e);
	assert_true(ok || e.code == ERR_INVALID);
	close(fd);
	return ok;
}

static void
who_is_open_to_others_has_a_key(void **state)
{
	assert_true(may_listen(INADDR_LOOPBACK, NULL));
	assert_true(may_listen(INADDR_ANY, "secret"));
	assert_false(may_listen(INADDR_ANY, NULL));
}

static int
set_up(void **state)
{
	settings.allowed_hosts = (char *)"bridge.example";
	settings.allowed_origins = (char *)"https://app.example";
	guard = (struct guard){ .settings = &settings, .is_loopback = true };
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_our_own_names_are_a_host),
		cmocka_unit_test(behind_a_key_any_host_will_do),
		cmocka_unit_test(origins_must_be_named),
		cmocka_unit_test(any_origin_is_for_those_with_a_key),
		cmocka_unit_test(the_key_must_be_right_to_the_last_byte),
		cmocka_unit_test(a_key_may_come_in_a_header_of_its_own),
		cmocka_unit_test(no_key_fits_an_empty_secret),
		cmocka_unit_test(a_body_is_json),
		cmocka_unit_test(who_is_open_to_others_has_a_key),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
