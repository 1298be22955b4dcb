/* The guard's arithmetic: what fits into the budget stays, the most expensive goes first. */
#include "probe/governor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND 1000000000ull

/* Without CPU time of its own a target has 3 % of a quarter of a CPU. */
#define FLOOR_BUDGET (SECOND / 4 * 3 / 100)

static void test_budget(void **state)
{
	struct hp_governor_drop drops[1];
	struct hp_governor_function one = {.index = 7, .hits = 10, .price_ns = 1000};

	/* 3 % of the CPU time used in the window, several CPUs too. */
	assert_int_equal(hp_governor_decide(&one, 1, SECOND, SECOND, drops).budget_ns,
			 SECOND * 3 / 100);
	assert_int_equal(hp_governor_decide(&one, 1, SECOND, 4 * SECOND, drops).budget_ns,
			 4 * SECOND * 3 / 100);
	assert_int_equal(hp_governor_decide(&one, 1, SECOND, 0, drops).budget_ns, FLOOR_BUDGET);
	assert_int_equal(hp_governor_decide(&one, 1, SECOND, SECOND / 4 - 1000, drops).budget_ns,
			 FLOOR_BUDGET);
	assert_int_equal(hp_governor_decide(&one, 1, 2 * SECOND, 0, drops).budget_ns,
			 2 * FLOOR_BUDGET);
}

static void test_exactly_on_budget(void **state)
{
	struct hp_governor_drop drops[2];
	struct hp_governor_function functions[] = {
		{.index = 0, .hits = FLOOR_BUDGET / 1000 - 1, .price_ns = 1000},
		{.index = 1, .hits = 1, .price_ns = 1000},
	};
	struct hp_governor_result result = hp_governor_decide(functions, 2, SECOND, 0, drops);

	assert_int_equal(result.spent_ns, FLOOR_BUDGET);
	assert_int_equal(result.ndrops, 0);
	functions[1].hits++;
	result = hp_governor_decide(functions, 2, SECOND, 0, drops);
	assert_int_equal(result.spent_ns, FLOOR_BUDGET + 1000);
	assert_int_equal(result.ndrops, 1);
	assert_int_equal(drops[0].index, 0);
}

static void test_nothing_to_decide(void **state)
{
	struct hp_governor_drop drops[1];
	struct hp_governor_function one = {.hits = 1000000, .price_ns = 12000};
	struct hp_governor_result result = hp_governor_decide(NULL, 0, SECOND, SECOND, drops);

	assert_int_equal(result.spent_ns, 0);
	assert_int_equal(result.ndrops, 0);
	/* A window of no length says nothing about a rate. */
	assert_int_equal(hp_governor_decide(&one, 1, 0, 0, drops).ndrops, 0);
}

/* By cost, not by hits: a stepped hit costs twelve emulated ones. */
static void test_most_expensive_first(void **state)
{
	struct hp_governor_drop drops[4];
	struct hp_governor_function functions[] = {
		{.index = 10, .hits = 5000, .price_ns = 1000},
		{.index = 11, .hits = 30000, .price_ns = 1000},
		{.index = 12, .hits = 4000, .price_ns = 12000},
		{.index = 13, .hits = 1000, .price_ns = 1000},
	};
	/* 84 ms spent, budget 7.5 ms: without 48 and 30 there are 6 left. */
	struct hp_governor_result result = hp_governor_decide(functions, 4, SECOND, 0, drops);

	assert_int_equal(result.spent_ns, 84000000);
	assert_int_equal(result.ndrops, 2);
	assert_int_equal(drops[0].index, 12);
	assert_int_equal(drops[0].hits_per_sec, 4000);
	assert_float_equal(drops[0].percent, 4.8, 1e-9);
	assert_int_equal(drops[1].index, 11);
	assert_int_equal(drops[1].hits_per_sec, 30000);
	assert_float_equal(drops[1].percent, 3.0, 1e-9);
}

static void test_rate_of_a_short_window(void **state)
{
	struct hp_governor_drop drops[1];
	struct hp_governor_function one = {.index = 1, .hits = 50000, .price_ns = 1000};

	assert_int_equal(hp_governor_decide(&one, 1, SECOND / 10, 0, drops).ndrops, 1);
	assert_int_equal(drops[0].hits_per_sec, 500000);
	assert_float_equal(drops[0].percent, 50.0, 1e-9);
}

/* What the user insists on is paid for by the others. */
static void test_exact_is_never_dropped(void **state)
{
	struct hp_governor_drop drops[3];
	struct hp_governor_function functions[] = {
		{.index = 0, .hits = 1000000, .price_ns = 12000, .exact = true},
		{.index = 1, .hits = 20, .price_ns = 1000},
		{.index = 2, .hits = 0, .price_ns = 12000},
	};
	struct hp_governor_result result = hp_governor_decide(functions, 3, SECOND, 0, drops);

	assert_int_equal(result.spent_ns, 12000020000ull);
	assert_int_equal(result.ndrops, 1); /* one without hits costs nothing: it stays */
	assert_int_equal(drops[0].index, 1);
}

/* Afterwards the rest fits, and without the last drop it would not have. */
static void test_drops_are_enough_and_not_more(void **state)
{
	enum { N = 300 };
	struct hp_governor_function functions[N];
	struct hp_governor_drop drops[N];
	uint64_t random = 42;

	for (int round = 0; round < 200; round++) {
		struct hp_governor_result result;
		uint64_t left, cost_of[N], last = 0;

		for (uint32_t i = 0; i < N; i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			functions[i] = (struct hp_governor_function){
				.index = i,
				.hits = (random >> 33) % 300,
				.price_ns = random >> 63 ? 1000 : 12000,
			};
			cost_of[i] = functions[i].hits * functions[i].price_ns;
		}
		result = hp_governor_decide(functions, N, SECOND, SECOND / 2, drops);
		left = result.spent_ns;
		for (size_t i = 0; i < result.ndrops; i++) {
			assert_true(left > result.budget_ns);
			last = cost_of[drops[i].index];
			assert_true(last > 0);
			if (i)
				assert_true(last <= cost_of[drops[i - 1].index]);
			left -= last;
		}
		assert_true(left <= result.budget_ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_exactly_on_budget),
		cmocka_unit_test(test_nothing_to_decide),
		cmocka_unit_test(test_most_expensive_first),
		cmocka_unit_test(test_rate_of_a_short_window),
		cmocka_unit_test(test_exact_is_never_dropped),
		cmocka_unit_test(test_drops_are_enough_and_not_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
