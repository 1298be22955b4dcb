/* What domains hold is added up, and what they say of themselves stands in their place. */
#include "engine/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_sums(void **state)
{
	static const struct hp_resources one = {.kernel_bytes = 100,
						.planned = 10,
						.attached = 6,
						.skipped = 3,
						.dropped = 1,
						.read_errors = 2,
						.inlined_missed = 7,
						.perf_map_lines_bad = 4,
						.attach_ns = 5};
	struct hp_engine_status status = {.kernel_bytes = 1000};

	hp_engine_status_add(&status, HP_DOMAIN_functions, &one);
	hp_engine_status_add(&status, HP_DOMAIN_threads, &one);
	assert_int_equal(status.kernel_bytes, 1200);
	assert_int_equal(status.probes.planned, 20);
	assert_int_equal(status.probes.attached, 12);
	assert_int_equal(status.probes.skipped, 6);
	assert_int_equal(status.probes.dropped, 2);
	assert_int_equal(status.probes.read_errors, 4);
	assert_int_equal(status.probes.inlined_missed, 14);
	assert_int_equal(status.probes.perf_map_lines_bad, 8);
	assert_int_equal(status.probes.attach_ns, 10);
}

static void test_texts(void **state)
{
	struct hp_engine_status status = {0};

	strcpy(status.domains[HP_DOMAIN_functions], "active");
	strcpy(status.domains[HP_DOMAIN_threads], "active");
	hp_engine_status_add(&status, HP_DOMAIN_threads, &(struct hp_resources){.note = "slow"});
	assert_string_equal(status.domains[HP_DOMAIN_threads], "active");
	assert_string_equal(status.notes[HP_DOMAIN_threads], "slow");
	hp_engine_status_add(&status, HP_DOMAIN_functions,
			     &(struct hp_resources){.failed = "gave up"});
	assert_string_equal(status.domains[HP_DOMAIN_functions], "gave up");
	assert_string_equal(status.notes[HP_DOMAIN_functions], "");
	assert_string_equal(status.domains[HP_DOMAIN_threads], "active");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
