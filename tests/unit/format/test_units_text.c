/* Wire contract sections 4.8 to 4.12: every example of the contract, to the byte. */
#include "format/units.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const struct {
	double in;
	const char *key, *heading;
} keys[] = {{0, "p0", "P0"},
	    {1, "p1", "P1"},
	    {5, "p5", "P5"},
	    {10, "p10", "P10"},
	    {12.5, "p12.5", "P12.5"},
	    {25, "p25", "P25"},
	    {50, "p50", "P50"},
	    {50.0, "p50", "P50"},
	    {66.6, "p66.6", "P66.6"},
	    {75, "p75", "P75"},
	    {75.5, "p75.5", "P75.5"},
	    {80, "p80", "P80"},
	    {90, "p90", "P90"},
	    {90.0, "p90", "P90"},
	    {92.25, "p92.25", "P92.25"},
	    {95, "p95", "P95"},
	    {95.0, "p95", "P95"},
	    {95.5, "p95.5", "P95.5"},
	    {97.5, "p97.5", "P97.5"},
	    {98, "p98", "P98"},
	    {99, "p99", "P99"},
	    {99.0, "p99", "P99"},
	    {99.5, "p99.5", "P99.5"},
	    {99.9, "p99.9", "P99.9"},
	    {99.9, "p99.9", "P99.9"},
	    {99.95, "p99.95", "P99.95"},
	    {99.99, "p99.99", "P99.99"},
	    {99.999, "p99.999", "P99.999"},
	    {99.9999, "p99.9999", "P99.9999"},
	    {100, "p100", "P100"},
	    {100.0, "p100", "P100"},
	    {33.333, "p33.333", "P33.333"}};

static const struct {
	double in;
	const char *out;
} gauges[] = {{0, "0"},
	      {-0.0, "-0"},
	      {1, "1"},
	      {42, "42"},
	      {42.0, "42"},
	      {-3, "-3"},
	      {0.5, "0.5"},
	      {-0.5, "-0.5"},
	      {0.1, "0.1"},
	      {0.2, "0.2"},
	      {0.30000000000000004, "0.30000000000000004"},
	      {1.5, "1.5"},
	      {2.25, "2.25"},
	      {3.14, "3.14"},
	      {99.9, "99.9"},
	      {100, "100"},
	      {1000, "1000"},
	      {12345.678, "12345.678"},
	      {1000000.0, "1000000"},
	      {1000000000000000.0, "1000000000000000"},
	      {1e+16, "10000000000000000"},
	      {1e+20, "100000000000000000000"},
	      {1e+21, "1000000000000000000000"},
	      {0.001, "0.001"},
	      {1e-07, "0.0000001"},
	      {1.25e-10, "0.000000000125"},
	      {123456789.125, "123456789.125"},
	      {1e+22, "10000000000000000000000"},
	      {INFINITY, "inf"},
	      {-INFINITY, "-inf"},
	      {NAN, "NaN"}};

static const struct {
	const char *source, *custom;
	uint32_t iter;
	const char *out;
} labels[] = {{"src/main.rs:10", NULL, 0, "src/main.rs:10"},
	      {"main.rs:10", NULL, 0, "main.rs:10"},
	      {"main.c:7", NULL, 0, "main.c:7"},
	      {"/srv/app/src/net/worker.rs:42", NULL, 0, "net/worker.rs:42"},
	      {"src/net/worker.rs:42", NULL, 0, "net/worker.rs:42"},
	      {"src/net/worker.rs:42", NULL, 1, "net/worker.rs:42-2"},
	      {"src/net/worker.rs:42", NULL, 2, "net/worker.rs:42-3"},
	      {"src/net/worker.rs:42", NULL, 9, "net/worker.rs:42-10"},
	      {"src/net/worker.rs:42", "jobs", 0, "jobs"},
	      {"src/net/worker.rs:42", "jobs", 1, "jobs-2"},
	      {"src/net/worker.rs:42", "jobs", 4, "jobs-5"},
	      {"a/b:1", NULL, 0, "a/b:1"},
	      {"a/b/c:1", NULL, 0, "b/c:1"},
	      {"a/b/c", NULL, 0, "b/c"},
	      {"c", NULL, 0, "c"},
	      {"b/c", NULL, 0, "b/c"},
	      {"orderd::net::fetch", NULL, 0, "orderd::net::fetch"},
	      {"orderd::net::fetch", NULL, 1, "orderd::net::fetch-2"},
	      {"orderd::net::fetch", "fetch", 0, "fetch"},
	      {"fetch", NULL, 0, "fetch"},
	      {"", NULL, 0, ""},
	      {"x.rs:1:2", NULL, 0, "x.rs:1:2"},
	      {"d/x.rs:1:2", NULL, 0, "d/x.rs:1:2"},
	      {"e/d/x.rs:1:2", NULL, 0, "d/x.rs:1:2"},
	      {"/x.rs:1", NULL, 0, "/x.rs:1"},
	      {"//x.rs:1", NULL, 0, "/x.rs:1"},
	      {"./x.rs:1", NULL, 0, "./x.rs:1"},
	      {"../lib/x.rs:3", NULL, 0, "lib/x.rs:3"},
	      {"C:\\s\\x.rs:4", NULL, 0, "C:\\s\\x.rs:4"},
	      {"<external>/tokio-1.2.3/src/x.rs:8", NULL, 0, "src/x.rs:8"},
	      {"src/net/worker.rs:42", "", 0, ""},
	      {"src/net/worker.rs:42", "", 1, "-2"}};

static const struct {
	const char *in, *out;
} displays[] = {{"src/http/router.rs:88", "http/router.rs:88"},
		{"/a/b/c.rs:1:2", "b/c.rs:1:2"},
		{"main.rs:3", "main.rs:3"}};

static void test_percentile_key(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(keys); i++) {
		char buf[HP_UNITS_MAX];

		hp_units_percentile_key(buf, sizeof(buf), keys[i].in);
		assert_string_equal(buf, keys[i].key);
		assert_int_equal(keys[i].heading[0],
				 'P'); /* the console prints the key with a capital */
		assert_string_equal(buf + 1, keys[i].heading + 1);
	}
}

static void test_gauge(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(gauges); i++) {
		char buf[HP_UNITS_MAX];

		hp_units_gauge(buf, sizeof(buf), gauges[i].in);
		assert_string_equal(buf, gauges[i].out);
	}
}

/* Doubles of all sizes: no exponent, and the text reads back to the same bits. */
static void test_gauge_reads_back(void **state)
{
	uint64_t bits = 1;
	unsigned finite = 0;

	for (unsigned i = 0; i < 20000; i++) {
		char buf[1200];
		double value, back;

		bits = bits * 6364136223846793005ull + 1442695040888963407ull;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		finite++;
		hp_units_gauge(buf, sizeof(buf), value);
		assert_null(strpbrk(buf, "eE"));
		back = strtod(buf, NULL);
		assert_memory_equal(&back, &value, sizeof(back));
	}
	assert_true(finite > 19000);
}

/* HP_UNITS_MAX is enough for any number: the longest are the tiniest and the largest double. */
static void test_gauge_fits(void **state)
{
	static const double extremes[] = {
		1.7976931348623157e308,  -1.7976931348623157e308, 5e-324, -5e-324,
		2.2250738585072014e-308, -2.2250738585072014e-308};

	for (size_t i = 0; i < HP_ARRAY_SIZE(extremes); i++) {
		char buf[HP_UNITS_MAX];

		hp_units_gauge(buf, sizeof(buf), extremes[i]);
		assert_true(strlen(buf) + 1 < sizeof(buf));
		assert_true(strtod(buf, NULL) == extremes[i]);
	}
}

static void test_label(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(labels); i++) {
		char buf[HP_UNITS_MAX];

		hp_units_label(buf, sizeof(buf), labels[i].source, labels[i].custom,
			       labels[i].iter);
		assert_string_equal(buf, labels[i].out);
	}
}

static void test_label_of_the_last_iter(void **state)
{
	char buf[HP_UNITS_MAX];

	hp_units_label(buf, sizeof(buf), "a.c:1", NULL, UINT32_MAX);
	assert_string_equal(buf, "a.c:1-4294967296");
}

static void test_source_display(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(displays); i++) {
		char buf[HP_UNITS_MAX];

		hp_units_source_display(buf, sizeof(buf), displays[i].in);
		assert_string_equal(buf, displays[i].out);
	}
}

/* @n times @unit, then @end. */
static char *repeat(size_t n, const char *unit, const char *end)
{
	size_t step = strlen(unit);
	char *text = malloc(n * step + strlen(end) + 1);

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * step, unit, step);
	strcpy(text + n * step, end);
	return text;
}

static void check_value(size_t n, const char *unit, const char *end, size_t expected_n,
			const char *expected_end)
{
	HP_AUTO_FREE char *text = repeat(n, unit, end);
	HP_AUTO_FREE char *expected = repeat(expected_n, unit, expected_end);
	char buf[1537];

	assert_ptr_equal(hp_units_value(buf, sizeof(buf), text), buf);
	assert_string_equal(buf, expected);
}

static void test_value(void **state)
{
	check_value(0, "a", "", 0, "");
	check_value(1533, "a", "", 1533, "");
	check_value(1534, "a", "", 1533, "...");
	check_value(1532, "a", "\xc3\xa9", 1532, "...");
	check_value(1531, "a", "\xc3\xa9", 1531, "\xc3\xa9");
	check_value(600, "\xf0\x9f\x98\x80", "", 383, "...");
	check_value(100000, "a", "", 1533, "...");
}

/* The debug text is the target's: what is no UTF-8 becomes U+FFFD (section 3, rule 9). */
static void test_value_is_made_valid(void **state)
{
	check_value(1, "a",
		    "\xff"
		    "b",
		    1,
		    "\xef\xbf\xbd"
		    "b");
	check_value(0, "", "\xe2\x82", 0, "\xef\xbf\xbd\xef\xbf\xbd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentile_key),
		cmocka_unit_test(test_gauge),
		cmocka_unit_test(test_gauge_reads_back),
		cmocka_unit_test(test_gauge_fits),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_label_of_the_last_iter),
		cmocka_unit_test(test_source_display),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_value_is_made_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
