/* What workers/cli/web_url promises. */
#include "tests/unit/unit.h"

#include "workers/cli/web_url.h"

static void
what_everybody_can_reach_is_handed_on(void **state)
{
	static const char *const public[] = {
		"https://images.example/cat.png",
		"http://images.example",
		"HTTPS://Images.Example:8443/a?b=c@d#e",
		"https://a_b.example./x",
		"https://xn--bcher-kva.example/",
		"https://93.184.216.34/a",
		"https://1.1.1.1:443/",
		"https://[2606:2800:220:1:248:1893:25c8:1946]/",
		"https://[2606:4700::1111]:8080/a",
		"https://[64:ff9b::5db8:d822]/",
		"https://10.0.0.1.nip.example/",
		"https://notlocalhost.example/",
		"https://mylan.example/x",
	};
	const char *problem;

	for (size_t i = 0; i < sizeof public / sizeof *public; i++) {
		if (!web_url_is_public(str_of(public[i]), &problem))
			fail_msg("%s: %s", public[i], problem);
		assert_null(problem);
	}
}

static void
what_others_cannot_reach_is_not(void **state)
{
	static const char *const private[] = {
		"http://localhost/",
		"http://LOCALHOST:80/",
		"http://localhost./",
		"http://a.localhost/",
		"http://intranet/",
		"http://printer.local/",
		"http://metadata.google.internal/",
		"http://router.lan/",
		"http://nas.home.arpa/",
		"http://127.0.0.1/",
		"http://127.0.0.1./",
		"http://127.8.9.10:9/a",
		"http://0.0.0.0/",
		"http://10.1.2.3/",
		"http://100.64.0.1/",
		"http://169.254.169.254/latest/meta-data/",
		"http://172.16.0.1/",
		"http://172.31.255.255/",
		"http://192.168.1.1/",
		"http://192.0.0.192/",
		"http://198.18.0.1/",
		"http://224.0.0.1/",
		"http://255.255.255.255/",
		"http://[::]/",
		"http://[::1]/",
		"http://[::ffff:127.0.0.1]/",
		"http://[::ffff:7f00:1]/",
		"http://[::ffff:8.8.8.8]/",
		"http://[::127.0.0.1]/",
		"http://[64:ff9b::7f00:1]/",
		"http://[64:ff9b::a9fe:a9fe]/",
		"http://[2002:7f00:1::]/",
		"http://[2002:c0a8:101::1]/",
		"http://[2001:0:4136:e378::]/",
		"http://[2001:db8::1]/",
		"http://[fe80::1]/",
		"http://[fe80::1%25eth0]/",
		"http://[fc00::1]/",
		"http://[fd00:ec2::254]/",
		"http://[ff02::1]/",
		"http://[100::1]/",
	};
	const char *problem;

	for (size_t i = 0; i < sizeof private / sizeof *private; i++) {
		if (web_url_is_public(str_of(private[i]), &problem))
			fail_msg("%s", private[i]);
		assert_non_null(problem);
	}
}

/* Two programs may read these in two ways. */
static void
what_can_be_read_in_two_ways_is_not(void **state)
{
	static const struct str odd[] = {
		STR(""),
		STR("http:"),
		STR("http://"),
		STR("http:///a"),
		STR("http:/a.example"),
		STR("http:a.example"),
		STR("http://:80/"),
		STR("http://./"),
		STR("ftp://a.example/"),
		STR("file:///etc/passwd"),
		STR("http://2130706433/"),
		STR("http://0x7f000001/"),
		STR("http://0x7f.1/"),
		STR("http://0X7F.0.0.1/"),
		STR("http://017700000001/"),
		STR("http://0177.0.0.1/"),
		STR("http://127.1/"),
		STR("http://127.0.1/"),
		STR("http://1.2.3.4.5/"),
		STR("http://8.8.8.08/"),
		STR("http://a.example.0x7f/"),
		STR("http://8.8.8.8\xe3\x80\x82/"),
		STR("http://user@a.example/"),
		STR("http://a.example@127.0.0.1/"),
		STR("http://a.example:80@127.0.0.1/"),
		STR("http://127.0.0.1\\@a.example/"),
		STR("http://a.example\\.127.0.0.1/"),
		STR("http://a.example:port/"),
		STR("http://a.example:123456/"),
		STR("http://a.example:80:80/"),
		STR("http://127%2e0.0.1/"),
		STR("http://loc%61lhost/"),
		STR("http://\xe2\x93\x81ocalhost/"),
		STR("http://\xef\xbc\x91"
		    "27.0.0.1/"),
		STR("http://a .example/"),
		STR("http://a.example/\n"),
		STR("http://a.example\t/"),
		STR("http://a.example\0.127.0.0.1/"),
		STR("http://[::1/"),
		STR("http://[::1]a/"),
		STR("http://[a.example]/"),
		STR("http://[2606:4700::1111\0]/"),
		STR(" http://a.example/"),
	};
	const char *problem;

	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		if (web_url_is_public(odd[i], &problem))
			fail_msg("%s", odd[i].ptr);
		assert_non_null(problem);
	}
}

static void
a_url_has_an_end(void **state)
{
	char url[3000];
	const char *problem;

	memset(url, 'a', sizeof url);
	memcpy(url, "https://a.example/", 18);
	assert_true(web_url_is_public((struct str){ url, 2000 }, &problem));
	assert_false(web_url_is_public((struct str){ url, 3000 }, &problem));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_everybody_can_reach_is_handed_on),
		cmocka_unit_test(what_others_cannot_reach_is_not),
		cmocka_unit_test(what_can_be_read_in_two_ways_is_not),
		cmocka_unit_test(a_url_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
