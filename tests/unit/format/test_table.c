/* Tables for terminals: alignment, the width, and text of the target that must not reach the terminal raw. */
#include "format/table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

#define ELLIPSIS "\xe2\x80\xa6"

static int setup(void **state)
{
	struct hp_table *table = NULL;

	assert_int_equal(hp_table_new(&table), 0);
	*state = table;
	return 0;
}

static int teardown(void **state)
{
	hp_table_free(*state);
	return 0;
}

static char *print(struct hp_table *table, unsigned width, bool colour)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(hp_table_print(table, out, "title", width, colour), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void expect(struct hp_table *table, unsigned width, bool colour, const char *expected)
{
	HP_AUTO_FREE char *text = print(table, width, colour);

	assert_string_equal(text, expected);
}

static void test_alignment(void **state)
{
	struct hp_table *table = *state;

	hp_table_column(table, "name", HP_TABLE_LEFT);
	hp_table_column(table, "calls", HP_TABLE_RIGHT);
	hp_table_column(table, "last", HP_TABLE_LEFT);
	hp_table_cell(table, "a");
	hp_table_cell(table, "1");
	hp_table_cell(table, "x");
	hp_table_cell(table, "longer");
	hp_table_cell(table, "1234567");
	hp_table_cell(table, "");
	/* Two blanks between columns, none after the last. */
	expect(table, 80, false,
	       "title\n"
	       "name      calls  last\n"
	       "a             1  x\n"
	       "longer  1234567  \n");
}

static void test_characters_not_bytes(void **state)
{
	struct hp_table *table = *state;

	hp_table_column(table, "time", HP_TABLE_RIGHT);
	hp_table_column(table, "n", HP_TABLE_LEFT);
	hp_table_cell(table, "1.00 \xc2\xb5s");
	hp_table_cell(table, "x");
	hp_table_cell(table, "12.00 ms");
	hp_table_cell(table, "y");
	expect(table, 80, false,
	       "title\n"
	       "    time  n\n"
	       " 1.00 \xc2\xb5s  x\n"
	       "12.00 ms  y\n");
}

static void test_colour(void **state)
{
	hp_table_column(*state, "a", HP_TABLE_LEFT);
	hp_table_cell(*state, "b");
	expect(*state, 80, true, "title\n\033[1ma\033[0m\nb\n");
}

static void test_no_rows(void **state)
{
	hp_table_column(*state, "a", HP_TABLE_LEFT);
	expect(*state, 80, false, "title\na\n");
}

/* Every line fits, and both ends of the name are still there. */
static void test_shrink(void **state)
{
	static const char name[] = "orderd::db::pool::connection::query";
	struct hp_table *table = *state;

	hp_table_column(table, "function", HP_TABLE_SHRINK);
	hp_table_column(table, "calls", HP_TABLE_RIGHT);
	hp_table_cell(table, name);
	hp_table_cell(table, "12345");
	hp_table_cell(table, "main");
	hp_table_cell(table, "1");
	for (unsigned width = 19; width < sizeof(name) - 1 + 7; width++) {
		HP_AUTO_FREE char *text = print(table, width, false);
		char *rest = text;

		assert_non_null(strstr(text, "\norde"));
		assert_non_null(strstr(text, ELLIPSIS));
		assert_non_null(strstr(text, "query  12345\n"));
		assert_string_equal(strsep(&rest, "\n"), "title");
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(hp_utf8_length(strsep(&rest, "\n")), width);
		assert_string_equal(rest, "");
	}
	/* Wide enough: nothing is cut. */
	expect(table, sizeof(name) - 1 + 7, false,
	       "title\n"
	       "function                             calls\n"
	       "orderd::db::pool::connection::query  12345\n"
	       "main                                     1\n");
}

/* Cut between characters, not bytes. */
static void test_shrink_utf8(void **state)
{
	struct hp_table *table = *state;
	char name[] =
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";
	HP_AUTO_FREE char *text = NULL;
	const char *row;

	hp_table_column(table, "f", HP_TABLE_SHRINK);
	hp_table_cell(table, name);
	text = print(table, 15, false);
	row = strchr(strchr(text, '\n') + 1, '\n') + 1;
	assert_int_equal(strlen(row), 14 * 2 + strlen(ELLIPSIS) + 1);
	for (size_t left = strlen(row); left;) {
		size_t step = hp_utf8_sequence(row, left);

		assert_true(step > 0);
		row += step;
		left -= step;
	}
}

/* Too narrow for the rest: the column keeps a readable minimum, the line is longer. */
static void test_too_narrow(void **state)
{
	struct hp_table *table = *state;
	HP_AUTO_FREE char *text = NULL;

	hp_table_column(table, "function", HP_TABLE_SHRINK);
	hp_table_column(table, "calls", HP_TABLE_RIGHT);
	hp_table_cell(table, "abcdefghijklmnopqrstuvwxyz");
	hp_table_cell(table, "1");
	text = print(table, 1, false);
	assert_non_null(strstr(text, "abcde" ELLIPSIS "uvwxyz      1\n"));
}

/* Names come from the target: no line breaks, no escape sequences (C0, DEL, C1), no bad bytes. */
static void test_hostile_text(void **state)
{
	struct hp_table *table = *state;

	hp_table_column(table, "a", HP_TABLE_LEFT);
	hp_table_cell(table, "x\n\r\t\033[31m\x7f");
	hp_table_cell(table, "\xc2\x9b"
			     "31m\xc2\x80\xc2\xa0");
	hp_table_cell(table, "\x9b"
			     "31m\xff\xe2\x82");
	expect(table, 80, false,
	       "title\na\nx????[31m?\n"
	       "?31m?\xc2\xa0\n"
	       "?31m???\n");
}

static void test_misuse(void **state)
{
	struct hp_table *table = *state;
	HP_AUTO_FILE FILE *out = fopen("/dev/null", "w");

	assert_non_null(out);
	assert_int_equal(hp_table_print(table, out, "t", 80, false), -EINVAL);
	hp_table_column(table, "a", HP_TABLE_LEFT);
	hp_table_column(table, "b", HP_TABLE_LEFT);
	hp_table_cell(table, "half a row");
	assert_int_equal(hp_table_print(table, out, "t", 80, false), -EINVAL);
	hp_table_cell(table, "the other half");
	assert_int_equal(hp_table_print(table, out, "t", 80, false), 0);
}

static void test_free_null(void **state)
{
	hp_table_free(NULL);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TABLE(test_alignment),  WITH_TABLE(test_characters_not_bytes),
		WITH_TABLE(test_colour),     WITH_TABLE(test_no_rows),
		WITH_TABLE(test_shrink),     WITH_TABLE(test_shrink_utf8),
		WITH_TABLE(test_too_narrow), WITH_TABLE(test_hostile_text),
		WITH_TABLE(test_misuse),     cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
