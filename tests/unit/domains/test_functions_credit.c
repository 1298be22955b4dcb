/* What calls request: percentiles of those that did and are known, the newest calls, and totals of all CPUs. */
#include "domains/functions/functions_credit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void record(struct hp_functions_credit *credit, uint32_t entity, uint64_t ts, uint64_t bytes,
		   uint32_t requests)
{
	const struct hp_credited_event event = {
		.call = {.hdr = {.kind = HP_EVENT_CREDITED, .tid = 7, .ts_ns = ts},
			 .entity = entity},
		.bytes = bytes,
		.requests = requests,
	};

	assert_int_equal(hp_functions_credit_record(credit, &event), 0);
}

static void test_valid(void **state)
{
	struct hp_credited_event event = {.call.hdr.kind = HP_EVENT_CREDITED};

	(void)state;
	assert_true(hp_functions_credit_valid(&event.call.hdr, sizeof(event)));
	assert_false(hp_functions_credit_valid(&event.call.hdr, sizeof(event) - 1));
	event.call.hdr.kind++;
	assert_false(hp_functions_credit_valid(&event.call.hdr, sizeof(event)));
}

static void test_percentiles(void **state)
{
	static const double percentiles[] = {0, 50, 100};
	HP_AUTO(hp_functions_credit) struct hp_functions_credit *credit = NULL;
	uint64_t values[3] = {1, 1, 1};

	(void)state;
	assert_int_equal(hp_functions_credit_new(&credit), 0);
	hp_functions_credit_percentiles(credit, 3, false, percentiles, 3, values);
	assert_int_equal(values[0] + values[1] + values[2], 0);
	for (uint32_t i = 1; i <= 9; i++)
		record(credit, 3, i, 100ull * i, i);
	record(credit, 3, 10, 0, 0);                        /* requested nothing */
	record(credit, 3, 11, 9999, HP_CREDIT_UNKNOWN | 5); /* not known */
	record(credit, 1, 12, 7, 1); /* a function with a lower number, later */
	assert_int_equal(hp_functions_credit_records(credit, 3), 9);
	assert_int_equal(hp_functions_credit_records(credit, 1), 1);
	assert_int_equal(hp_functions_credit_records(credit, 2), 0);
	assert_int_equal(hp_functions_credit_records(credit, 4), 0);
	hp_functions_credit_percentiles(credit, 3, false, percentiles, 3, values);
	assert_int_equal(values[0], 100);
	assert_int_equal(values[1], 500);
	assert_int_equal(values[2], 900);
	hp_functions_credit_percentiles(credit, 3, true, percentiles, 3, values);
	assert_int_equal(values[0], 1);
	assert_int_equal(values[1], 5);
	assert_int_equal(values[2], 9);
}

static void test_logs(void **state)
{
	HP_AUTO(hp_functions_credit) struct hp_functions_credit *credit = NULL;
	struct hp_credit_log logs[HP_CREDIT_LOGS + 1];

	(void)state;
	assert_int_equal(hp_functions_credit_new(&credit), 0);
	assert_int_equal(hp_functions_credit_logs(credit, 2, logs, HP_CREDIT_LOGS), 0);
	record(credit, 2, 1, 10, 1);
	record(credit, 2, 2, 20, HP_CREDIT_UNKNOWN | 3);
	assert_int_equal(hp_functions_credit_logs(credit, 2, logs, HP_CREDIT_LOGS), 2);
	assert_int_equal(logs[0].end_ns, 2);
	assert_int_equal(logs[0].requests, 3);
	assert_false(logs[0].known);
	assert_int_equal(logs[1].bytes, 10);
	assert_int_equal(logs[1].tid, 7);
	assert_true(logs[1].known);
	for (uint32_t i = 3; i <= 3 * HP_CREDIT_LOGS + 2; i++)
		record(credit, 2, i, 0, 0);
	/* No more than are kept, and of these the newest. */
	assert_int_equal(hp_functions_credit_logs(credit, 2, logs, HP_CREDIT_LOGS + 1),
			 HP_CREDIT_LOGS);
	for (uint32_t i = 0; i < HP_CREDIT_LOGS; i++)
		assert_int_equal(logs[i].end_ns, 3 * HP_CREDIT_LOGS + 2 - i);
	assert_int_equal(hp_functions_credit_logs(credit, 2, logs, 1), 1);
	assert_int_equal(logs[0].end_ns, 3 * HP_CREDIT_LOGS + 2);
}

static void test_fold(void **state)
{
	struct hp_credit credits[3 * 4] = {{0}}, sum;

	(void)state;
	for (uint32_t cpu = 0; cpu < 3; cpu++) {
		struct hp_credit *credit = &credits[cpu * 4 + 2];

		*credit = (struct hp_credit){.bytes = 1 + cpu,
					     .requests = 10 + cpu,
					     .calls = 100 + cpu,
					     .est_bytes = 1000 + cpu,
					     .est_requests = 10000 + cpu,
					     .unknown = 100000 + cpu};
		credits[cpu * 4 + 1].bytes = 77;
	}
	sum = hp_functions_credit_fold(credits, 3, 4, 2);
	assert_int_equal(sum.bytes, 6);
	assert_int_equal(sum.requests, 33);
	assert_int_equal(sum.calls, 303);
	assert_int_equal(sum.est_bytes, 3003);
	assert_int_equal(sum.est_requests, 30003);
	assert_int_equal(sum.unknown, 300003);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
