#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "domains/alloc/alloc_estimate.h"

static void test_weight(void **state)
{
	(void)state;
	assert_true(hp_alloc_weight(100, 0) == 1);
	assert_true(hp_alloc_weight(0, 0) == 1);
	/* One period: 1 / (1 - 1/e). */
	assert_true(fabs(hp_alloc_weight(4096, 4096) - 1.5819767068693265) < 1e-12);
	/* Much smaller than the period: period / s + 1/2. */
	assert_true(fabs(hp_alloc_weight(1, 1u << 19) - 524288.5) < 1e-3);
	assert_true(hp_alloc_weight(0, 1u << 19) == hp_alloc_weight(1, 1u << 19));
	/* Much larger: certain. */
	assert_true(hp_alloc_weight(UINT64_MAX, 1) == 1);
}

static void test_exact_sums_come_back_to_nothing(void **state)
{
	struct hp_alloc_sum sum = {0};

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		hp_alloc_sum_add(&sum, i, 1);
	assert_true(sum.bytes == 500500 && sum.count == 1000 && sum.samples == 1000);
	assert_true(sum.bytes_variance == 0 && sum.count_variance == 0);
	for (uint64_t i = 1; i <= 999; i++)
		hp_alloc_sum_sub(&sum, i, 1);
	assert_true(sum.bytes == 1000 && sum.count == 1 && sum.samples == 1);
	hp_alloc_sum_sub(&sum, 1000, 1);
	assert_true(sum.bytes == 0 && sum.count == 0 && sum.samples == 0);
}

/* Weights that have no exact sums: added and taken away in another order, nothing is left and nothing negative. */
static void test_rounding_leaves_nothing(void **state)
{
	struct hp_alloc_sum sum = {0};

	(void)state;
	for (uint64_t i = 1; i <= 5000; i++)
		hp_alloc_sum_add(&sum, i * i, hp_alloc_weight(i * i, 12345));
	for (uint64_t i = 5000; i >= 1; i--) {
		assert_true(sum.bytes > 0);
		hp_alloc_sum_sub(&sum, i * i, hp_alloc_weight(i * i, 12345));
		assert_true(sum.bytes >= 0 && sum.count >= 0 && sum.bytes_variance >= 0);
	}
	assert_true(sum.bytes == 0 && sum.count == 0 && sum.count_variance == 0);
	/* One more than there was is no harm. */
	hp_alloc_sum_sub(&sum, 7, 1);
	assert_true(sum.samples == 0 && sum.bytes == 0);
}

static void test_whole(void **state)
{
	(void)state;
	assert_int_equal(hp_alloc_whole(-1), 0);
	assert_int_equal(hp_alloc_whole(0.4), 0);
	assert_int_equal(hp_alloc_whole(1.5), 2);
	assert_true(hp_alloc_whole(1e30) == UINT64_MAX);
	assert_int_equal(hp_alloc_whole(NAN), 0);
}

/* SplitMix64: the same numbers everywhere. */
static double uniform(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/*
 * The sampling itself, played through: points of a Poisson process over the bytes. Over 400 runs the estimates must be right on average,
 * and their stated errors as large as they really are.
 */
static void test_estimates_are_as_good_as_they_say(void **state)
{
	enum { RUNS = 400, REQUESTS = 3000 };
	const uint64_t period = 20000;
	double truth = 0, mean = 0, squares = 0, variance = 0;
	double mean_count = 0, squares_count = 0, variance_count = 0;
	uint64_t seed = 1, sizes[REQUESTS];
	unsigned outside = 0;

	(void)state;
	for (int i = 0; i < REQUESTS; i++) {
		sizes[i] = (uint64_t)(16 * exp(8 * uniform(&seed)));
		truth += (double)sizes[i];
	}
	for (int run = 0; run < RUNS; run++) {
		struct hp_alloc_sum sum = {0};
		double next = -log(1 - uniform(&seed)) * (double)period;

		for (int i = 0; i < REQUESTS; i++) {
			if (next < (double)sizes[i])
				hp_alloc_sum_add(&sum, sizes[i], hp_alloc_weight(sizes[i], period));
			while (next < (double)sizes[i])
				next += -log(1 - uniform(&seed)) * (double)period;
			next -= (double)sizes[i];
		}
		mean += sum.bytes / RUNS;
		squares += (sum.bytes - truth) * (sum.bytes - truth) / RUNS;
		variance += sum.bytes_variance / RUNS;
		outside += fabs(sum.bytes - truth) > 3 * sqrt(sum.bytes_variance);
		mean_count += sum.count / RUNS;
		squares_count += (sum.count - REQUESTS) * (sum.count - REQUESTS) / RUNS;
		variance_count += sum.count_variance / RUNS;
	}
	assert_true(fabs(mean - truth) < 4 * sqrt(squares / RUNS));
	assert_true(fabs(mean_count - REQUESTS) < 4 * sqrt(squares_count / RUNS));
	/* The spread of 400 runs is itself known to 7 %; that of counts, with few heavy ones, less well. */
	assert_true(squares > 0.75 * variance && squares < 1.33 * variance);
	assert_true(squares_count > 0.6 * variance_count && squares_count < 1.6 * variance_count);
	assert_true(outside < RUNS / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weight),
		cmocka_unit_test(test_exact_sums_come_back_to_nothing),
		cmocka_unit_test(test_rounding_leaves_nothing),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_estimates_are_as_good_as_they_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
