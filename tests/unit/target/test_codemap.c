/* Against one array element per address: the last writer is what is found. */
#include "target/codemap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define SPACE 4096

static void check_random(unsigned seed, unsigned n, unsigned longest)
{
	HP_AUTO(hp_codemap) struct hp_codemap *map = NULL;
	static uint32_t model[SPACE];
	uint32_t code;

	assert_int_equal(hp_codemap_new(&map), 0);
	for (unsigned i = 0; i < SPACE; i++)
		model[i] = 0;
	srand(seed);
	for (uint32_t id = 1; id <= n; id++) {
		unsigned start = (unsigned)rand() % SPACE, size = 1 + (unsigned)rand() % longest;

		if (start + size > SPACE)
			size = SPACE - start;
		assert_int_equal(hp_codemap_add(map, start, size, id), 0);
		for (unsigned i = start; i < start + size; i++)
			model[i] = id;
		if (id % 97 && id != n)
			continue;
		for (unsigned i = 0; i < SPACE; i++) {
			bool found = hp_codemap_find(map, i, &code);

			assert_int_equal(found, model[i] != 0);
			if (found)
				assert_int_equal(code, model[i]);
		}
	}
}

static void test_random(void **state)
{
	for (unsigned seed = 1; seed <= 8; seed++) {
		check_random(seed, 1000, 8);
		check_random(seed, 300, 300);
		check_random(seed, 20, 4096);
	}
}

static void test_edges(void **state)
{
	HP_AUTO(hp_codemap) struct hp_codemap *map = NULL;
	uint32_t code;

	assert_int_equal(hp_codemap_new(&map), 0);
	assert_false(hp_codemap_find(map, 0, &code));
	assert_int_equal(hp_codemap_add(map, 5, 0, 1), -EINVAL);
	assert_int_equal(hp_codemap_add(map, UINT64_MAX, 2, 1), -EINVAL);
	assert_int_equal(hp_codemap_add(map, UINT64_MAX - 1, 1, 7), 0);
	assert_true(hp_codemap_find(map, UINT64_MAX - 1, &code));
	assert_int_equal(code, 7);
	assert_false(hp_codemap_find(map, UINT64_MAX, &code));
	hp_codemap_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
