/* What /heap and /heap/diff accept; what they do not changes nothing and gets a sentence. */
#include "domains/alloc/alloc_query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"

static void test_heap(void **state)
{
	struct hp_alloc_query query;
	struct hp_err err = {0};

	assert_int_equal(hp_alloc_query_parse(NULL, &query, &err), 0);
	assert_int_equal(query.view, HP_ALLOC_VIEW_LIVE);
	assert_int_equal(query.format, HP_CPU_FOLDED);
	assert_false(query.past);
	assert_int_equal(hp_alloc_query_parse("what=allocated&format=json&window=60", &query, &err),
			 0);
	assert_int_equal(query.view, HP_ALLOC_VIEW_ALLOCATED);
	assert_int_equal(query.format, HP_CPU_JSON);
	assert_true(query.past);
	assert_int_equal(query.span.from_sec, 60);
	assert_int_equal(query.span.to_sec, 0);
	assert_int_equal(hp_alloc_query_parse("what=allocated&window=5-30", &query, &err), 0);
	assert_int_equal(query.span.from_sec, 30);
	assert_int_equal(query.span.to_sec, 5);
}

static void test_bad_heap(void **state)
{
	static const char *const bad[] = {"what=",
					  "what=more",
					  "format=svg",
					  "window=60",
					  "what=leaks&window=60",
					  "what=allocated&window=",
					  "what=allocated&window=5-5",
					  "what=allocated&window=x",
					  "what=allocated&window=1-2-3",
					  "what=allocated&window=99999999999"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hp_alloc_query query = {.view = HP_ALLOC_VIEW_LEAKS};
		struct hp_err err = {0};

		assert_int_equal(hp_alloc_query_parse(bad[i], &query, &err), -EINVAL);
		assert_int_equal(query.view, HP_ALLOC_VIEW_LEAKS);
		assert_true(err.text[0]);
	}
}

static void test_diff(void **state)
{
	static const char *const bad[] = {"",
					  "b=1",
					  "a=60&b=60",
					  "a=1&b=2",
					  "seconds=0",
					  "a=60&b=30&seconds=5",
					  "a=x&b=1",
					  "a=60&b=30&format=pprof",
					  "a=9&b=1&what=leaks"};
	struct hp_alloc_diff_query query;
	struct hp_err err = {0};

	assert_int_equal(hp_alloc_query_parse_diff("a=120&b=60", &query, &err), 0);
	assert_int_equal(query.a_sec, 120);
	assert_int_equal(query.b_sec, 60);
	assert_int_equal(query.seconds, 0);
	assert_int_equal(hp_alloc_query_parse_diff("seconds=30&format=json", &query, &err), 0);
	assert_int_equal(query.seconds, 30);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(hp_alloc_query_parse_diff(bad[i], &query, &err), -EINVAL);
		assert_int_equal(query.seconds, 30);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heap),
		cmocka_unit_test(test_bad_heap),
		cmocka_unit_test(test_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
