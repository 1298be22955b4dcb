/* --allocator: what is taken, what it means, and that a mistake adds nothing. */
#include "probe/allocator_pools.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "target/select.h"

#define NO HP_ALLOC_NO_ARG

static int setup(void **state)
{
	return hp_allocator_pools_new((struct hp_allocator_pools **)state);
}

static int teardown(void **state)
{
	hp_allocator_pools_free(*state);
	return 0;
}

static void add(struct hp_allocator_pools *pools, const char *text)
{
	struct hp_err err = {0};

	if (hp_allocator_pools_add(pools, text, &err) != 0)
		fail_msg("%s", err.text);
}

static void check(const struct hp_allocator_pools *pools, size_t i, const char *text, uint8_t does,
		  uint8_t size, uint8_t count, uint8_t block)
{
	const struct hp_alloc_role *role = hp_allocator_pools_role(pools, i);

	assert_string_equal(hp_allocator_pools_text(pools, i), text);
	assert_int_equal(role->does, does);
	assert_int_equal(role->call, HP_ALLOC_SYSV);
	assert_int_equal(role->size, size);
	assert_int_equal(role->count, count);
	assert_int_equal(role->block, block);
	assert_int_equal(role->generation, 0);
}

static void test_forms(void **state)
{
	struct hp_allocator_pools *pools = *state;

	add(pools, "alloc=get(size=1) free=put(1)");
	add(pools,
	    "  alloc=libpool.so:pool_get( size=3 , count=2 )   free=libpool.so:pool_put(2)  ");
	add(pools, "alloc=grab(block=1, size=6)");
	add(pools, "realloc=grow(block=2,size=3)");
	add(pools, "alloc=Pool::get(unsigned long, int)(size=2) free=Pool::put(void*) (2)");
	assert_int_equal(hp_allocator_pools_len(pools), 8);
	check(pools, 0, "get", HP_ALLOC_REQUESTS, 0, NO, NO);
	check(pools, 1, "put", HP_ALLOC_RELEASES, NO, NO, 0);
	check(pools, 2, "libpool.so:pool_get", HP_ALLOC_REQUESTS, 2, 1, NO);
	check(pools, 3, "libpool.so:pool_put", HP_ALLOC_RELEASES, NO, NO, 1);
	check(pools, 4, "grab", HP_ALLOC_STORES, 5, NO, 0);
	check(pools, 5, "grow", HP_ALLOC_RESIZES, 2, NO, 1);
	check(pools, 6, "Pool::get(unsigned long, int)", HP_ALLOC_REQUESTS, 1, NO, NO);
	check(pools, 7, "Pool::put(void*)", HP_ALLOC_RELEASES, NO, NO, 1);
	assert_true(hp_select_matches(hp_allocator_pools_select(pools), 2, "libpool.so.1", false,
				      "pool_get"));
}

static void test_mistakes(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"get",
		"alloc",
		"alloc=",
		"alloc=get",
		"alloc=get(",
		"alloc=get()",
		"alloc=(size=1)",
		"alloc=get(1)",
		"alloc=get(size=0)",
		"alloc=get(size=7)",
		"alloc=get(size=)",
		"alloc=get(size=1",
		"alloc=get(size=1,size=2)",
		"alloc=get(count=1)",
		"alloc=get(size=1,)",
		"alloc=get(size=1) put(1)",
		"free=put()",
		"free=put(1,2)",
		"free=put(block=1)",
		"realloc=grow(size=1)",
		"realloc=grow(block=1)",
		"give=get(size=1)",
		"alloc=get(size=99999999999)",
		"alloc=get(size=1)free=put(1)",
		"alloc=get(size=1) free=put(9)",
		"alloc=/[/(size=1)",
	};
	struct hp_allocator_pools *pools = *state;
	char *big = calloc(1, 5001);

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct hp_err err = {0};

		if (hp_allocator_pools_add(pools, texts[i], &err) != -EINVAL)
			fail_msg("'%s' is taken", texts[i]);
		assert_non_null(strstr(err.text, "--allocator"));
		assert_int_equal(hp_allocator_pools_len(pools), 0);
	}
	assert_non_null(big);
	memset(big, 'x', 5000);
	assert_int_equal(hp_allocator_pools_add(pools, big, NULL), -EINVAL);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
