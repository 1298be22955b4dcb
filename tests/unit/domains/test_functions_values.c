/* Which calls' values are kept: the newest and the slowest of each function. */
#include "domains/functions/functions_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "domains/functions/functions_model.h"
#include "domains/functions/functions_slowest.h"

static struct hp_functions_values *values;

static int setup(void **state)
{
	return hp_functions_values_new(&values);
}

static int teardown(void **state)
{
	hp_functions_values_free(values);
	return 0;
}

static void add(uint32_t entity, uint32_t tid, uint64_t end_ns, uint64_t duration_ns)
{
	const struct hp_values_event event = {
		.call.hdr = {.kind = HP_EVENT_VALUES, .tid = tid, .ts_ns = end_ns},
		.call.entity = entity,
		.call.duration_ns = duration_ns,
		.words[0] = end_ns * 10 + tid,
	};

	assert_int_equal(hp_functions_values_record(values, &event), 0);
}

static bool has(uint32_t entity, uint32_t tid, uint64_t end_ns)
{
	struct hp_values_event event;
	bool found = hp_functions_values_find(values, entity, tid, end_ns, &event);

	if (found)
		assert_int_equal(event.words[0], end_ns * 10 + tid);
	return found;
}

static void test_newest_and_slowest(void **state)
{
	for (uint64_t n = 1; n <= 1000; n++)
		add(3, 7, n, n <= 500 ? 1000 - n : n);
	for (uint64_t n = 1; n <= 1000; n++) {
		bool newest = n > 1000 - HP_FUNCTION_LOGS;
		/* 1000 and 999 come late; the others are the first ones, of equal ones the older. */
		bool slowest = n <= HP_FUNCTION_SLOWEST / 2 || n > 1000 - HP_FUNCTION_SLOWEST / 2;

		assert_int_equal(has(3, 7, n), newest || slowest);
	}
	assert_false(has(3, 8, 1000));
	assert_false(has(2, 7, 1000));
	assert_false(has(99, 7, 1000));
}

static void test_two_threads_at_once(void **state)
{
	add(1, 10, 5, 1);
	add(1, 11, 5, 1);
	assert_true(has(1, 10, 5));
	assert_true(has(1, 11, 5));
}

static void test_valid(void **state)
{
	struct hp_values_event event = {.call.hdr.kind = HP_EVENT_VALUES, .ntexts = 2};
	size_t size = HP_VALUES_MIN + 2 * sizeof(event.texts[0]);

	assert_true(hp_functions_values_valid(&event.call.hdr, size));
	assert_false(hp_functions_values_valid(&event.call.hdr, size - 1));
	event.ntexts = HP_VALUE_TEXTS + 2;
	assert_false(hp_functions_values_valid(&event.call.hdr, sizeof(event)));
	event.ntexts = 0;
	assert_true(hp_functions_values_valid(&event.call.hdr, HP_VALUES_MIN));
	assert_false(hp_functions_values_valid(&event.call.hdr, HP_VALUES_MIN - 1));
	event.call.hdr.kind = HP_EVENT_CALL;
	assert_false(hp_functions_values_valid(&event.call.hdr, sizeof(event)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_newest_and_slowest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_threads_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_valid, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
