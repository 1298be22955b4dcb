/* Beats of sampling that change: a sample stands for 1 / hz seconds on average all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>

#include <cmocka.h>

#include "domains/cpu/cpu_events.h"

#define SEC_NS 1000000000ull

static uint64_t seed = 42;

static uint32_t roll(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32);
}

static void test_range(void **state)
{
	uint64_t quick = hp_cpu_events_period_ns(100, SEC_NS, UINT32_MAX);
	uint64_t slow = hp_cpu_events_period_ns(100, SEC_NS, 0);

	/* Half a beat a second is lost: 100.5 are wanted. */
	assert_true(fabs((double)quick - 1e9 / 113.0) < 2);
	assert_true(fabs((double)slow - 1e9 / 88.0) < 2);
}

/* As many samples as at an even beat, although each new beat begins anew. */
static void test_mean(void **state)
{
	static const struct {
		unsigned hz;
		uint64_t span_ns;
	} cases[] = {
		{10, 16 * SEC_NS / 10}, {99, SEC_NS / 4}, {999, SEC_NS / 4}, {9999, SEC_NS / 10}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t samples = 0, spans = 40000;
		double wanted =
			(double)cases[i].hz * (double)cases[i].span_ns / 1e9 * (double)spans;

		for (uint64_t span = 0; span < spans; span++)
			samples += cases[i].span_ns /
				   hp_cpu_events_period_ns(cases[i].hz, cases[i].span_ns, roll());
		assert_true(fabs((double)samples / wanted - 1) < 0.003);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
