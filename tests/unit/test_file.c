/* What workers/cli/file and workers/io/base64 promise. */
#include "tests/unit/unit.h"

#include "proto/buf.h"
#include "workers/cli/file.h"
#include "workers/io/base64.h"
#include "workers/io/json.h"

static void
bytes_are_what_they_begin_with(void **state)
{
	static const struct {
		struct str bytes;
		enum file_kind kind;
	} files[] = {
		{ STR("hello"), FILE_TEXT },
		{ STR(""), FILE_TEXT },
		{ STR("<svg xmlns='...'/>"), FILE_TEXT },
		{ STR("BMW makes cars"), FILE_TEXT },
		{ STR("%PDF-1.7\n\x80\x00\xff"), FILE_PDF },
		{ STR("\x89PNG\r\n\x1a\n\0\0"), FILE_IMAGE },
		{ STR("BM\0\0\0\0"), FILE_IMAGE },
		{ STR("a\0b"), FILE_UNKNOWN },
		{ STR("caf\xe9"), FILE_UNKNOWN },	 /* Latin-1 */
		{ STR("\xff\xfeh\0i\0"), FILE_UNKNOWN }, /* UTF-16 */
		{ STR("PK\3\4\0\0"), FILE_UNKNOWN },
	};
	const char *type;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		assert_int_equal(file_kind(files[i].bytes, &type),
				 files[i].kind);
	assert_int_equal(file_kind(STR("%PDF-1.4"), &type), FILE_PDF);
	assert_string_equal(type, "application/pdf");
}

static void
a_type_may_say_what_a_file_is(void **state)
{
	assert_int_equal(file_kind_called(STR("text/plain;charset=x")),
			 FILE_TEXT);
	assert_int_equal(file_kind_called(STR("Application/PDF")), FILE_PDF);
	assert_int_equal(file_kind_called(STR("image/png")), FILE_IMAGE);
	assert_int_equal(file_kind_called(STR("image/svg+xml")), FILE_UNKNOWN);
	assert_int_equal(file_kind_called(STR("application/json")),
			 FILE_UNKNOWN);
	assert_int_equal(file_kind_called(STR("")), FILE_UNKNOWN);
}

static void
is_told(struct str name, struct str text, const char *want)
{
	json_t *part = file_text(name, text);

	assert_string_equal(json_text(part, "text"), want);
	assert_int_equal(json_object_size(part), 2);
	json_decref(part);
}

static void
a_text_stays_as_it_is_between_its_marks(void **state)
{
	is_told(STR("notes.txt"), STR("a\nb"),
		"<file name=\"notes.txt\">\na\nb\n</file>");
	is_told(STR(""), STR("a\n"), "<file>\na\n</file>");
	is_told(STR("x"), STR(""), "<file name=\"x\">\n</file>");
}

static void
a_name_cannot_leave_its_quotes(void **state)
{
	is_told(STR("a\"><b>&\n\xc3\xb6"), STR("x"),
		"<file name=\"a&#34;&#62;&#60;b&#62;&#38;&#10;\xc3\xb6\">\n"
		"x\n</file>");
}

static void
a_text_cannot_end_its_mark(void **state)
{
	is_told(STR("x"), STR("</file>"),
		"<file-2 name=\"x\">\n</file>\n"
		"</file-2>");
	is_told(STR("x"), STR("</FILE >"),
		"<file-2 name=\"x\">\n</FILE >\n"
		"</file-2>");
	is_told(STR("x"), STR("</file-2>"),
		"<file name=\"x\">\n</file-2>\n</file>");
	is_told(STR("x"), STR("</file></file-2></file-3><"),
		"<file-4 name=\"x\">\n</file></file-2></file-3><\n</file-4>");
	is_told(STR("x"), STR("</file></file-99999999999999999999999999>"),
		"<file-2 name=\"x\">\n"
		"</file></file-99999999999999999999999999>\n</file-2>");
}

/* However many ends there are, and in whichever order. */
static void
a_text_with_very_many_ends_is_told_soon(void **state)
{
	struct buf text = BUF_INIT(64u << 20);
	json_t *part;

	for (unsigned n = 500000; n > 1; n--)
		buf_print(&text, "</file-%u>", n);
	buf_print(&text, "</file>");
	part = file_text(STR("x"), buf_str(&text));
	assert_true(str_starts(json_str(part, "text"), STR("<file-500001 ")));
	json_decref(part);
	buf_fini(&text);
}

/* ---- base64 ---- */

static void
means(const char *base64, const char *want)
{
	size_t len, count;
	auto_free char *bytes = base64_decode(str_of(base64), &len);

	assert_non_null(bytes);
	assert_string_equal(bytes, want);
	assert_int_equal(len, strlen(want));
	assert_true(base64_count(str_of(base64), &count));
	assert_int_equal(count, len);
}

static void
base64_is_taken_as_callers_write_it(void **state)
{
	means("", "");
	means("aA==", "h");
	means("aA", "h");
	means("aGk=", "hi");
	means(" aG\r\nk\t", "hi");
	means("aGkh", "hi!");
	means("8J-Zgg", "\xf0\x9f\x99\x82");
	means("8J+Zgg==", "\xf0\x9f\x99\x82");
}

static void
what_is_no_base64_is_none(void **state)
{
	static const char *const wrong[] = { "a",     "aGkha", "aG=k", "aG*k",
					     "aGk==", "====",  "aA=",  "=" };
	size_t len;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_false(base64_count(str_of(wrong[i]), &len));
		assert_null(base64_decode(str_of(wrong[i]), &len));
	}
	assert_null(base64_decode(STR("aGk\0"), &len));
}

static void
what_is_written_is_read(void **state)
{
	char bytes[300];

	for (size_t n = 0; n < sizeof bytes; n++) {
		size_t len, again;
		auto_free char *text = NULL, *read = NULL;

		bytes[n] = (char)(n * 7 + 3);
		text = base64_encode((struct str){ bytes, n }, &len);
		assert_int_equal(len, (n + 2) / 3 * 4);
		assert_int_equal(strlen(text), len);
		read = base64_decode(str_of(text), &again);
		assert_int_equal(again, n);
		assert_memory_equal(read, bytes, n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_what_they_begin_with),
		cmocka_unit_test(a_type_may_say_what_a_file_is),
		cmocka_unit_test(a_text_stays_as_it_is_between_its_marks),
		cmocka_unit_test(a_name_cannot_leave_its_quotes),
		cmocka_unit_test(a_text_cannot_end_its_mark),
		cmocka_unit_test(a_text_with_very_many_ends_is_told_soon),
		cmocka_unit_test(base64_is_taken_as_callers_write_it),
		cmocka_unit_test(what_is_no_base64_is_none),
		cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
