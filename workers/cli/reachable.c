/*
 * cli-bridge-reachable - does an HTTP server answer at a URL, whatever it says?
 *
 *      cli-bridge-reachable <variable with an http:// or https:// URL>
 *
 * Exits with 0 if it does.  Otherwise it says why not on standard error and
 * exits with 1.  This is a program of its own so that workers which need
 * nothing else of HTTP do not load libcurl.
 */
#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>

enum { DEADLINE_MS = 3000 };

static size_t
pass_over(char *ptr, size_t one, size_t len, void *nobody)
{
	return len;
}

static CURLcode
ask(const char *url, char *words)
{
	CURL *easy = curl_easy_init();
	CURLcode r = CURLE_FAILED_INIT;

	if (!easy)
		return r;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)DEADLINE_MS);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, pass_over);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
	r = curl_easy_perform(easy);
	curl_easy_cleanup(easy);
	return r;
}

int
main(int argc, char *argv[])
{
	const char *url = argc == 2 ? getenv(argv[1]) : NULL;
	char words[CURL_ERROR_SIZE] = "";
	CURLcode r;

	if (!url || !*url) {
		fprintf(stderr,
			"cli-bridge-reachable is for cli-bridge only\n");
		return EXIT_FAILURE;
	}
	r = ask(url, words);
	if (r == CURLE_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "%s\n", *words ? words : curl_easy_strerror(r));
	return EXIT_FAILURE;
}
