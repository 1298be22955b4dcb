/* Figures of sampled calls from hand-made cells; that they are unbiased is shown in bpfhost/test_estimate.c. */
#include "domains/functions/functions_estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_exact(void **state)
{
	struct hp_cell cell = {.hits = 11, .count = 10, .sum_ns = 1000, .self_ns = 400};
	struct hp_estimate estimate = hp_functions_estimate(&cell);

	assert_int_equal(estimate.calls, 10);
	assert_int_equal(estimate.timed, 10);
	assert_int_equal(estimate.total_ns, 1000);
	assert_int_equal(estimate.self_ns, 400);
	assert_int_equal(estimate.error_ns, 0);
}

/* Two samples of 1 in 4, 640 and 1280 ns: w = 12, q = 10 and 20. */
static struct hp_cell sampled(void)
{
	return (struct hp_cell){
		.hits = 10,
		.sampled_hits = 10,
		.timed = 2,
		.est_n = 8,
		.est_sum_ns = 4 * 640 + 4 * 1280,
		.est_self_ns = 4 * 320,
		.est_w = 24,
		.est_wq = 12 * 10 + 12 * 20,
		.est_wqq = 12 * 100 + 12 * 400,
	};
}

static void test_sampled(void **state)
{
	struct hp_cell cell = sampled();
	struct hp_estimate estimate = hp_functions_estimate(&cell);

	assert_int_equal(estimate.calls, 10);
	assert_int_equal(estimate.timed, 2);
	assert_int_equal(estimate.total_ns, 9600); /* mean 960 */
	assert_int_equal(estimate.self_ns, 1600);
	/* sqrt(12 (320^2 + 320^2)) = 1567.7, times 10 / 8 */
	assert_in_range(estimate.error_ns, 1959, 1960);
}

static void test_both_phases(void **state)
{
	struct hp_cell cell = sampled();
	struct hp_estimate estimate;

	cell.hits += 100;
	cell.count = 100;
	cell.sum_ns = 50000;
	cell.self_ns = 20000;
	estimate = hp_functions_estimate(&cell);
	assert_int_equal(estimate.calls, 110);
	assert_int_equal(estimate.timed, 102);
	assert_int_equal(estimate.total_ns, 59600);
	assert_int_equal(estimate.self_ns, 21600);
}

/* Nothing timed yet: no duration is made up. */
static void test_none_timed(void **state)
{
	struct hp_cell cell = {.hits = 7, .sampled_hits = 7};
	struct hp_estimate estimate = hp_functions_estimate(&cell);

	assert_int_equal(estimate.calls, 7);
	assert_int_equal(estimate.timed, 0);
	assert_int_equal(estimate.total_ns, 0);
	assert_int_equal(estimate.error_ns, 0);
}

/* 10 calls timed, then 60 sampled of which none was drawn: an average below all that was measured would be wrong. */
static void test_none_timed_since(void **state)
{
	struct hp_cell cell = {
		.hits = 70, .count = 10, .sum_ns = 1000, .self_ns = 500, .sampled_hits = 60};
	struct hp_estimate estimate = hp_functions_estimate(&cell);

	assert_int_equal(estimate.calls, 70);
	assert_int_equal(estimate.timed, 10);
	assert_int_equal(estimate.total_ns, 7000);
	assert_int_equal(estimate.self_ns, 3500);
	assert_int_equal(estimate.error_ns, 6000);
}

/* All alike, as far as the unit tells: the error is not said to be zero. */
static void test_no_spread(void **state)
{
	struct hp_cell cell = {
		.sampled_hits = 1600,
		.timed = 100,
		.est_n = 1600,
		.est_sum_ns = 1600 * 64,
		.est_w = 100 * 240,
		.est_wq = 100 * 240,
		.est_wqq = 100 * 240,
	};
	struct hp_estimate estimate = hp_functions_estimate(&cell);

	assert_int_equal(estimate.total_ns, 1600 * 64);
	assert_in_range(estimate.error_ns, 2800, 2900); /* 64 / sqrt(12) sqrt(24000) */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_sampled),
		cmocka_unit_test(test_both_phases),
		cmocka_unit_test(test_none_timed),
		cmocka_unit_test(test_none_timed_since),
		cmocka_unit_test(test_no_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
