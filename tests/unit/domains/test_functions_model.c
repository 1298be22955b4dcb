/* Wire contract sections 5.4 and 5.5: percentiles and logs of calls, and the sums over CPUs. */
#include "domains/functions/functions_model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int setup(void **state)
{
	struct hp_functions_model *model = NULL;

	assert_int_equal(hp_functions_model_new(&model), 0);
	*state = model;
	return 0;
}

static int teardown(void **state)
{
	hp_functions_model_free(*state);
	return 0;
}

static struct hp_call_event call_of(uint32_t entity, uint64_t ts_ns, uint64_t duration_ns)
{
	return (struct hp_call_event){
		.hdr = {.domain = HP_DOMAIN_functions,
			.kind = HP_EVENT_CALL,
			.tid = 7,
			.ts_ns = ts_ns},
		.duration_ns = duration_ns,
		.entity = entity,
	};
}

static int add(struct hp_functions_model *model, uint32_t entity, uint64_t ts_ns,
	       uint64_t duration_ns)
{
	struct hp_call_event call = call_of(entity, ts_ns, duration_ns);

	return hp_functions_model_record(model, &call.hdr, sizeof(call));
}

static uint64_t percentile(struct hp_functions_model *model, uint32_t entity, double p)
{
	uint64_t value = 12345;

	hp_functions_model_percentiles(model, entity, &p, 1, &value);
	return value;
}

/* One call each: the highest value of its bucket, from the table in 5.4. */
static void test_bucket_of_one_call(void **state)
{
	struct hp_functions_model *model = *state;
	static const struct {
		uint64_t duration, shown;
	} calls[] = {
		{0, 1},
		{1, 1},
		{2047, 2047},
		{2048, 2049},
		{5000, 5003},
		{123456, 123519},
		{1000000, 1000447},
		{123170000, 123207679},
		{1000000000000, 1000190509055},
		{UINT64_MAX, 1000190509055},
	};

	for (uint32_t i = 0; i < HP_ARRAY_SIZE(calls); i++) {
		assert_int_equal(add(model, i + 1, i, calls[i].duration), 0);
		assert_int_equal(percentile(model, i + 1, 95), calls[i].shown);
		assert_int_equal(hp_functions_model_records(model, i + 1), 1);
	}
}

/* 1 ... 1000 ns: rank ceil(p / 100 * 1000), exact below 2048. */
static void test_ranks(void **state)
{
	struct hp_functions_model *model = *state;
	static const double percentiles[] = {50, 95, 99.9, 0, 100, 0.1, 12.5};
	static const uint64_t expected[] = {500, 950, 1000, 1, 1000, 1, 125};
	uint64_t values[HP_ARRAY_SIZE(percentiles)];

	for (uint64_t i = 1; i <= 1000; i++)
		assert_int_equal(add(model, 3, i, 1 + i * 7 % 1000),
				 0); /* 7 and 1000 are coprime */
	hp_functions_model_percentiles(model, 3, percentiles, HP_ARRAY_SIZE(percentiles), values);
	for (size_t i = 0; i < HP_ARRAY_SIZE(expected); i++)
		assert_int_equal(values[i], expected[i]);
	assert_int_equal(hp_functions_model_records(model, 3), 1000);
}

/* Asked again after more calls, the figures are the new ones. */
static void test_percentiles_follow_calls(void **state)
{
	struct hp_functions_model *model = *state;

	add(model, 1, 1, 10);
	assert_int_equal(percentile(model, 1, 50), 10);
	assert_int_equal(percentile(model, 1, 50), 10);
	add(model, 1, 2, 20);
	add(model, 1, 3, 30);
	assert_int_equal(percentile(model, 1, 50), 20);
	assert_int_equal(percentile(model, 2, 50), 0);
}

static void test_logs_newest_first(void **state)
{
	struct hp_functions_model *model = *state;
	struct hp_log_entry logs[50];

	assert_int_equal(hp_functions_model_logs(model, 1, logs, 50), 0);
	for (uint64_t i = 1; i <= 49; i++)
		add(model, 1, 1000 + i, i);
	assert_int_equal(hp_functions_model_logs(model, 1, logs, 50), 49);
	for (uint64_t i = 50; i <= 500; i++)
		add(model, 1, 1000 + i, i);
	assert_int_equal(hp_functions_model_logs(model, 1, logs, 50), 50);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(logs[i].value, 500 - i);
		assert_int_equal(logs[i].ts_ns, 1500 - i);
		assert_int_equal(logs[i].tid, 7);
	}
	assert_int_equal(hp_functions_model_logs(model, 1, logs, 3), 3);
	assert_int_equal(hp_functions_model_logs(model, 2, logs, 50), 0);
	assert_int_equal(hp_functions_model_logs(model, UINT32_MAX, logs, 50), 0);
}

static void test_functions_are_apart(void **state)
{
	struct hp_functions_model *model = *state;

	for (uint32_t entity = 300; entity > 0; entity--) {
		for (uint32_t i = 0; i < entity % 5; i++)
			assert_int_equal(add(model, entity, i, entity), 0);
	}
	for (uint32_t entity = 1; entity <= 300; entity++) {
		assert_int_equal(hp_functions_model_records(model, entity), entity % 5);
		assert_int_equal(percentile(model, entity, 99), entity % 5 ? entity : 0);
	}
	assert_int_equal(hp_functions_model_records(model, 0), 0);
	assert_int_equal(hp_functions_model_records(model, 301), 0);
}

static void test_refused_records(void **state)
{
	struct hp_functions_model *model = *state;
	struct hp_call_event call = call_of(1, 1, 1);

	assert_int_equal(add(model, 0, 1, 1), -EINVAL);
	assert_int_equal(add(model, (1u << 24) + 1, 1, 1), -EINVAL);
	assert_int_equal(add(model, UINT32_MAX, 1, 1), -EINVAL);
	for (size_t size = sizeof(call.hdr); size < sizeof(call); size++)
		assert_int_equal(hp_functions_model_record(model, &call.hdr, size), -EINVAL);
	call.hdr.kind = HP_EVENT_CALL + 1;
	assert_int_equal(hp_functions_model_record(model, &call.hdr, sizeof(call)), -EINVAL);
	assert_int_equal(hp_functions_model_records(model, 1), 0);
	hp_functions_model_free(NULL);
}

static void test_fold(void **state)
{
	enum { CPUS = 3, ENTITIES = 4 };
	struct hp_cell cells[CPUS * ENTITIES] = {0}, sum;

	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		cells[cpu * ENTITIES + 2] = (struct hp_cell){
			.hits = 10 + cpu,
			.count = 5 + cpu,
			.sum_ns = 100 * (cpu + 1),
			.self_ns = 10 * (cpu + 1),
			.inv_min = ~(__u64)(7 - cpu),
			.max_ns = 50 - cpu,
			.lost = cpu,
		};
	cells[2 * ENTITIES + 2].inv_min = 0; /* no call there: its minimum is none, not 0 */
	cells[1].hits = cells[3].hits = 1000;
	sum = hp_functions_fold(cells, CPUS, ENTITIES, 2);
	assert_int_equal(sum.hits, 33);
	assert_int_equal(sum.count, 18);
	assert_int_equal(sum.sum_ns, 600);
	assert_int_equal(sum.self_ns, 60);
	assert_int_equal(~sum.inv_min, 6);
	assert_int_equal(sum.max_ns, 50);
	assert_int_equal(sum.lost, 3);
	assert_int_equal(hp_functions_fold(cells, CPUS, ENTITIES, 0).hits, 0);
	assert_int_equal(hp_functions_fold(cells, CPUS, ENTITIES, 3).hits, 1000);
}

#define WITH_MODEL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MODEL(test_bucket_of_one_call),
		WITH_MODEL(test_ranks),
		WITH_MODEL(test_percentiles_follow_calls),
		WITH_MODEL(test_logs_newest_first),
		WITH_MODEL(test_functions_are_apart),
		WITH_MODEL(test_refused_records),
		cmocka_unit_test(test_fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
