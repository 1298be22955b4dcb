/* No line is longer than asked for, and foreign text cannot steer the terminal. */
#include "format/terminal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* What is printed of @text at @width with @indent; the caller frees. */
static char *printed(unsigned width, unsigned indent, const char *text)
{
	char *buf = NULL;
	size_t size;
	FILE *out = open_memstream(&buf, &size);

	assert_non_null(out);
	hp_terminal_print(out, width, indent, "%s", text);
	fclose(out);
	return buf;
}

static void test_wrap(void **state)
{
	static const struct {
		unsigned width, indent;
		const char *text, *wanted;
	} rows[] = {
		{20, 4, "", "\n"},
		{20, 4, "short", "short\n"},
		{10, 2, "one two three", "one two\n  three\n"},
		{7, 0, "one two three", "one two\nthree\n"},
		{6, 0, "one two three", "one\ntwo\nthree\n"},
		{20, 8, "  --a     some words of help", "  --a     some words\n        of help\n"},
		{8, 2, "abcdefghijklmnop", "abcdefgh\n  ijklmn\n  op\n"},
		{8, 2, "x abcdefghijklmnop", "x abcdef\n  ghijkl\n  mnop\n"},
		{4, 0, "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc b",
		 "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\nb\n"},
		{9, 0, "a\x1b[1m b", "a?[1m b\n"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(rows); i++) {
		HP_AUTO_FREE char *got = printed(rows[i].width, rows[i].indent, rows[i].text);

		assert_string_equal(got, rows[i].wanted);
	}
}

/* Whatever the text: no line is too long and no character is lost. */
static void test_any_width(void **state)
{
	static const char text[] = "N-body: _ZN5shape4areaEv  is over budget, \xe2\x82\xac 12 "
				   "averyveryverylongwordindeed and the rest";

	for (unsigned width = 5; width < 90; width++) {
		for (unsigned indent = 0; indent < 5; indent++) {
			HP_AUTO_FREE char *got = printed(width, indent, text);
			char *rest = got, *line;
			size_t letters = 0;

			while ((line = strsep(&rest, "\n")) != NULL) {
				assert_true(hp_utf8_length(line) <= width);
				for (const char *at = line; *at; at++)
					letters += *at != ' ';
			}
			for (const char *at = text; *at; at++)
				letters -= *at != ' ';
			assert_int_equal(letters, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_any_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
