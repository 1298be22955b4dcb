/* Maps as programs write them, in pieces, and as they should not. */
#include "target/perfmap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit/target/exact.h"

static void expect(const struct hp_perfmap *map, uint64_t addr, const char *name)
{
	const char *found = hp_perfmap_find(map, addr);

	if (name && found)
		assert_string_equal(found, name);
	else
		assert_true(!name == !found);
}

/* As a reader of a growing file does: *@ret_taken bytes are done with. */
static int feed(struct hp_perfmap *map, const char *text, size_t step, size_t *ret_taken)
{
	size_t size = strlen(text), done = 0, taken;

	for (size_t there = step; done < size; there += step) {
		size_t len = (there < size ? there : size) - done;
		HP_AUTO_FREE char *exact = exact_copy(text + done, len);
		int r = hp_perfmap_feed(map, exact, len, &taken);

		if (r < 0)
			return r;
		done += taken;
		if (there >= size)
			break;
	}
	*ret_taken = done;
	return 0;
}

static void test_names(void **state)
{
	static const char text[] = "1000 20 JS:*work /app/main.js:12:17\n"
				   "2000 10 a b  c\n"
				   "0x3000 0x8 with 0x\n"
				   "1010 20 later wins\n"
				   "4000 0 empty\n"
				   "FF00 10 capitals\r\n"
				   "5000 10 torn";
	static const size_t steps[] = {1, 5, 33, 4096};

	for (size_t i = 0; i < HP_ARRAY_SIZE(steps); i++) {
		HP_AUTO(hp_perfmap) struct hp_perfmap *map = NULL;
		size_t taken;

		assert_int_equal(hp_perfmap_new(&map), 0);
		assert_int_equal(feed(map, text, steps[i], &taken), 0);
		assert_int_equal(taken, strlen(text) - strlen("5000 10 torn"));
		expect(map, 0xfff, NULL);
		expect(map, 0x1000, "JS:*work /app/main.js:12:17");
		expect(map, 0x100f, "JS:*work /app/main.js:12:17");
		expect(map, 0x1010, "later wins");
		expect(map, 0x102f, "later wins");
		expect(map, 0x1030, NULL);
		expect(map, 0x200f, "a b  c");
		expect(map, 0x3007, "with 0x");
		expect(map, 0x4000, NULL);
		expect(map, 0xff00, "capitals");
		expect(map, 0x5000, NULL);
		assert_int_equal(hp_perfmap_bad_lines(map), 0);
	}
}

static void test_bad_lines(void **state)
{
	static const char text[] = "\n"
				   "1000\n"
				   "1000 \n"
				   "1000 10\n"
				   "1000 10 \n"
				   " 1000 10 x\n"
				   "1000  10 x\n"
				   "-1000 10 x\n"
				   "10g0 10 x\n"
				   "12345678901234567 10 x\n"
				   "ffffffffffffffff 2 beyond the end\n"
				   "2000 10 good\n"
				   "3000 10 \x1b[2J\xff\n";
	HP_AUTO(hp_perfmap) struct hp_perfmap *map = NULL;
	size_t taken;

	assert_int_equal(hp_perfmap_new(&map), 0);
	assert_int_equal(feed(map, text, 4096, &taken), 0);
	assert_int_equal(hp_perfmap_bad_lines(map), 11);
	expect(map, 0x1000, NULL);
	expect(map, 0x2000, "good");
	expect(map, 0x3000, "?[2J?");
}

/* A line without an end would be waited for for ever. */
static void test_long(void **state)
{
	HP_AUTO(hp_perfmap) struct hp_perfmap *map = NULL;
	HP_AUTO_FREE char *text = malloc(HP_PERFMAP_WINDOW);
	size_t taken;

	assert_non_null(text);
	memset(text, 'a', HP_PERFMAP_WINDOW);
	memcpy(text, "1000 10 ", 8);
	assert_int_equal(hp_perfmap_new(&map), 0);
	assert_int_equal(hp_perfmap_feed(map, text, HP_PERFMAP_WINDOW, &taken), 0);
	assert_int_equal(taken, HP_PERFMAP_WINDOW);
	assert_int_equal(hp_perfmap_bad_lines(map), 1);
	text[5000] = '\n';
	assert_int_equal(hp_perfmap_feed(map, text, 5001, &taken), 0);
	assert_int_equal(strlen(hp_perfmap_find(map, 0x1000)), 1023);
	hp_perfmap_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
