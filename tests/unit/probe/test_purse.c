/* Tries of dropped functions take at most a third of the budget, whatever their number. */
#include "probe/purse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define WINDOW_NS 200000000ull
#define BUDGET_NS (WINDOW_NS * 3 / 100) /* of a target that uses one CPU */

static void test_third_of_the_budget(void **state)
{
	struct hp_purse purse = {0};
	uint64_t spent = 0, price = hp_purse_price(100, 1);

	for (int i = 0; i < 3000; i++) {
		hp_purse_fill(&purse, BUDGET_NS, BUDGET_NS / 10, 1);
		while (hp_purse_pay(&purse, price))
			spent += price;
	}
	assert_true(spent <= 3000 * BUDGET_NS / 3);
	assert_true(spent >= 3000 * BUDGET_NS / 3 - 2 * price);
}

static void test_what_is_left(void **state)
{
	struct hp_purse purse = {0};

	hp_purse_fill(&purse, BUDGET_NS, BUDGET_NS - 1000, 1);
	assert_int_equal(purse.ns, 1000);
	hp_purse_fill(&purse, BUDGET_NS, BUDGET_NS, 1);
	hp_purse_fill(&purse, BUDGET_NS, 2 * BUDGET_NS, 1);
	assert_int_equal(purse.ns, 1000);
	assert_false(hp_purse_pay(&purse, 1001));
	assert_true(hp_purse_pay(&purse, 1000));
	assert_int_equal(purse.ns, 0);
	assert_true(hp_purse_pay(&purse, 0));
}

/* A try can always be saved up for, however many CPUs the target uses; a calm hour does not pay for a burst of tries. */
static void test_limits(void **state)
{
	static const double loads[] = {0, 0.1, 1, 2, 64};

	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		struct hp_purse purse = {0};
		int tries = 0;

		for (int k = 0; k < 100000; k++)
			hp_purse_fill(&purse, BUDGET_NS, 0, loads[i]);
		while (tries < 1000 && hp_purse_pay(&purse, hp_purse_price(1000, loads[i])))
			tries++;
		assert_in_range(tries, 2, loads[i] >= 1 ? 2 : 1000);
	}
}

static void test_price(void **state)
{
	assert_int_equal(hp_purse_price(0.25, 1), HP_PURSE_TRY_NS / 4);
	assert_int_equal(hp_purse_price(40, 1), HP_PURSE_TRY_NS);
	assert_int_equal(hp_purse_price(40, 0), 0); /* nobody to hold up */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_third_of_the_budget),
		cmocka_unit_test(test_what_is_left),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_price),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
