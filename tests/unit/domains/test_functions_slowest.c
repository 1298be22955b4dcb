/* First and last call, and the slowest ones, against a sorted list of all. */
#include "domains/functions/functions_slowest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hp_functions_slowest *slowest;

static int setup(void **state)
{
	return hp_functions_slowest_new(&slowest);
}

static int teardown(void **state)
{
	hp_functions_slowest_free(slowest);
	return 0;
}

static void add(uint32_t entity, uint64_t end_ns, uint64_t duration_ns)
{
	const struct hp_call_event call = {
		.hdr = {.tid = (uint32_t)end_ns, .ts_ns = end_ns},
		.duration_ns = duration_ns,
		.entity = entity,
		.parent = 9,
	};

	assert_true(hp_functions_slowest_record(slowest, &call) >= 0);
}

static int descending(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? 1 : *left > *right ? -1 : 0;
}

static void test_against_a_sorted_list(void **state)
{
	uint64_t all[500];
	struct hp_slow_call calls[HP_FUNCTION_SLOWEST];

	for (uint64_t n = 0; n < HP_ARRAY_SIZE(all); n++) {
		uint64_t sorted[HP_ARRAY_SIZE(all)];
		size_t got, wanted = n + 1 < HP_FUNCTION_SLOWEST ? n + 1 : HP_FUNCTION_SLOWEST;

		all[n] = 1 + n * 7919 % 233; /* in no order, with repetitions */
		add(3, 1000 + n, all[n]);
		memcpy(sorted, all, sizeof(sorted));
		qsort(sorted, n + 1, sizeof(*sorted), descending);
		got = hp_functions_slowest_read(slowest, 3, calls, HP_FUNCTION_SLOWEST);
		assert_int_equal(got, wanted);
		for (size_t i = 0; i < got; i++) {
			assert_int_equal(calls[i].duration_ns, sorted[i]);
			assert_int_equal(all[calls[i].end_ns - 1000], sorted[i]);
			assert_int_equal(calls[i].tid, calls[i].end_ns);
			assert_int_equal(calls[i].parent, 9);
			if (i && sorted[i] == sorted[i - 1])
				assert_true(calls[i - 1].end_ns < calls[i].end_ns);
		}
	}
	assert_int_equal(hp_functions_slowest_read(slowest, 3, calls, 5), 5);
}

/* Rings of several CPUs do not come in the order of time. */
static void test_span(void **state)
{
	uint64_t first, last;

	add(1, 500, 100);
	add(1, 900, 700);
	add(1, 800, 10);
	add(7, 50, 60); /* said to have begun before the clock */
	hp_functions_slowest_span(slowest, 1, &first, &last);
	assert_int_equal(first, 200);
	assert_int_equal(last, 900);
	hp_functions_slowest_span(slowest, 7, &first, &last);
	assert_int_equal(first, 0);
	assert_int_equal(last, 50);
}

static void test_unknown(void **state)
{
	struct hp_slow_call calls[HP_FUNCTION_SLOWEST];
	uint64_t first, last;

	add(5, 10, 1);
	for (uint32_t entity = 0; entity < 8; entity++) {
		hp_functions_slowest_span(slowest, entity, &first, &last);
		assert_int_equal(last, entity == 5 ? 10 : 0);
		assert_int_equal(hp_functions_slowest_read(slowest, entity, calls, 20),
				 entity == 5);
	}
	assert_int_equal(hp_functions_slowest_read(slowest, UINT32_MAX, calls, 20), 0);
	hp_functions_slowest_free(NULL);
}

#define WITH_SLOWEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SLOWEST(test_against_a_sorted_list),
		WITH_SLOWEST(test_span),
		WITH_SLOWEST(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
