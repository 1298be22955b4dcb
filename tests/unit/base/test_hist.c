/* Wire contract section 5.4: buckets and percentiles as the contract prints them. */
#include "base/hist.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "format/units.h"

static const struct {
	uint64_t value, width, low, high;
	const char *printed;
} rows[] = {{1, 1, 1, 1, "1 ns"},
	    {1000, 1, 1000, 1000, "1.00 \xc2\xb5s"},
	    {2047, 1, 2047, 2047, "2.05 \xc2\xb5s"},
	    {2048, 2, 2048, 2049, "2.05 \xc2\xb5s"},
	    {2049, 2, 2048, 2049, "2.05 \xc2\xb5s"},
	    {4095, 2, 4094, 4095, "4.09 \xc2\xb5s"},
	    {4096, 4, 4096, 4099, "4.10 \xc2\xb5s"},
	    {5000, 4, 5000, 5003, "5.00 \xc2\xb5s"},
	    {8191, 4, 8188, 8191, "8.19 \xc2\xb5s"},
	    {8192, 8, 8192, 8199, "8.20 \xc2\xb5s"},
	    {10000, 8, 10000, 10007, "10.01 \xc2\xb5s"},
	    {12345, 8, 12344, 12351, "12.35 \xc2\xb5s"},
	    {65535, 32, 65504, 65535, "65.53 \xc2\xb5s"},
	    {65536, 64, 65536, 65599, "65.60 \xc2\xb5s"},
	    {100000, 64, 99968, 100031, "100.03 \xc2\xb5s"},
	    {123456, 64, 123456, 123519, "123.52 \xc2\xb5s"},
	    {500000, 256, 499968, 500223, "500.22 \xc2\xb5s"},
	    {999999, 512, 999936, 1000447, "1.00 ms"},
	    {1000000, 512, 999936, 1000447, "1.00 ms"},
	    {1234567, 1024, 1233920, 1234943, "1.23 ms"},
	    {10000000, 8192, 9994240, 10002431, "10.00 ms"},
	    {123170000, 65536, 123142144, 123207679, "123.21 ms"},
	    {250000000, 131072, 249954304, 250085375, "250.09 ms"},
	    {1000000000, 524288, 999817216, 1000341503, "1.00 s"},
	    {5000000000, 4194304, 4999610368, 5003804671, "5.00 s"},
	    {60000000000, 33554432, 59995324416, 60028878847, "60.03 s"},
	    {999999999999, 536870912, 999653638144, 1000190509055, "1000.19 s"},
	    {1000000000000, 536870912, 999653638144, 1000190509055, "1000.19 s"}};

static struct hp_hist *hist_of(uint64_t max)
{
	struct hp_hist *hist = NULL;

	assert_int_equal(hp_hist_new(max, &hist), 0);
	return hist;
}

static void test_contract_rows(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(rows); i++) {
		HP_AUTO(hp_hist) struct hp_hist *hist = hist_of(HP_HIST_MAX_DURATION);
		char text[HP_UNITS_MAX];

		assert_int_equal(hp_hist_add(hist, rows[i].value, 1), 0);
		assert_int_equal(hp_hist_percentile(hist, 0), rows[i].low);
		assert_int_equal(hp_hist_percentile(hist, 100), rows[i].high);
		assert_int_equal(hp_hist_percentile(hist, 95), rows[i].high);
		assert_int_equal(rows[i].high - rows[i].low + 1, rows[i].width);
		hp_units_duration(text, sizeof(text), hp_hist_percentile(hist, 95));
		assert_string_equal(text, rows[i].printed);
	}
}

/* The rule behind the rows, for values at and around every power of two. */
static void test_bucket_rule(void **state)
{
	for (unsigned bit = 0; bit < 40; bit++) {
		for (int64_t off = -3; off <= 3; off++) {
			HP_AUTO(hp_hist) struct hp_hist *hist = hist_of(HP_HIST_MAX_DURATION);
			int64_t value = (int64_t)(1ull << bit) + off, width;

			if (value < 1 || value > (int64_t)HP_HIST_MAX_DURATION)
				continue;
			width = (int64_t)exp2(fmax(0, floor(log2((double)value)) - 10));
			assert_int_equal(hp_hist_add(hist, (uint64_t)value, 1), 0);
			assert_int_equal(hp_hist_percentile(hist, 0), value / width * width);
			assert_int_equal(hp_hist_percentile(hist, 100),
					 value / width * width + width - 1);
		}
	}
}

static void test_empty(void **state)
{
	HP_AUTO(hp_hist) struct hp_hist *hist = hist_of(HP_HIST_MAX_DURATION);

	assert_int_equal(hp_hist_count(hist), 0);
	assert_int_equal(hp_hist_percentile(hist, 0), 0);
	assert_int_equal(hp_hist_percentile(hist, 50), 0);
	assert_int_equal(hp_hist_percentile(hist, 100), 0);
}

/* Values outside the range are clamped into it: 0 counts as 1, more than the maximum as the maximum. */
static void test_clamp(void **state)
{
	HP_AUTO(hp_hist) struct hp_hist *hist = hist_of(1000);
	HP_AUTO(hp_hist) struct hp_hist *long_ones = hist_of(HP_HIST_MAX_DURATION);

	assert_int_equal(hp_hist_add(hist, 0, 1), 0);
	assert_int_equal(hp_hist_percentile(hist, 100), 1);
	assert_int_equal(hp_hist_add(hist, 1001, 1), 0);
	assert_int_equal(hp_hist_percentile(hist, 100), 1000);
	assert_int_equal(hp_hist_add(hist, UINT64_MAX, 1), 0);
	assert_int_equal(hp_hist_percentile(hist, 100), 1000);
	assert_int_equal(hp_hist_count(hist), 3);

	assert_int_equal(hp_hist_add(long_ones, UINT64_MAX, 1), 0);
	assert_int_equal(hp_hist_percentile(long_ones, 100), 1000190509055);
}

/* p = 99.9 and n = 1000: q * n is 999.0000000000001, so the 1000th value is meant. */
static void test_need_rounds_up(void **state)
{
	HP_AUTO(hp_hist) struct hp_hist *hist = hist_of(HP_HIST_MAX_DURATION);

	for (uint64_t value = 1; value <= 1000; value++)
		assert_int_equal(hp_hist_add(hist, value, 1), 0);
	assert_int_equal(hp_hist_percentile(hist, 99.9), 1000);
	assert_int_equal(hp_hist_percentile(hist, 99.8), 998);
	assert_int_equal(hp_hist_percentile(hist, 50), 500);
	assert_int_equal(hp_hist_percentile(hist, 95), 950);
	assert_int_equal(hp_hist_percentile(hist, 0.05), 1);
	assert_int_equal(hp_hist_percentile(hist, 0), 1);
	assert_int_equal(hp_hist_percentile(hist, 100), 1000);
}

/* At least one value: any p > 0 of one or two values is the first that reaches it. */
static void test_few_values(void **state)
{
	HP_AUTO(hp_hist) struct hp_hist *hist = hist_of(HP_HIST_MAX_DURATION);

	assert_int_equal(hp_hist_add(hist, 10, 1), 0);
	assert_int_equal(hp_hist_percentile(hist, 0.0001), 10);
	assert_int_equal(hp_hist_percentile(hist, 100), 10);
	assert_int_equal(hp_hist_add(hist, 20, 1), 0);
	assert_int_equal(hp_hist_percentile(hist, 50), 10);
	assert_int_equal(hp_hist_percentile(hist, 50.1), 20);
}

static void test_times(void **state)
{
	HP_AUTO(hp_hist) struct hp_hist *hist = hist_of(HP_HIST_MAX_DURATION);

	assert_int_equal(hp_hist_add(hist, 5, 90), 0);
	assert_int_equal(hp_hist_add(hist, 7, 0), 0);
	assert_int_equal(hp_hist_add(hist, 100, 10), 0);
	assert_int_equal(hp_hist_count(hist), 100);
	assert_int_equal(hp_hist_percentile(hist, 90), 5);
	assert_int_equal(hp_hist_percentile(hist, 91), 100);
	/* The empty bucket of 7 is no first bucket. */
	assert_int_equal(hp_hist_percentile(hist, 0), 5);
}

/* Against a plain sorted list of what was added. */
static int by_value(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static uint64_t high_of(uint64_t value)
{
	uint64_t width = 1;

	while (value / width >= 2048)
		width *= 2;
	return value / width * width + width - 1;
}

static void test_random(void **state)
{
	static const double ps[] = {0.1, 1, 12.5, 25, 50, 66.6, 75, 90, 95, 99, 99.9, 99.99, 100};
	static uint64_t values[5003];
	HP_AUTO(hp_hist) struct hp_hist *hist = hist_of(HP_HIST_MAX_DURATION);
	uint64_t seed = 7;

	for (size_t i = 0; i < HP_ARRAY_SIZE(values); i++) {
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		values[i] = 1 + (seed >> (25 + seed % 39)) % 1000000000;
		assert_int_equal(hp_hist_add(hist, values[i], 1), 0);
	}
	qsort(values, HP_ARRAY_SIZE(values), sizeof(values[0]), by_value);
	for (size_t i = 0; i < HP_ARRAY_SIZE(ps); i++) {
		double q = ps[i] / 100;
		size_t need = (size_t)ceil(q * (double)HP_ARRAY_SIZE(values));

		assert_int_equal(hp_hist_percentile(hist, ps[i]), high_of(values[need - 1]));
	}
	assert_int_equal(hp_hist_count(hist), HP_ARRAY_SIZE(values));
}

/* An octave is allocated on first use, so that a function with steady calls stays small. */
static void test_memory(void **state)
{
	HP_AUTO(hp_hist) struct hp_hist *hist = hist_of(HP_HIST_MAX_DURATION);
	size_t empty = hp_hist_bytes(hist), one;

	assert_int_equal(hp_hist_add(hist, 5000, 1), 0);
	one = hp_hist_bytes(hist);
	assert_int_equal(one - empty, 1024 * sizeof(uint64_t));
	assert_int_equal(hp_hist_add(hist, 6000, 1000), 0);
	assert_int_equal(hp_hist_bytes(hist), one);
}

static void test_new_refuses(void **state)
{
	struct hp_hist *hist = NULL;

	assert_int_equal(hp_hist_new(0, &hist), -EINVAL);
	assert_int_equal(hp_hist_new(1, &hist), -EINVAL);
	assert_null(hist);
	hp_hist_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contract_rows),  cmocka_unit_test(test_bucket_rule),
		cmocka_unit_test(test_empty),          cmocka_unit_test(test_clamp),
		cmocka_unit_test(test_need_rounds_up), cmocka_unit_test(test_few_values),
		cmocka_unit_test(test_times),          cmocka_unit_test(test_random),
		cmocka_unit_test(test_memory),         cmocka_unit_test(test_new_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
