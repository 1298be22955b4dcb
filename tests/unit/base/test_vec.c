/* Growth, and growth that cannot be had: the elements stay as they were. */
#include "base/vec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct odd {
	char bytes[13];
};

static void test_push(void **state)
{
	HP_VEC(uint32_t) vec = {0};

	for (uint32_t i = 0; i < 10000; i++) {
		assert_int_equal(hp_vec_push(&vec, i * 3), 0);
		assert_int_equal(vec.len, i + 1);
		assert_true(vec.cap >= vec.len);
	}
	assert_true(vec.cap <= 2 * vec.len); /* doubling, not more */
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(vec.data[i], i * 3);
	hp_vec_free(&vec);
	assert_null(vec.data);
	assert_int_equal(vec.len, 0);
	assert_int_equal(vec.cap, 0);
	hp_vec_free(&vec);
}

static void test_each(void **state)
{
	HP_VEC(int) vec = {0};
	int sum = 0;

	hp_vec_each(item, &vec)
		sum += *item;
	assert_int_equal(sum, 0);
	for (int i = 1; i <= 100; i++)
		assert_int_equal(hp_vec_push(&vec, i), 0);
	hp_vec_each(item, &vec)
		sum += *item;
	assert_int_equal(sum, 5050);
	hp_vec_free(&vec);
}

static void test_structs(void **state)
{
	HP_VEC(struct odd) vec = {0};

	for (char c = 'a'; c <= 'z'; c++) {
		struct odd odd;

		memset(odd.bytes, c, sizeof(odd.bytes));
		assert_int_equal(hp_vec_push(&vec, odd), 0);
	}
	for (size_t i = 0; i < vec.len; i++) {
		assert_int_equal(vec.data[i].bytes[0], 'a' + (char)i);
		assert_int_equal(vec.data[i].bytes[12], 'a' + (char)i);
	}
	hp_vec_free(&vec);
}

/* The value may be an element of the vector itself, although the push moves it. */
static void test_push_own_element(void **state)
{
	HP_VEC(uint64_t) vec = {0};

	assert_int_equal(hp_vec_push(&vec, 42), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(hp_vec_push(&vec, vec.data[0]), 0);
	hp_vec_each(item, &vec)
		assert_int_equal(*item, 42);
	hp_vec_free(&vec);
}

static void test_reserve(void **state)
{
	HP_VEC(uint64_t) vec = {0};
	uint64_t *data;

	assert_int_equal(hp_vec_reserve(&vec, 0), 0);
	assert_int_equal(hp_vec_reserve(&vec, 1000), 0);
	assert_true(vec.cap >= 1000);
	assert_int_equal(vec.len, 0);
	data = vec.data;
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(hp_vec_push(&vec, i), 0);
	assert_ptr_equal(vec.data, data);
	assert_int_equal(hp_vec_reserve(&vec, 5), 0); /* never shrinks */
	assert_ptr_equal(vec.data, data);
	hp_vec_free(&vec);
}

/* Sizes that overflow are refused before any memory is asked for. */
static void test_too_large(void **state)
{
	HP_VEC(uint64_t) vec = {0};
	uint64_t *data;
	size_t cap;

	assert_int_equal(hp_vec_push(&vec, 7), 0);
	data = vec.data;
	cap = vec.cap;
	assert_int_equal(hp_vec_reserve(&vec, SIZE_MAX), -ENOMEM);
	assert_int_equal(hp_vec_reserve(&vec, SIZE_MAX / 2 + 2), -ENOMEM);
	assert_int_equal(hp_vec_reserve(&vec, SIZE_MAX / sizeof(uint64_t) + 1), -ENOMEM);
	assert_ptr_equal(vec.data, data);
	assert_int_equal(vec.cap, cap);
	assert_int_equal(vec.len, 1);
	assert_int_equal(vec.data[0], 7);
	hp_vec_free(&vec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_push),    cmocka_unit_test(test_each),
		cmocka_unit_test(test_structs), cmocka_unit_test(test_push_own_element),
		cmocka_unit_test(test_reserve), cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
