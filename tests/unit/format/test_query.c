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

static void test_choice(void **state)
{
	static const char *const table[] = {"one", "two"};
	unsigned place = 7;

	assert_int_equal(hp_query_choice("x=one", "g", table, 2, &place), 0);
	assert_int_equal(hp_query_choice("g=tw", "g", table, 2, &place), -EINVAL);
	assert_int_equal(hp_query_choice("g=two", "g", table, 1, &place), -EINVAL);
	assert_int_equal(hp_query_choice("g=%", "g", table, 2, &place), -EINVAL);
	assert_int_equal(place, 7);
	assert_int_equal(hp_query_choice("g=tw%6f", "g", table, 2, &place), 1);
	assert_int_equal(place, 1);
}

static void test_number(void **state)
{
	static const char *const bad[] = {"g=",           "g=1",   "g=11", "g=-3",
					  "g= 3",         "g=+3",  "g=3x", "g=%33%20",
					  "g=4294967299", "g=3.0", "g=1e0"};
	uint32_t value = 7;

	assert_int_equal(hp_query_number(NULL, "g", 2, 10, &value), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++)
		assert_int_equal(hp_query_number(bad[i], "g", 2, 10, &value), -EINVAL);
	assert_int_equal(value, 7);
	assert_int_equal(hp_query_number("g=%32", "g", 2, 10, &value), 1);
	assert_int_equal(value, 2);
	assert_int_equal(hp_query_number("g=0010", "g", 2, 10, &value), 1);
	assert_int_equal(value, 10);
	assert_int_equal(hp_query_number("g=4294967295", "g", 0, UINT32_MAX, &value), 1);
	assert_int_equal(value, UINT32_MAX);
	assert_int_equal(hp_query_number("g=4294967296", "g", 0, UINT32_MAX, &value), -EINVAL);
}

static void test_span(void **state)
{
	static const char *const bad[] = {"g=",    "g=0",    "g=61",   "g=5-5",   "g=5-",
					  "g=-5",  "g=5-61", "g=61-5", "g=5.6",   "g=5...6",
					  "g=5..", "g=5-6x", "g=5- 6", "g=5-%00", "g=5,6"};
	struct hp_query_span span = {7, 6};

	assert_int_equal(hp_query_span("x=1", "g", 60, &span), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++)
		assert_int_equal(hp_query_span(bad[i], "g", 60, &span), -EINVAL);
	assert_int_equal(span.from_sec, 7);
	assert_int_equal(span.to_sec, 6);
	assert_int_equal(hp_query_span("g=60", "g", 60, &span), 1);
	assert_int_equal(span.from_sec, 60);
	assert_int_equal(span.to_sec, 0);
	for (size_t i = 0; i < 4; i++) {
		static const char *const same[] = {"g=30-24", "g=24-30", "g=30..24", "g=24%2e.30"};

		span = (struct hp_query_span){0};
		assert_int_equal(hp_query_span(same[i], "g", 60, &span), 1);
		assert_int_equal(span.from_sec, 30);
		assert_int_equal(span.to_sec, 24);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query_get), cmocka_unit_test(test_query_text),
		cmocka_unit_test(test_choice),    cmocka_unit_test(test_number),
		cmocka_unit_test(test_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
