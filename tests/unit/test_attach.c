/* What workers/cli/attach and workers/executor/below promise. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/unit/read_prompt.h"
#include "workers/cli/attach.h"
#include "workers/executor/host.h"
#include "workers/io/json.h"

/* A directory with the session's, "cwd", and what is not to be read. */
static char top[] = "/tmp/test-attach-XXXXXX";
static char cwd[64];
static struct executor *x;
static struct prompt p;
static struct attach from;

static void
writes(const char *path, struct str text)
{
	int fd = openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.ptr, text.len), text.len);
	close(fd);
}

static int
setup(void **state)
{
	if (!mkdtemp(top) || chdir(top) < 0)
		return -1;
	snprintf(cwd, sizeof cwd, "%s/cwd", top);
	(void)mkdir("scratch", 0700);
	(void)mkdir("cwd", 0700);
	(void)mkdir("cwd/sub", 0700);
	(void)mkdir("out", 0700);
	writes("out/secret", STR("the secret"));
	writes("secret", STR("the secret"));
	writes("cwd/a.txt", STR("text of a"));
	writes("cwd/sub/b.txt", STR("text of b"));
	writes("cwd/it.pdf", STR("%PDF-1.4\nx"));
	writes("cwd/it.png", STR("\x89PNG\r\n\x1a\n\0\0\0\0"));
	writes("cwd/it.zip", STR("PK\3\4\0"));
	writes("cwd/empty", STR(""));
	x = host_new("scratch");
	from = (struct attach){
		.recipient = { "any", CAN_IMAGES | CAN_PDFS | CAN_DETAIL },
		.executor = x,
		.cwd = cwd,
	};
	return 0;
}

static int
teardown(void **state)
{
	x->remove_tree(x, top);
	x->free(x);
	return 0;
}

static int
fini(void **state)
{
	prompt_fini(&p);
	return 0;
}

/* ---- the file ---- */

static void
opens(const char *path, const char *text)
{
	char got[64] = "";
	struct error e = { 0 };
	int fd = x->open_below(x, from.cwd, path, &e);

	if (fd < 0)
		fail_msg("%s%s", path, e.text);
	assert_true(read(fd, got, sizeof got - 1) >= 0);
	close(fd);
	assert_string_equal(got, text);
}

static void
refuses(const char *path, const char *why)
{
	struct error e = { 0 };
	int fd = x->open_below(x, from.cwd, path, &e);

	assert_int_equal(fd, -1);
	assert_int_equal(e.code, ERR_INVALID);
	if (!strstr(e.text, why))
		fail_msg("%s%s", path, e.text);
}

static void
a_file_of_the_directory_is_opened_by_any_name(void **state)
{
	auto_free char *whole = copy_format("%s//sub/b.txt", cwd);
	auto_free char *linked = copy_format("%s/link", top);
	auto_free char *by_link = copy_format("%s/link/a.txt", top);

	opens("a.txt", "text of a");
	opens("./sub/../a.txt", "text of a");
	opens(whole, "text of b");
	assert_int_equal(symlink("sub/b.txt", "cwd/inner"), 0);
	opens("inner", "text of b");

	assert_int_equal(symlink("cwd", linked), 0);
	from.cwd = linked;
	opens("a.txt", "text of a");
	opens(by_link, "text of a");
	opens(whole, "text of b");
	from.cwd = cwd;
	refuses(by_link, " leads out of the session's directory");
}

static void
nothing_outside_is_opened(void **state)
{
	auto_free char *secret = copy_format("%s/secret", top);
	auto_free char *beside = copy_format("%s/cwd-2", top);

	writes(beside, STR("beside"));
	refuses("../secret", " leads out of");
	refuses("sub/../../secret", " leads out of");
	refuses(secret, " leads out of");
	refuses(beside, " leads out of");
	refuses("/etc/passwd", " leads out of");
	assert_int_equal(symlink("../secret", "cwd/to-secret"), 0);
	assert_int_equal(symlink(secret, "cwd/to-secret-whole"), 0);
	assert_int_equal(symlink("../out", "cwd/to-out"), 0);
	assert_int_equal(symlink("/proc/self/root", "cwd/to-root"), 0);
	refuses("to-secret", " leads out of");
	refuses("to-secret-whole", " leads out of");
	refuses("to-out/secret", " leads out of");
	refuses("to-root/etc/passwd", " leads out of");
}

static void
what_is_no_plain_file_is_refused_without_waiting(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX,
				    .sun_path = "cwd/socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(mkfifo("cwd/fifo", 0600), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	close(fd);
	assert_int_equal(symlink("loop", "cwd/loop"), 0);
	refuses("fifo", " is no plain file");
	refuses("socket", " is no plain file");
	refuses("sub", " is a directory");
	refuses(".", " is a directory");
	refuses(cwd, " leads out of");
	refuses("loop", " leads through a link");
	refuses("a.txt/", " cannot be read: Not a directory");
	refuses("nobody", " is not there");
	from.cwd = "/dev";
	refuses("null", " is no plain file");
	from.cwd = "/proc";
	refuses("self/exe", " leads through a link");
	from.cwd = cwd;
}

static void
a_directory_that_is_none_is_called_so(void **state)
{
	must_fail(ERR_BAD_CWD,
		  "cwd cannot be used: No such file or directory: /no/such",
		  x->open_below(x, "/no/such", "a", &e) >= 0);
}

static bool
refuse_secret(struct executor *self, const char *path, struct error *e)
{
	return !strstr(path, "/out") ||
	       fail_with(e, ERR_BAD_CWD, "not %s", path);
}

/* An executor may keep to some directories: the one that was opened counts,
 * whatever it was called. */
static void
the_directory_that_was_opened_is_checked(void **state)
{
	auto_free char *out = copy_format("%s/out", top);
	auto_free char *why = copy_format("not %s", out);
	auto_free char *door = copy_format("%s/door", top);

	x->check_cwd = refuse_secret;
	assert_int_equal(symlink("out", door), 0);
	must_fail(ERR_BAD_CWD, why, x->open_below(x, door, "secret", &e) >= 0);
	x->check_cwd = host_executor.check_cwd;
}

static atomic_bool is_over;

/* "turn" is a directory, or a link to one outside, at any moment; and so is
 * "moved", a directory that is carried out and back. */
static void *
swap(void *arg)
{
	while (!is_over) {
		(void)renameat2(AT_FDCWD, "cwd/turn", AT_FDCWD, "cwd/other",
				RENAME_EXCHANGE);
		(void)rename("cwd/moved", "moved");
		(void)rename("moved", "cwd/moved");
	}
	return NULL;
}

static void
a_link_that_is_swapped_in_leads_nowhere(void **state)
{
	pthread_t thread;
	unsigned opened = 0, refused = 0;

	(void)mkdir("cwd/turn", 0700);
	writes("cwd/turn/secret", STR("no secret "));
	assert_int_equal(symlink("../out", "cwd/other"), 0);
	(void)mkdir("cwd/moved", 0700);
	is_over = false;
	assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
	for (unsigned i = 0; i < 200000 && (i < 20000 || !opened || !refused);
	     i++) {
		char got[16] = "";
		struct error e = { 0 };
		int fd = x->open_below(
			x, cwd, i % 2 ? "turn/secret" : "moved/../../secret",
			&e);

		refused += fd < 0;
		if (fd < 0)
			continue;
		opened++;
		assert_true(read(fd, got, sizeof got - 1) > 0);
		close(fd);
		assert_string_equal(got, "no secret ");
	}
	is_over = true;
	pthread_join(thread, NULL);
	assert_true(opened > 0 && refused > 0);
}

/* ---- the messages ---- */

#define USER(parts) "{\"role\":\"user\",\"content\":[" parts "]}"
#define FILE_AT(path) "{\"type\":\"file\",\"file\":{\"path\":\"" path "\"}}"
#define IMAGE_AT(path) \
	"{\"type\":\"image_url\",\"image_url\":{\"url\":\"" path "\"}}"

static void
reads(const char *messages)
{
	auto_free char *body = copy_format("{\"messages\":[%s]}", messages);

	must(read_prompt(&p, str_of(body), &from.recipient, &e));
}

static const json_t *
told(size_t message, size_t part)
{
	return json_array_get(
		json_object_get(json_array_get(prompt_told(&p), message),
				"content"),
		part);
}

static void
a_file_becomes_what_its_bytes_are(void **state)
{
	reads(USER(FILE_AT("a.txt") "," FILE_AT("it.pdf") "," FILE_AT(
		"it.png") "," IMAGE_AT("it.png") "," IMAGE_AT("file:it.png")));
	must(attach_files(&p, 0, &from, &e));
	assert_string_equal(json_text(told(0, 0), "text"),
			    "<file name=\"a.txt\">\ntext of a\n</file>");
	assert_string_equal(json_text(told(0, 1), "type"), "file");
	assert_string_equal(json_text(told(0, 1), "data"), "JVBERi0xLjQKeA==");
	assert_string_equal(json_text(told(0, 1), "name"), "it.pdf");
	for (size_t i = 2; i < 5; i++)
		assert_string_equal(json_text(told(0, i), "media_type"),
				    "image/png");
}

static void
every_shape_of_a_path_is_one(void **state)
{
	auto_free char *url = copy_format(
		"{\"role\":\"user\",\"content\":["
		"{\"type\":\"file\",\"file\":{\"file_data\":\"file://%s/sub/"
		"b%%2Etxt\",\"filename\":\"b\"}},"
		"{\"type\":\"input_file\",\"file_url\":\"file://localhost%s/"
		"a.txt\"},"
		"{\"type\":\"file\",\"path\":\"%s/a.txt\",\"mediaType\":"
		"\"text/plain\"},"
		"{\"type\":\"document\",\"source\":{\"type\":\"url\",\"url\":"
		"\"sub/b.txt\"}},"
		"{\"type\":\"image\",\"path\":\"it.png\"},"
		"{\"type\":\"input_image\",\"image_url\":\"./it.png\","
		"\"detail\":\"low\"}]}",
		cwd, cwd, cwd);

	reads(url);
	must(attach_files(&p, 0, &from, &e));
	assert_string_equal(json_text(told(0, 0), "text"),
			    "<file name=\"b\">\ntext of b\n</file>");
	assert_non_null(strstr(json_text(told(0, 1), "text"), "text of a"));
	assert_non_null(strstr(json_text(told(0, 2), "text"), "text of a"));
	assert_non_null(strstr(json_text(told(0, 3), "text"), "text of b"));
	assert_string_equal(json_text(told(0, 4), "media_type"), "image/png");
	assert_string_equal(json_text(told(0, 5), "detail"), "low");
}

#define fails(code, why, messages)                                    \
	do {                                                          \
		reads(messages);                                      \
		must_fail(code, why, attach_files(&p, 0, &from, &e)); \
		prompt_fini(&p);                                      \
	} while (0)

static void
what_cannot_be_sent_is_refused_by_its_place(void **state)
{
	static const struct recipient text = { "forge", 0 };

	fails(ERR_INVALID,
	      "messages[0].content[1].file.path: \"no.txt\" is not there: a "
	      "path begins in the session's directory (cwd)",
	      USER("\"x\"," FILE_AT("no.txt")));
	fails(ERR_UNSUPPORTED,
	      "messages[0].content[0].file.path: \"it.zip\" is neither text in "
	      "UTF-8 nor a PDF document nor an image of the types PNG, JPEG, "
	      "GIF, WebP, BMP, AVIF, HEIC and HEIF: nothing else can be told "
	      "to a model",
	      USER(FILE_AT("it.zip")));
	fails(ERR_INVALID,
	      "messages[0].content[0].file.path: \"empty\" is empty",
	      USER(FILE_AT("empty")));
	fails(ERR_INVALID,
	      "messages[0].content[0]: \"a.txt\" is text and no image: send it "
	      "in a part of the type file",
	      USER(IMAGE_AT("a.txt")));
	fails(ERR_INVALID,
	      "messages[0].content[0]: \"it.pdf\" is a PDF document and no "
	      "image: send it in a part of the type file",
	      USER(IMAGE_AT("it.pdf")));
	from.recipient = text;
	fails(ERR_UNSUPPORTED,
	      "messages[0].content[0]: forge takes no PDF documents",
	      USER(FILE_AT("it.pdf")));
	fails(ERR_UNSUPPORTED, "messages[0].content[0]: forge takes no images",
	      USER(FILE_AT("it.png")));
	from.recipient = (struct recipient){ "any", CAN_IMAGES | CAN_PDFS };
}

/* Holes take no room on the disk. */
static void
sparse(const char *path, off_t size)
{
	writes(path, STR("a"));
	assert_int_equal(truncate(path, size), 0);
}

static void
large_files_are_refused_before_they_are_read(void **state)
{
	sparse("cwd/large", MAX_FILE + 1);
	sparse("cwd/huge", (off_t)1 << 40);
	fails(ERR_INVALID,
	      "messages[0].content[0].file.path: \"large\" has 33554433 bytes: "
	      "a file can have 33554432, and all local files of a request "
	      "50331648",
	      USER(FILE_AT("large")));
	fails(ERR_INVALID,
	      "messages[0].content[0].file.path: \"huge\" has 1099511627776 "
	      "bytes: a file can have 33554432, and all local files of a "
	      "request 50331648",
	      USER(FILE_AT("huge")));
}

static void
all_files_of_a_request_have_a_limit(void **state)
{
	struct buf text = BUF_INIT(MAX_FILE);

	while (text.len < (20u << 20))
		buf_put(&text,
			STR("all work and no play makes a long text.\n"));
	writes("cwd/long", buf_str(&text));
	buf_fini(&text);
	reads(USER(FILE_AT("long") "," FILE_AT("long")));
	must(attach_check(&p, 0, &from, &e));
	assert_null(p.told);
	prompt_fini(&p);
	fails(ERR_INVALID,
	      "messages[0].content[2].file.path: \"long\" has 20971520 bytes: "
	      "a file can have 33554432, and all local files of a request "
	      "50331648",
	      USER(FILE_AT("long") "," FILE_AT("long") "," FILE_AT("long")));
}

#define ANSWER "{\"role\":\"assistant\",\"content\":\"ok\"}"

/* A conversation that has heard them does not need them again. */
static void
only_what_is_told_is_read(void **state)
{
	reads(USER(FILE_AT("gone.txt")) "," ANSWER "," USER(FILE_AT("a.txt")));
	must(attach_files(&p, 2, &from, &e));
	assert_non_null(strstr(json_text(told(2, 0), "text"), "text of a"));
	must_fail(
		ERR_INVALID,
		"messages[0].content[0].file.path: \"gone.txt\" is not there: "
		"a path begins in the session's directory (cwd)",
		attach_files(&p, 0, &from, &e));
	writes("cwd/gone.txt", STR("it is back"));
	must(attach_files(&p, 0, &from, &e));
	assert_non_null(strstr(json_text(told(0, 0), "text"), "it is back"));
	assert_non_null(strstr(json_text(told(2, 0), "text"), "text of a"));
	assert_int_equal(unlink("cwd/gone.txt"), 0);
}

/* Messages are found again whatever has become of their files. */
static void
a_file_that_changes_leaves_its_message_the_same(void **state)
{
	uint64_t asked, hash;

	writes("cwd/changes", STR("one"));
	reads(USER(FILE_AT("changes")) "," ANSWER "," USER("\"x\""));
	must(attach_files(&p, 0, &from, &e));
	asked = prompt_asked(&p, 1);
	hash = prompt_hash(&p, 0);
	prompt_fini(&p);
	writes("cwd/changes", STR("two"));
	reads(USER(FILE_AT("changes")) "," ANSWER "," USER("\"x\""));
	must(attach_files(&p, 0, &from, &e));
	assert_true(prompt_asked(&p, 1) == asked);
	assert_true(prompt_hash(&p, 0) == hash);
	assert_non_null(strstr(json_text(told(0, 0), "text"), "two"));
	prompt_fini(&p);
	reads(USER(FILE_AT("a.txt")) "," ANSWER "," USER("\"x\""));
	assert_true(prompt_asked(&p, 1) != asked);
	assert_true(prompt_hash(&p, 0) != hash);
}

static void
a_result_of_a_tool_may_have_files(void **state)
{
	reads(USER("\"x\"") ",{\"role\":\"assistant\",\"content\":null,"
			    "\"tool_calls\":[{\"id\":\"c\",\"function\":"
			    "{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
			    "{\"role\":\"tool\",\"tool_call_id\":\"c\","
			    "\"content\":[" FILE_AT(
				    "a.txt") "]},"
					     "{\"role\":\"tool\",\"tool_call_"
					     "id\":\"d\","
					     "\"content\":[" IMAGE_AT(
						     "it.png") "]}");
	must(attach_files(&p, 0, &from, &e));
	assert_non_null(strstr(
		json_text(json_array_get(json_object_get(told(2, 0), "content"),
					 0),
			  "text"),
		"text of a"));
	assert_string_equal(json_text(told(3, 1), "media_type"), "image/png");
}

#define test(what) cmocka_unit_test_teardown(what, fini)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_file_of_the_directory_is_opened_by_any_name),
		test(nothing_outside_is_opened),
		test(what_is_no_plain_file_is_refused_without_waiting),
		test(a_directory_that_is_none_is_called_so),
		test(the_directory_that_was_opened_is_checked),
		test(a_link_that_is_swapped_in_leads_nowhere),
		test(a_file_becomes_what_its_bytes_are),
		test(every_shape_of_a_path_is_one),
		test(what_cannot_be_sent_is_refused_by_its_place),
		test(large_files_are_refused_before_they_are_read),
		test(all_files_of_a_request_have_a_limit),
		test(only_what_is_told_is_read),
		test(a_file_that_changes_leaves_its_message_the_same),
		test(a_result_of_a_tool_may_have_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
