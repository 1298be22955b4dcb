/* Query parameters: whole names, values cut or decoded. */
#include "format/query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void test_query_get(void **state)
{
	char value[8] = "old";

	assert_false(hp_query_get(NULL, "raw", value, sizeof(value)));
	assert_false(hp_query_get("", "raw", value, sizeof(value)));
	assert_false(hp_query_get("xraw=1", "raw", value, sizeof(value)));
	assert_false(hp_query_get("raws=1", "raw", value, sizeof(value)));
	assert_false(hp_query_get("ra=1", "raw", value, sizeof(value)));
	assert_false(hp_query_get("x=raw=1", "raw", value, sizeof(value)));
	assert_string_equal(value, "old");

	assert_true(hp_query_get("raw=1", "raw", value, sizeof(value)));
	assert_string_equal(value, "1");
	assert_true(hp_query_get("a=2&raw=10&b=3", "raw", value, sizeof(value)));
	assert_string_equal(value, "10");
	assert_true(hp_query_get("&&raw=%31", "raw", value, sizeof(value)));
	assert_string_equal(value, "%31");
	assert_true(hp_query_get("raw=", "raw", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(hp_query_get("raw=123456789", "raw", value, sizeof(value)));
	assert_string_equal(value, "1234567");
	assert_true(hp_query_get("raw=1", "raw", value, 1));
	assert_string_equal(value, "");
}

static void test_query_text(void **state)
{
	static const char *const bad[] = {"g=%", "g=%1", "g=%zz", "g=%1z", "g=%00", "g=12345678"};
	char value[8] = "old", *longest = NULL;

	assert_int_equal(hp_query_text(NULL, "g", value, sizeof(value)), 0);
	assert_int_equal(hp_query_text("x=1", "g", value, sizeof(value)), 0);
	assert_string_equal(value, "old");
	assert_int_equal(hp_query_text("x=1&g=a%2a%3A+%7e&y", "g", value, sizeof(value)), 1);
	assert_string_equal(value, "a*:+~");
	assert_int_equal(hp_query_text("g=%3f", "g", value, sizeof(value)), 1);
	assert_string_equal(value, "?");
	assert_int_equal(hp_query_text("g=1234567", "g", value, sizeof(value)), 1);
	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++)
		assert_int_equal(hp_query_text(bad[i], "g", value, sizeof(value)), -EINVAL);
	assert_true(asprintf(&longest, "g=%02000d", 0) > 0);
	assert_int_equal(hp_query_text(longest, "g", value, sizeof(value)), -EINVAL);
	free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query_get),
		cmocka_unit_test(test_query_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
