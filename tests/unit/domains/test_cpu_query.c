/* What clients may ask for, and that everything else gets a sentence. */
#include "domains/cpu/cpu_query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/err.h"

static struct hp_cpu_query parse(const char *query)
{
	struct hp_cpu_query parsed;
	struct hp_err err = {0};

	if (hp_cpu_query_parse(query, &parsed, &err) < 0)
		fail_msg("%s: %s", query, err.text);
	return parsed;
}

static void test_defaults(void **state)
{
	static const char *const none[] = {NULL, "", "other=1&x"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(none); i++) {
		struct hp_cpu_query query = parse(none[i]);

		assert_int_equal(query.kind, HP_CPU_ON);
		assert_int_equal(query.format, HP_CPU_FOLDED);
		assert_int_equal(query.tid, 0);
		assert_int_equal(query.seconds, 0);
		assert_int_equal(query.span.from_sec, 60);
		assert_int_equal(query.span.to_sec, 0);
	}
}

static void test_values(void **state)
{
	struct hp_cpu_query query = parse("type=offcpu&format=pprof&thread=123&seconds=600");

	assert_int_equal(query.kind, HP_CPU_OFF);
	assert_int_equal(query.format, HP_CPU_PPROF);
	assert_int_equal(query.tid, 123);
	assert_int_equal(query.seconds, 600);
	assert_int_equal(parse("type=wall").kind, HP_CPU_WALL);
	assert_int_equal(parse("type=cpu").kind, HP_CPU_ON);
	assert_int_equal(parse("format=folded").format, HP_CPU_FOLDED);
	assert_int_equal(parse("format=firefox").format, HP_CPU_FIREFOX);
	assert_int_equal(parse("format=speedscope").format, HP_CPU_SPEEDSCOPE);
	assert_int_equal(parse("format=js%6Fn").format, HP_CPU_JSON);
	assert_int_equal(parse("seconds=1").seconds, 1);
}

static void test_windows(void **state)
{
	static const struct {
		const char *query;
		uint32_t from, to;
	} good[] = {
		{"window=1", 1, 0},
		{"window=600", 600, 0},
		{"window=300-240", 300, 240},
		{"window=240-300", 300, 240},
		{"window=300..240", 300, 240},
		{"window=5-0", 5, 0},
		{"window=0-5", 5, 0},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(good); i++) {
		struct hp_cpu_query query = parse(good[i].query);

		assert_int_equal(query.span.from_sec, good[i].from);
		assert_int_equal(query.span.to_sec, good[i].to);
		assert_int_equal(query.seconds, 0);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *query, *word;
	} bad[] = {
		{"type=", "type"},
		{"type=CPU", "type"},
		{"type=cpucpucpucpucpucpu", "type"},
		{"format=svg", "format"},
		{"thread=0", "thread"},
		{"thread=-1", "thread"},
		{"thread=2147483648", "thread"},
		{"seconds=0", "seconds"},
		{"seconds=601", "seconds"},
		{"seconds=", "seconds"},
		{"seconds=1.5", "seconds"},
		{"seconds=5s", "seconds"},
		{"seconds=%", "seconds"},
		{"seconds=18446744073709551617", "seconds"},
		{"window=0", "window"},
		{"window=601", "window"},
		{"window=5-5", "window"},
		{"window=5-", "window"},
		{"window=-5", "window"},
		{"window=5-601", "window"},
		{"window=5.4", "window"},
		{"window=5-4-3", "window"},
		{"window=a", "window"},
		{"window=", "window"},
		{"window=60&seconds=5", "one of them"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		struct hp_cpu_query query = {.tid = 77};
		struct hp_err err = {0};

		assert_int_equal(hp_cpu_query_parse(bad[i].query, &query, &err), -EINVAL);
		if (!strstr(err.text, bad[i].word))
			fail_msg("%s: %s", bad[i].query, err.text);
		assert_int_equal(query.tid, 77); /* written on success alone */
	}
}

static void test_pprof(void **state)
{
	struct hp_cpu_query query;

	assert_int_equal(hp_cpu_query_parse_pprof(NULL, &query, NULL), 0);
	assert_int_equal(query.seconds, 30);
	assert_int_equal(query.format, HP_CPU_PPROF);
	assert_int_equal(query.kind, HP_CPU_ON);
	assert_int_equal(hp_cpu_query_parse_pprof("debug=1&seconds=5&format=x", &query, NULL), 0);
	assert_int_equal(query.seconds, 5);
	assert_int_equal(query.format, HP_CPU_PPROF);
	assert_int_equal(hp_cpu_query_parse_pprof("seconds=0", &query, NULL), -EINVAL);
}

static void test_diff(void **state)
{
	static const char *const bad[] = {NULL,      "a=5",     "b=5",
					  "a=5&b=x", "a=0&b=5", "a=5&b=3&format=pprof"};
	struct hp_cpu_diff_query query;
	struct hp_err err = {0};

	assert_int_equal(
		hp_cpu_query_parse_diff("a=120-60&b=60&format=json&thread=4", &query, &err), 0);
	assert_int_equal(query.a.from_sec, 120);
	assert_int_equal(query.a.to_sec, 60);
	assert_int_equal(query.b.from_sec, 60);
	assert_int_equal(query.b.to_sec, 0);
	assert_int_equal(query.format, HP_CPU_JSON);
	assert_int_equal(query.tid, 4);
	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		err.text[0] = '\0';
		assert_int_equal(hp_cpu_query_parse_diff(bad[i], &query, &err), -EINVAL);
		assert_true(err.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
		cmocka_unit_test(test_windows),  cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_pprof),    cmocka_unit_test(test_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
