/* What follows from the sums: what is held is never below zero (trap:A3), and what probes cost has every kind of hit in it. */
#include "domains/alloc/alloc_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_held(void **state)
{
	const struct hp_alloc_cell cells[2] = {
		{.requests = 10, .bytes = 1000, .releases = 1, .unknown = 1},
		{.releases = 3,
		 .released = 250,
		 .untracked = 1,
		 .untracked_bytes = 100,
		 .replaced = 1,
		 .replaced_bytes = 50,
		 .collected = 1,
		 .collected_bytes = 10},
	};
	struct hp_alloc_cell sum = hp_alloc_fold(cells, 2);

	assert_int_equal(sum.requests, 10);
	assert_int_equal(hp_alloc_held(&sum).blocks, 10 - 3 - 1 - 1 - 1);
	assert_int_equal(hp_alloc_held(&sum).bytes, 1000 - 250 - 100 - 50 - 10);
	sum.released = 2000; /* read while it changes */
	sum.releases = 20;
	assert_int_equal(hp_alloc_held(&sum).blocks, 0);
	assert_int_equal(hp_alloc_held(&sum).bytes, 0);
}

static void test_cost(void **state)
{
	struct hp_prices prices = {.calibrated = true};
	const struct hp_alloc_cell before = {.requests = 5, .skips = 7};
	const struct hp_alloc_cell now = {
		.requests = 15, .failed = 1, .missed = 1, .skips = 27, .stepped = 4, .exits = 2};
	struct hp_alloc_price price;

	prices.of[HP_PRICE_RETURN][HP_SITE_EMULATED] = (struct hp_price){1000, 500, 0};
	prices.of[HP_PRICE_RETURN][HP_SITE_STEPPED] = (struct hp_price){4000, 2500, 0};
	prices.of[HP_PRICE_EXITS][HP_SITE_EMULATED] = (struct hp_price){6000, 500, 0};
	price = hp_alloc_price_of(&prices);
	assert_int_equal(price.timed_ns, 1250);
	assert_int_equal(price.skip_ns, 625);
	assert_int_equal(price.stepped_ns, 2500);
	assert_int_equal(price.exit_ns, 6250);
	assert_int_equal(hp_alloc_spent_ns(&before, &now, &price),
			 12 * 1250 + 20 * 625 + 4 * 2500 + 2 * 6250);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
