/* What is billed for a hit is more than what calibration saw; what is taken out of durations is not. */
#include "probe/price.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_billed(void **state)
{
	struct hp_price billed = hp_price_billed((struct hp_price){2500, 1250, 900});

	assert_int_equal(billed.timed_ns, 3125);
	assert_int_equal(billed.skip_ns, 1562);
	assert_int_equal(billed.bias_ns, 900);
}

static void test_large(void **state)
{
	assert_int_equal(hp_price_billed((struct hp_price){100000000, 0, 0}).timed_ns, 125000000);
}

static void test_known(void **state)
{
	struct hp_prices prices = {.calibrated = true};

	assert_false(hp_prices_known().calibrated);
	assert_int_equal(hp_prices_known().of[HP_PRICE_RETURN][HP_SITE_EMULATED].timed_ns,
			 hp_prices_assumed.of[HP_PRICE_RETURN][HP_SITE_EMULATED].timed_ns);
	prices.of[HP_PRICE_RETURN][HP_SITE_EMULATED].timed_ns = 77;
	hp_prices_publish(&prices);
	assert_int_equal(hp_prices_known().of[HP_PRICE_RETURN][HP_SITE_EMULATED].timed_ns, 77);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_billed),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
