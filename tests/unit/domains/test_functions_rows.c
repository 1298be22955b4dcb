/*
 * Wire contract section 6.1: which functions are listed, with which figures and in which order.
 * Engine and probe thread are stand-ins defined here; the rows see nothing else of them.
 */
#include "domains/functions/functions_rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "domains/functions/functions_flight.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_model.h"
#include "domains/functions/functions_slowest.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "probe/plan.h"
#include "probe/registry.h"
#include "target/target.h"

#define CPUS     2
#define ENTITIES 7

static const double percentiles[] = {50, 99};
static const struct hp_settings settings = {.percentiles = percentiles, .npercentiles = 2};
static struct hp_registry *registry;
static struct hp_cell cells[CPUS * ENTITIES];
static struct hp_guard_entity entities[ENTITIES];
static bool has_totals;
static size_t ndrops;
static struct hp_functions_slowest *slowest;
static struct hp_functions_flight flight;

struct hp_registry *hp_engine_registry(const struct hp_engine *engine)
{
	return registry;
}

const struct hp_settings *hp_engine_settings(const struct hp_engine *engine)
{
	return &settings;
}

struct hp_target *hp_engine_target(const struct hp_engine *engine)
{
	return NULL;
}

uint64_t hp_engine_start_ns(const struct hp_engine *engine)
{
	return 4711;
}

const char *hp_target_comm(const struct hp_target *target)
{
	return "program";
}

struct hp_functions_totals hp_functions_probe_totals(struct hp_functions_probe *probe)
{
	return (struct hp_functions_totals){
		.cells = has_totals ? cells : NULL,
		.ncpus = CPUS,
		.nentities = ENTITIES,
		.entities = entities,
	};
}

int hp_functions_probe_drops(struct hp_functions_probe *probe, struct hp_functions_drop **ret_drops,
			     size_t *ret_ndrops)
{
	struct hp_functions_drop *drops = calloc(ndrops + 1, sizeof(*drops));

	assert_non_null(drops);
	for (size_t i = 0; i < ndrops; i++)
		drops[i] =
			(struct hp_functions_drop){.entity = 2 + (uint32_t)i, .reason = "too dear"};
	*ret_drops = drops;
	*ret_ndrops = ndrops;
	return 0;
}

size_t hp_functions_probe_skips(struct hp_functions_probe *probe, struct hp_functions_skip *buf,
				size_t n)
{
	assert_true(n >= 1);
	buf[0] = (struct hp_functions_skip){.reason = "too short", .count = 3};
	return 1;
}

static int setup(void **state)
{
	static const char *const names[] = {"b", "a", "zebra", "counted", "idle", "running"};
	struct hp_functions_model *model = NULL;

	memset(cells, 0, sizeof(cells));
	memset(entities, 0, sizeof(entities)); /* HP_MODE_RETURN */
	has_totals = true;
	ndrops = 0;
	registry = NULL;
	assert_int_equal(hp_registry_new(&registry), 0);
	for (uint32_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		uint32_t id = 0;

		assert_int_equal(hp_registry_add(registry, NULL, names[i], &id), 0);
		assert_int_equal(id, i + 1);
	}
	entities[4].mode = HP_MODE_COUNT;
	assert_int_equal(hp_functions_model_new(&model), 0);
	assert_int_equal(hp_functions_slowest_new(&slowest), 0);
	*state = model;
	return 0;
}

static int teardown(void **state)
{
	hp_functions_model_free(*state);
	hp_functions_slowest_free(slowest);
	hp_functions_flight_deinit(&flight);
	memset(&flight, 0, sizeof(flight));
	hp_registry_free(registry);
	return 0;
}

static void calls(uint32_t cpu, uint32_t id, uint64_t count, uint64_t each_ns)
{
	struct hp_cell *cell = &cells[cpu * ENTITIES + id];

	cell->hits += count;
	cell->count += count;
	cell->sum_ns += count * each_ns;
	cell->self_ns += count * each_ns / 2;
	cell->max_ns = each_ns > cell->max_ns ? each_ns : cell->max_ns;
	cell->inv_min = ~each_ns > cell->inv_min ? ~each_ns : cell->inv_min;
}

/* The list as it is now; freed by its reference. */
static struct hp_functions_list *list_of(struct hp_functions_model *model)
{
	const struct hp_functions_source source = {
		.model = model, .slowest = slowest, .flight = &flight};
	struct hp_snapshot *snapshot = NULL;

	assert_int_equal(hp_functions_list_snapshot(&source, &snapshot), 0);
	return (struct hp_functions_list *)snapshot;
}

static void assert_order(struct hp_functions_model *model, const uint32_t *ids, size_t n)
{
	struct hp_functions_list *list = list_of(model);

	assert_int_equal(list->nrows, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list->rows[i].id, ids[i]);
		assert_string_equal(list->rows[i].name, hp_registry_name(registry, ids[i]));
	}
	hp_snapshot_free(&list->base);
}

/* Total descending, then name ascending; ids stay what they are. */
static void test_order(void **state)
{
	static const uint32_t first[] = {3, 2, 1}, second[] = {1, 3, 2};

	calls(0, 1, 1, 100);
	calls(1, 2, 2, 50);
	calls(0, 3, 1, 101);
	assert_order(*state, first, 3); /* a and b tie */
	calls(1, 1, 1, 100);
	assert_order(*state, second, 3);
}

/* Without a finished call a function is not listed, unless its entries are all that is counted. */
static void test_listed(void **state)
{
	static const uint32_t ids[] = {1, 4};

	calls(0, 1, 1, 100);
	cells[6].hits = 5;            /* five calls under way */
	cells[ENTITIES + 4].hits = 9; /* counted */
	cells[0].hits = cells[0].count = 7;
	assert_order(*state, ids, 2);
}

static void test_figures(void **state)
{
	struct hp_functions_list *list;
	const struct hp_function_row *row;

	calls(0, 1, 2, 100);
	calls(1, 1, 1, 40);
	cells[1].hits++;
	cells[ENTITIES + 4].hits = 9;
	for (uint64_t i = 0; i < 2; i++) { /* of the three calls one record was lost */
		const struct hp_call_event call = {.hdr = {.kind = HP_EVENT_CALL, .ts_ns = i},
						   .duration_ns = 100,
						   .entity = 1};

		assert_int_equal(hp_functions_model_record(*state, &call.hdr, sizeof(call)), 0);
	}
	list = list_of(*state);
	assert_int_equal(list->nrows, 2);
	row = &list->rows[0];
	assert_int_equal(row->calls, 3);
	assert_int_equal(row->total_ns, 240);
	assert_int_equal(row->self_ns, 120);
	assert_int_equal(row->min_ns, 40);
	assert_int_equal(row->max_ns, 100);
	assert_int_equal(row->entries, 4);
	assert_int_equal(row->records, 2);
	assert_false(row->counted);
	assert_null(row->dropped);
	assert_int_equal(list->percentiles[0], 100);
	assert_int_equal(list->percentiles[1], 100);
	row = &list->rows[1];
	assert_int_equal(row->id, 4);
	assert_true(row->counted);
	assert_int_equal(row->calls, 9);
	assert_int_equal(row->total_ns, 0);
	assert_int_equal(row->min_ns, 0);
	assert_int_equal(list->percentiles[2], 0);
	assert_string_equal(list->caller, "program");
	assert_int_equal(list->base.start_ns, 4711);
	hp_snapshot_free(&list->base);
}

static void test_drops_and_skips(void **state)
{
	struct hp_functions_list *list;

	calls(0, 1, 1, 100);
	calls(0, 2, 1, 90);
	ndrops = 2; /* 2, and 3 that never returned */
	list = list_of(*state);
	assert_int_equal(list->nrows, 2);
	assert_null(list->rows[0].dropped);
	assert_string_equal(list->rows[1].dropped, "too dear");
	assert_int_equal(list->ndrops, 2);
	assert_string_equal(list->drop_names[0], "a");
	assert_string_equal(list->drop_names[1], "zebra");
	assert_int_equal(list->nskips, 1);
	assert_int_equal(list->skips[0].count, 3);
	hp_snapshot_free(&list->base);
}

/* Before the probe thread has loaded anything. */
static void test_no_totals(void **state)
{
	const struct hp_functions_source source = {
		.model = *state, .slowest = slowest, .flight = &flight};
	struct hp_snapshot *snapshot = NULL;

	calls(0, 1, 1, 100);
	has_totals = false;
	assert_order(*state, NULL, 0);
	assert_int_equal(hp_functions_logs_snapshot(&source, 1, &snapshot), -ENOENT);
	assert_null(snapshot);
}

static void test_logs(void **state)
{
	const struct hp_functions_source source = {
		.model = *state, .slowest = slowest, .flight = &flight};
	static const uint32_t unknown[] = {0, 2, 6, ENTITIES, UINT32_MAX};
	struct hp_snapshot *snapshot = NULL;
	const struct hp_functions_logs *logs;

	calls(1, 1, 70, 100);
	cells[1].hits += 5;
	cells[6].hits = 5;
	for (uint64_t i = 1; i <= 70; i++) {
		const struct hp_call_event call = {.hdr = {.kind = HP_EVENT_CALL, .ts_ns = i},
						   .duration_ns = 100,
						   .entity = 1};

		assert_int_equal(hp_functions_model_record(*state, &call.hdr, sizeof(call)), 0);
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(unknown); i++)
		assert_int_equal(hp_functions_logs_snapshot(&source, unknown[i], &snapshot),
				 -ENOENT);
	assert_int_equal(hp_functions_logs_snapshot(&source, 1, &snapshot), 0);
	logs = (const struct hp_functions_logs *)snapshot;
	assert_string_equal(logs->name, "b");
	assert_int_equal(logs->calls, 70); /* finished ones */
	assert_int_equal(logs->nlogs, 50);
	assert_int_equal(logs->logs[0].ts_ns, 70);
	assert_int_equal(logs->logs[49].ts_ns, 21);
	hp_snapshot_free(snapshot);
}

/* Ends of the records, and calls in progress with the calls around the longest. */
static void test_times_and_flights(void **state)
{
	const struct hp_functions_source source = {
		.model = *state, .slowest = slowest, .flight = &flight};
	static const struct hp_flight_frame frames[] = {{1, 900}, {2, 500}, {2, 100}};
	static const struct hp_flight_call in_flight[] = {
		{1, 71, 900, 0, 1}, {2, 71, 500, 0, 2}, {2, 71, 100, 0, 3}};
	struct hp_functions_list *list;
	struct hp_function_row row;

	calls(0, 1, 2, 100);
	calls(0, 2, 1, 100);
	cells[1].lost = 1;
	for (uint64_t i = 1; i <= 2; i++) {
		const struct hp_call_event call = {
			.hdr = {.kind = HP_EVENT_CALL, .ts_ns = 5000 * i},
			.duration_ns = 100,
			.entity = 1};

		assert_true(hp_functions_slowest_record(slowest, &call) >= 0);
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(frames); i++)
		assert_int_equal(hp_vec_push(&flight.frames, frames[i]), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(in_flight); i++)
		assert_int_equal(hp_vec_push(&flight.calls, in_flight[i]), 0);
	list = list_of(*state);
	assert_int_equal(list->nrows, 2);
	assert_int_equal(list->rows[0].first_ns, 4900);
	assert_int_equal(list->rows[0].last_ns, 10000);
	assert_int_equal(list->rows[0].in_flight, 1);
	assert_string_equal(list->rows[0].longest, "thread 71: b");
	assert_int_equal(list->rows[1].last_ns, 0);
	assert_int_equal(list->rows[1].in_flight, 2);
	assert_int_equal(list->rows[1].longest_ns, 500);
	assert_string_equal(list->rows[1].longest, "thread 71: b > a");
	hp_snapshot_free(&list->base);

	assert_int_equal(hp_functions_row(&source, 1, &row), 0);
	assert_int_equal(row.calls, 2);
	assert_int_equal(row.lost, 1);
	assert_int_equal(row.first_ns, 4900);
	assert_null(row.longest);
	assert_int_equal(hp_functions_row(&source, 3, &row), -ENOENT);
}

#define WITH_ROWS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROWS(test_order),
		WITH_ROWS(test_listed),
		WITH_ROWS(test_figures),
		WITH_ROWS(test_drops_and_skips),
		WITH_ROWS(test_logs),
		WITH_ROWS(test_no_totals),
		WITH_ROWS(test_times_and_flights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
