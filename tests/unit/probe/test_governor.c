/* The guard's arithmetic: what fits into the budget stays timed, the most expensive is sampled first, then dropped. */
#include "probe/governor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000ull

/* Without CPU time of its own a target has 3 % of a quarter of a CPU. */
#define FLOOR_BUDGET (SECOND / 4 * 3 / 100)

static struct hp_governor_window window_of(uint64_t ns, uint64_t cpu_ns)
{
	return (struct hp_governor_window){
		.ns = ns, .target_cpu_ns = cpu_ns, .budget_percent = 3, .patience = 1};
}

static struct hp_governor_function function_of(uint32_t index, uint64_t hits, uint32_t time_ns)
{
	return (struct hp_governor_function){
		.index = index, .hits = hits, .time_ns = time_ns, .skip_ns = time_ns / 2};
}

static uint64_t budget_of(uint64_t ns, uint64_t cpu_ns)
{
	struct hp_governor_function one = function_of(7, 10, 1000);
	struct hp_governor_window window = window_of(ns, cpu_ns);
	struct hp_governor_move moves[1];

	return hp_governor_decide(&one, 1, &window, moves).budget_ns;
}

static void test_budget(void **state)
{
	/* 3 % of the CPU time used in the window, several CPUs too. */
	assert_int_equal(budget_of(SECOND, SECOND), SECOND * 3 / 100);
	assert_int_equal(budget_of(SECOND, 4 * SECOND), 4 * SECOND * 3 / 100);
	assert_int_equal(budget_of(SECOND, 0), FLOOR_BUDGET);
	assert_int_equal(budget_of(SECOND, SECOND / 4 - 1000), FLOOR_BUDGET);
	assert_int_equal(budget_of(2 * SECOND, 0), 2 * FLOOR_BUDGET);
}

static void test_cost(void **state)
{
	struct hp_governor_function function = function_of(0, 1600, 1000);

	assert_int_equal(hp_governor_cost(&function, HP_LEVEL_TIMED), 1600000);
	assert_int_equal(hp_governor_cost(&function, HP_LEVEL_SAMPLED), 800000 + 50000);
	assert_int_equal(hp_governor_cost(&function, HP_LEVEL_DROPPED), 0);
}

static void test_exactly_on_budget(void **state)
{
	struct hp_governor_function functions[] = {
		function_of(0, FLOOR_BUDGET / 1000 - 1, 1000),
		function_of(1, 1, 1000),
	};
	struct hp_governor_window window = window_of(SECOND, 0);
	struct hp_governor_move moves[2];
	struct hp_governor_result result = hp_governor_decide(functions, 2, &window, moves);

	assert_int_equal(result.spent_ns, FLOOR_BUDGET);
	assert_int_equal(result.nmoves, 0);
	functions[1].hits++;
	result = hp_governor_decide(functions, 2, &window, moves);
	assert_int_equal(result.spent_ns, FLOOR_BUDGET + 1000);
	assert_int_equal(result.nmoves, 1);
	assert_int_equal(moves[0].index, 0);
	assert_int_equal(moves[0].level, HP_LEVEL_DROPPED); /* it has no session to sample in */
}

static void test_nothing_to_decide(void **state)
{
	struct hp_governor_function one = function_of(0, 1000000, 12000);
	struct hp_governor_window window = window_of(SECOND, SECOND);
	struct hp_governor_move moves[1];
	struct hp_governor_result result = hp_governor_decide(NULL, 0, &window, moves);

	assert_int_equal(result.spent_ns, 0);
	assert_int_equal(result.nmoves, 0);
	/* A window of no length says nothing about a rate. */
	window = window_of(0, 0);
	assert_int_equal(hp_governor_decide(&one, 1, &window, moves).nmoves, 0);
}

/* By cost, not by hits: a stepped hit costs twelve emulated ones. */
static void test_most_expensive_first(void **state)
{
	struct hp_governor_function functions[] = {
		function_of(10, 5000, 1000),
		function_of(11, 30000, 1000),
		function_of(12, 4000, 12000),
		function_of(13, 1000, 1000),
	};
	struct hp_governor_window window = window_of(SECOND, 0);
	struct hp_governor_move moves[4];
	/* 84 ms spent, budget 7.5 ms: without 48 and 30 there are 6 left. */
	struct hp_governor_result result = hp_governor_decide(functions, 4, &window, moves);

	assert_int_equal(result.spent_ns, 84000000);
	assert_int_equal(result.nmoves, 2);
	assert_int_equal(moves[0].index, 12);
	assert_int_equal(moves[0].hits_per_sec, 4000);
	assert_float_equal(moves[0].percent, 4.8, 1e-9);
	assert_int_equal(moves[1].index, 11);
	assert_int_equal(moves[1].hits_per_sec, 30000);
	assert_float_equal(moves[1].percent, 3.0, 1e-9);
}

/* Sampling suffices for the first two; the third stays timed. */
static void test_sampled_before_dropped(void **state)
{
	struct hp_governor_function functions[] = {
		function_of(0, 6000, 1000),
		function_of(1, 4000, 1000),
		function_of(2, 1000, 1000),
	};
	struct hp_governor_window window = window_of(SECOND, 0);
	struct hp_governor_move moves[3];
	struct hp_governor_result result;

	for (int i = 0; i < 3; i++)
		functions[i].can_sample = true;
	result = hp_governor_decide(functions, 3, &window, moves);
	assert_int_equal(result.spent_ns, 11000000);
	assert_int_equal(result.nmoves, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(moves[i].index, i);
		assert_int_equal(moves[i].level, HP_LEVEL_SAMPLED);
	}
	/* The same load again: it fits, nothing moves. */
	result = hp_governor_decide(functions, 3, &window, moves);
	assert_true(result.spent_ns <= result.budget_ns);
	assert_int_equal(result.nmoves, 0);
}

/* One is so hot that it must go; then there is no reason to sample the others. */
static void test_sampled_in_vain(void **state)
{
	struct hp_governor_function functions[] = {
		function_of(0, 1000000, 1000),
		function_of(1, 3000, 1000),
		function_of(2, 3000, 1000),
	};
	struct hp_governor_window window = window_of(SECOND, 0);
	struct hp_governor_move moves[3];
	struct hp_governor_result result;

	for (int i = 0; i < 3; i++)
		functions[i].can_sample = true;
	result = hp_governor_decide(functions, 3, &window, moves);
	assert_int_equal(result.nmoves, 1);
	assert_int_equal(moves[0].index, 0);
	assert_int_equal(moves[0].level, HP_LEVEL_DROPPED);
}

/* A short window may be a burst: what is only somewhat over budget is sampled and stays. */
static void test_patience(void **state)
{
	struct hp_governor_function functions[] = {
		function_of(0, 20000, 1000),
		function_of(1, 100000, 1000),
	};
	struct hp_governor_window window = window_of(SECOND, 0);
	struct hp_governor_move moves[2];

	window.patience = 4;
	functions[0].can_sample = functions[1].can_sample = true;
	assert_int_equal(hp_governor_decide(functions, 2, &window, moves).nmoves, 2);
	assert_int_equal(moves[0].index, 1); /* 53 ms sampled of 30 that are borne */
	assert_int_equal(moves[0].level, HP_LEVEL_DROPPED);
	assert_int_equal(moves[1].index, 0); /* 10.6 ms sampled */
	assert_int_equal(moves[1].level, HP_LEVEL_SAMPLED);
	window.patience = 1;
	functions[0].level = HP_LEVEL_SAMPLED;
	functions[1].hits = 0;
	assert_int_equal(hp_governor_decide(functions, 2, &window, moves).nmoves, 1);
	assert_int_equal(moves[0].level, HP_LEVEL_DROPPED);
}

static void test_up_when_calm(void **state)
{
	struct hp_governor_function functions[] = {
		function_of(0, 3000, 1000),
		function_of(1, 1000, 1000),
		function_of(2, 500, 1000),
	};
	struct hp_governor_window window = window_of(SECOND, 0);
	struct hp_governor_move moves[3];
	struct hp_governor_result result;

	for (int i = 0; i < 3; i++) {
		functions[i].can_sample = true;
		functions[i].level = HP_LEVEL_SAMPLED;
	}
	result = hp_governor_decide(functions, 3, &window, moves);
	assert_int_equal(result.nmoves, 0); /* nobody said that it is calm */
	window.calm = true;
	result = hp_governor_decide(functions, 3, &window, moves);
	assert_int_equal(result.nmoves, 3); /* 4.5 ms of 5.25 */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(moves[i].level, HP_LEVEL_TIMED);
		functions[i].level = HP_LEVEL_SAMPLED;
		functions[i].hits *= 2;
	}
	result = hp_governor_decide(functions, 3, &window, moves);
	assert_int_equal(result.nmoves, 1); /* 4.78 ms sampled; timing the cheapest alone fits */
	assert_int_equal(moves[0].index, 2);
}

static void test_rate_of_a_short_window(void **state)
{
	struct hp_governor_function one = function_of(1, 50000, 1000);
	struct hp_governor_window window = window_of(SECOND / 10, 0);
	struct hp_governor_move moves[1];

	assert_int_equal(hp_governor_decide(&one, 1, &window, moves).nmoves, 1);
	assert_int_equal(moves[0].hits_per_sec, 500000);
	assert_float_equal(moves[0].percent, 50.0, 1e-9);
}

/* What the user insists on is paid for by the others. */
static void test_exact_is_never_moved(void **state)
{
	struct hp_governor_function functions[] = {
		function_of(0, 1000000, 12000),
		function_of(1, 20, 1000),
		function_of(2, 0, 12000),
	};
	struct hp_governor_window window = window_of(SECOND, 0);
	struct hp_governor_move moves[3];
	struct hp_governor_result result;

	functions[0].exact = functions[0].can_sample = true;
	result = hp_governor_decide(functions, 3, &window, moves);
	assert_int_equal(result.spent_ns, 12000020000ull);
	assert_int_equal(result.nmoves, 1); /* one without hits costs nothing: it stays */
	assert_int_equal(moves[0].index, 1);
}

static uint64_t total(const struct hp_governor_function *functions, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += hp_governor_cost(&functions[i], functions[i].level);
	return sum;
}

/*
 * Any load: afterwards the rest fits, and with one dropped function more, sampled, it would not, whichever of those
 * with the lowest cost it is; the same load again moves nothing, calm or not: no oscillation.
 */
static void test_any_load(void **state)
{
	enum { N = 300 };
	struct hp_governor_function functions[N];
	struct hp_governor_move moves[N];
	uint64_t random = 42;

	for (int round = 0; round < 300; round++) {
		struct hp_governor_window window = window_of(SECOND, SECOND / 2);
		struct hp_governor_result result;
		uint64_t sum;

		for (uint32_t i = 0; i < N; i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			functions[i] =
				function_of(i, (random >> 33) % 300, random >> 63 ? 1000 : 12000);
			functions[i].can_sample = random >> 62 & 1;
		}
		result = hp_governor_decide(functions, N, &window, moves);
		sum = total(functions, N);
		assert_true(sum <= result.budget_ns);
		for (size_t i = 0; i < result.nmoves; i++) {
			assert_true(moves[i].level != HP_LEVEL_TIMED);
			assert_true(moves[i].percent > 0);
		}
		/* What goes frees room only as needed: at most the cost of one function is left over. */
		if (result.spent_ns > result.budget_ns)
			assert_true(sum + 12000 * 300 > result.budget_ns);
		window.calm = true;
		for (int again = 0; again < 3; again++) {
			result = hp_governor_decide(functions, N, &window, moves);
			assert_true(total(functions, N) <= result.budget_ns);
		}
		assert_int_equal(result.nmoves, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_exactly_on_budget),
		cmocka_unit_test(test_nothing_to_decide),
		cmocka_unit_test(test_most_expensive_first),
		cmocka_unit_test(test_sampled_before_dropped),
		cmocka_unit_test(test_sampled_in_vain),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_up_when_calm),
		cmocka_unit_test(test_rate_of_a_short_window),
		cmocka_unit_test(test_exact_is_never_moved),
		cmocka_unit_test(test_any_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
