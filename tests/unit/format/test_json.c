/* Wire contract section 3: what may stand in a body, and that a mistake of ours never makes half a body. */
#include "format/json.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

static int setup(void **state)
{
	struct hp_json *json = NULL;

	assert_int_equal(hp_json_new(&json), 0);
	*state = json;
	return 0;
}

static int teardown(void **state)
{
	hp_json_free(*state);
	return 0;
}

static void expect(struct hp_json *json, const char *text)
{
	HP_AUTO_FREE char *printed = NULL;

	assert_int_equal(hp_json_print(json, &printed), 0);
	assert_string_equal(printed, text);
}

static void expect_error(struct hp_json *json, int error)
{
	char *printed = NULL;

	assert_int_equal(hp_json_print(json, &printed), error);
	assert_null(printed);
}

static void test_all_kinds(void **state)
{
	struct hp_json *json = *state;

	hp_json_begin_object(json, NULL);
	hp_json_str(json, "text", "a");
	hp_json_str(json, "none", NULL);
	hp_json_u64(json, "count", 3);
	hp_json_i64(json, "diff", -3);
	hp_json_f64(json, "share", 0.5);
	hp_json_bool(json, "yes", true);
	hp_json_bool(json, "no", false);
	hp_json_null(json, "null");
	hp_json_begin_array(json, "list");
	hp_json_u64(json, NULL, 1);
	hp_json_begin_object(json, NULL);
	hp_json_end(json);
	hp_json_begin_array(json, NULL);
	hp_json_end(json);
	hp_json_end(json);
	hp_json_end(json);
	expect(json,
	       "{\"text\":\"a\",\"none\":null,\"count\":3,\"diff\":-3,\"share\":0.5,\"yes\":true,"
	       "\"no\":false,\"null\":null,\"list\":[1,{},[]]}");
}

/* Rules 1: no 1.0, no 1e3, exact above 2^53. */
static void test_integers(void **state)
{
	struct hp_json *json = *state;

	hp_json_begin_array(json, NULL);
	hp_json_u64(json, NULL, 0);
	hp_json_u64(json, NULL, 1000);
	hp_json_u64(json, NULL, UINT32_MAX);
	hp_json_u64(json, NULL, 1000000000000000);
	hp_json_u64(json, NULL, 9007199254740993);
	hp_json_u64(json, NULL, UINT64_MAX);
	hp_json_i64(json, NULL, INT64_MAX);
	hp_json_i64(json, NULL, -1);
	hp_json_i64(json, NULL, INT64_MIN);
	hp_json_end(json);
	expect(json, "[0,1000,4294967295,1000000000000000,9007199254740993,18446744073709551615,"
		     "9223372036854775807,-1,-9223372036854775808]");
}

/* Rule 3: any number, never NaN or infinity; what is printed reads back. */
static void test_floats(void **state)
{
	static const double values[] = {0, 95, 99.9, 1.0 / 3, -2.5, 1e300, 5e-324, 33.333};
	struct hp_json *json = *state;
	HP_AUTO_FREE char *printed = NULL;
	cJSON *parsed;

	hp_json_begin_array(json, NULL);
	for (size_t i = 0; i < HP_ARRAY_SIZE(values); i++)
		hp_json_f64(json, NULL, values[i]);
	hp_json_f64(json, NULL, NAN);
	hp_json_f64(json, NULL, -NAN);
	hp_json_f64(json, NULL, INFINITY);
	hp_json_f64(json, NULL, -INFINITY);
	hp_json_end(json);
	assert_int_equal(hp_json_print(json, &printed), 0);
	parsed = cJSON_Parse(printed);
	assert_non_null(parsed);
	assert_int_equal(cJSON_GetArraySize(parsed), HP_ARRAY_SIZE(values) + 4);
	for (int i = 0; i < (int)HP_ARRAY_SIZE(values); i++)
		assert_true(cJSON_GetNumberValue(cJSON_GetArrayItem(parsed, i)) == values[i]);
	for (int i = (int)HP_ARRAY_SIZE(values); i < cJSON_GetArraySize(parsed); i++)
		assert_true(cJSON_IsNull(cJSON_GetArrayItem(parsed, i)));
	cJSON_Delete(parsed);
}

/* Rule 9: quotes, backslashes and all control characters come back as they were. */
static void test_escapes(void **state)
{
	struct hp_json *json = *state;
	HP_AUTO_FREE char *printed = NULL;
	char text[0x20 + 8] = "";
	cJSON *parsed;

	for (char c = 1; c < 0x20; c++)
		text[c - 1] = c;
	strcpy(text + 0x1f, "\"\\/\x7f");
	hp_json_begin_array(json, NULL);
	hp_json_str(json, NULL, text);
	hp_json_end(json);
	assert_int_equal(hp_json_print(json, &printed), 0);
	for (const char *at = printed; *at; at++)
		assert_true((unsigned char)*at >= 0x20);
	assert_non_null(strstr(printed, "\\\"\\\\"));
	parsed = cJSON_Parse(printed);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(parsed, 0)), text);
	cJSON_Delete(parsed);
}

static void test_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"\xc2\xb5s", "\xc2\xb5s"},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"\xef\xbf\xbd", "\xef\xbf\xbd"},
		{"\xff", "\xef\xbf\xbd"},
		{"x\xff", "x\xef\xbf\xbd"},
		{"\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
		/* over-long '/', a lone surrogate, above U+10FFFF, cut short: each bad byte counts */
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2z", "\xef\xbf\xbdz"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(rows); i++) {
		HP_AUTO(hp_json) struct hp_json *json = NULL;
		char expected[64];

		assert_int_equal(hp_json_new(&json), 0);
		hp_json_str(json, NULL, rows[i].in);
		snprintf(expected, sizeof(expected), "\"%s\"", rows[i].out);
		expect(json, expected);
	}
}

static void test_root_alone(void **state)
{
	hp_json_u64(*state, NULL, 7);
	expect(*state, "7");
}

/* The text can be printed again, and the writer stays usable only as it was closed. */
static void test_print_twice(void **state)
{
	hp_json_begin_array(*state, NULL);
	hp_json_end(*state);
	expect(*state, "[]");
	expect(*state, "[]");
}

static void test_nothing(void **state)
{
	expect_error(*state, -EINVAL);
}

static void test_open_root(void **state)
{
	hp_json_begin_object(*state, NULL);
	expect_error(*state, -EINVAL);
	hp_json_end(*state);
	expect(*state, "{}");
}

static void test_two_roots(void **state)
{
	hp_json_null(*state, NULL);
	hp_json_null(*state, NULL);
	expect_error(*state, -EINVAL);
}

static void test_end_too_often(void **state)
{
	hp_json_begin_object(*state, NULL);
	hp_json_end(*state);
	hp_json_end(*state);
	expect_error(*state, -EINVAL);
}

static void test_key_where_none_belongs(void **state)
{
	HP_AUTO(hp_json) struct hp_json *root = NULL;

	hp_json_begin_array(*state, NULL);
	hp_json_u64(*state, "key", 1);
	hp_json_end(*state);
	expect_error(*state, -EINVAL);

	assert_int_equal(hp_json_new(&root), 0);
	hp_json_begin_object(root, "key");
	hp_json_end(root);
	expect_error(root, -EINVAL);
}

static void test_missing_key(void **state)
{
	hp_json_begin_object(*state, NULL);
	hp_json_str(*state, NULL, "x");
	hp_json_end(*state);
	expect_error(*state, -EINVAL);
}

/* The first error stays, and nothing after it matters or leaks. */
static void test_latched(void **state)
{
	struct hp_json *json = *state;

	hp_json_begin_object(json, NULL);
	hp_json_embed(json, "bad", "{");
	for (unsigned i = 0; i < 100; i++)
		hp_json_begin_array(json, "deep");
	hp_json_str(json, "text", "\xff");
	hp_json_embed(json, "good", "{}");
	for (unsigned i = 0; i < 200; i++)
		hp_json_end(json);
	expect_error(json, -EINVAL);
	expect_error(json, -EINVAL);
}

static void nest(struct hp_json *json, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		hp_json_begin_array(json, NULL);
	for (unsigned i = 0; i < depth; i++)
		hp_json_end(json);
}

/* 24 levels are allowed, one more is our bug. */
static void test_depth(void **state)
{
	HP_AUTO(hp_json) struct hp_json *deeper = NULL;

	nest(*state, 24);
	expect(*state, "[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]");
	assert_int_equal(hp_json_new(&deeper), 0);
	nest(deeper, 25);
	expect_error(deeper, -E2BIG);
}

/* As it was: parsed integers would lose digits. */
static void test_embed(void **state)
{
	struct hp_json *json = *state;

	hp_json_begin_object(json, NULL);
	hp_json_embed(json, "a", "{\"n\":18446744073709551615}");
	hp_json_begin_array(json, "b");
	hp_json_embed(json, NULL, "[1]");
	hp_json_embed(json, NULL, "null");
	hp_json_end(json);
	hp_json_end(json);
	expect(json, "{\"a\":{\"n\":18446744073709551615},\"b\":[[1],null]}");
}

static void test_embed_refuses(void **state)
{
	static const char *const bad[] = {"",        " ",      "{",     "[1,]", "nul",
					  "x",       "\"open", "{} {}", "1 2",  "{\"a\":1},\"b\":2",
					  "\"\xff\""};

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		HP_AUTO(hp_json) struct hp_json *json = NULL;

		assert_int_equal(hp_json_new(&json), 0);
		hp_json_begin_object(json, NULL);
		hp_json_embed(json, "a", bad[i]);
		hp_json_end(json);
		expect_error(json, -EINVAL);
	}
}

static void test_free_null(void **state)
{
	hp_json_free(NULL);
}

#define WITH_JSON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_JSON(test_all_kinds),
		WITH_JSON(test_integers),
		WITH_JSON(test_floats),
		WITH_JSON(test_escapes),
		cmocka_unit_test(test_utf8),
		WITH_JSON(test_root_alone),
		WITH_JSON(test_print_twice),
		WITH_JSON(test_nothing),
		WITH_JSON(test_open_root),
		WITH_JSON(test_two_roots),
		WITH_JSON(test_end_too_often),
		WITH_JSON(test_key_where_none_belongs),
		WITH_JSON(test_missing_key),
		WITH_JSON(test_latched),
		WITH_JSON(test_depth),
		WITH_JSON(test_embed),
		cmocka_unit_test(test_embed_refuses),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
