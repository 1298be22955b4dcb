/* What GET /timeline accepts. */
#include "domains/timeline/timeline_query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"

static void test_good(void **state)
{
	struct hp_timeline_query query;
	struct hp_err err = {0};

	assert_int_equal(hp_timeline_query_parse(NULL, &query, &err), 0);
	assert_int_equal(query.seconds, 5);
	assert_int_equal(hp_timeline_query_parse("seconds=60", &query, &err), 0);
	assert_int_equal(query.seconds, 60);
	assert_int_equal(hp_timeline_query_parse("other=1&seconds=1", &query, &err), 0);
	assert_int_equal(query.seconds, 1);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"seconds=",   "seconds=0",          "seconds=61",          "seconds=1s",
		"seconds=-1", "seconds=4294967297", "seconds=99999999999", "window=10"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hp_timeline_query query = {.seconds = 77};
		struct hp_err err = {0};

		assert_int_equal(hp_timeline_query_parse(bad[i], &query, &err), -EINVAL);
		assert_int_equal(query.seconds, 77);
		assert_true(err.text[0]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
