/* What proto/env_file promises. */
#include "unit.h"

#include "proto/env_file.h"

static void
reads(const char *text, size_t len, const char *want)
{
	struct env_file f;
	char got[1024] = "";
	size_t n = 0;

	must(env_file_read(&f, (struct str){ text, len }, &e));
	for (size_t i = 0; i < f.count; i++)
		n += (size_t)snprintf(got + n, sizeof got - n,
				      STR_FMT "=<" STR_FMT ">\n",
				      STR_ARG(f.entries[i].name),
				      STR_ARG(f.entries[i].value));
	assert_string_equal(got, want);
	env_file_fini(&f);
}

#define READS(text, want) reads(text, sizeof text - 1, want)

static void
refuses(const char *text, size_t len, const char *why)
{
	struct env_file f;

	must_fail(ERR_INVALID, why,
		  env_file_read(&f, (struct str){ text, len }, &e));
	env_file_fini(&f);
}

#define REFUSES(text, why) refuses(text, sizeof text - 1, why)

static void
a_line_is_a_name_and_a_value(void **state)
{
	READS("# a comment\n"
	      "\n"
	      "  \t\r\n"
	      "PLAIN=one\n"
	      "export EXPORTED = two \n"
	      "export\tTABBED=three\r\n"
	      " A_1 =x=y\n"
	      "EMPTY=\n"
	      "BLANK= \t\n"
	      "export=four\n"
	      "LAST=five",
	      "PLAIN=<one>\nEXPORTED=<two>\nTABBED=<three>\nA_1=<x=y>\n"
	      "EMPTY=<>\nBLANK=<>\nexport=<four>\nLAST=<five>\n");
}

static void
quotes_keep_what_is_between_them(void **state)
{
	READS("A=\"a b\"\n"
	      "B='a # \"b\" '\n"
	      "C=\"\"\n"
	      "D= \"it's\" \r\n"
	      "E=it's\n"
	      "F=\"\\n $HOME ~\"\n",
	      "A=<a b>\nB=<a # \"b\" >\nC=<>\nD=<it's>\nE=<it's>\n"
	      "F=<\\n $HOME ~>\n");
}

static void
a_comment_may_stand_behind_any_value(void **state)
{
	READS("A=\"a b\"          # quotes are taken off\n"
	      "B='a b'\t# why\r\n"
	      "C=c # why\n"
	      "D=a#b\n"
	      "E=#b\n"
	      "F= # there is no value\n"
	      "G=\"#\" # #\n",
	      "A=<a b>\nB=<a b>\nC=<c>\nD=<a#b>\nE=<#b>\nF=<>\nG=<#>\n");
}

static void
a_mark_of_utf8_is_passed_over(void **state)
{
	READS("\xef\xbb\xbf"
	      "A=1\n",
	      "A=<1>\n");
	READS("\xef\xbb\xbf", "");
	REFUSES("A=1\n\xef\xbb\xbf"
		"B=1\n",
		"line 2: must be NAME=value");
}

static void
what_is_no_line_is_named_by_its_number(void **state)
{
	REFUSES("A=1\nnonsense\n", "line 2: must be NAME=value");
	REFUSES("A=1\n\n1B=1\n", "line 3: must be NAME=value");
	REFUSES("=1", "line 1: must be NAME=value");
	REFUSES("A B=1", "line 1: must be NAME=value");
	REFUSES("export", "line 1: must be NAME=value");
	REFUSES("A=\"a\nB=b\"\n",
		"line 1: the quote \" is not closed on the same line");
	REFUSES("A='a\"", "line 1: the quote ' is not closed on the same line");
	REFUSES("A=\"a\"b",
		"line 1: only a comment, after white space, may stand behind "
		"a value in quotes");
	REFUSES("A=\"a\"# b",
		"line 1: only a comment, after white space, may stand behind "
		"a value in quotes");
	REFUSES("\xff\xfe"
		"A\0=\0",
		"line 1: has a zero byte: the file must be saved as UTF-8, "
		"not as UTF-16");
}

static void
of_equal_names_the_last_counts(void **state)
{
	struct env_file f;

	must(env_file_read(&f, STR("A=1\nB=1\nA=2\nB=\n"), &e));
	assert_str(env_file_value(&f, STR("A")), "2");
	assert_str(env_file_value(&f, STR("B")), "");
	assert_null(env_file_value(&f, STR("C")).ptr);
	env_file_fini(&f);
}

static void
a_long_file_is_read_to_its_end(void **state)
{
	enum { LINES = 1000 };
	static char text[LINES * 8];
	struct env_file f;
	size_t n = 0;

	for (int i = 0; i < LINES; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "A=%d\n", i);
	must(env_file_read(&f, (struct str){ text, n }, &e));
	assert_int_equal(f.count, LINES);
	assert_str(env_file_value(&f, STR("A")), "999");
	env_file_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_name_and_a_value),
		cmocka_unit_test(quotes_keep_what_is_between_them),
		cmocka_unit_test(a_comment_may_stand_behind_any_value),
		cmocka_unit_test(a_mark_of_utf8_is_passed_over),
		cmocka_unit_test(what_is_no_line_is_named_by_its_number),
		cmocka_unit_test(of_equal_names_the_last_counts),
		cmocka_unit_test(a_long_file_is_read_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
