/*
 * The bodies of one function's heat map, callers and callees, slowest calls, and of the calls in progress.
 * Engine and probe thread are stand-ins defined here.
 */
#include <errno.h>

#include "base/clock.h"
#include "body.h"
#include "domains/functions/functions_edges.h"
#include "domains/functions/functions_edges_view.h"
#include "domains/functions/functions_flight.h"
#include "domains/functions/functions_flight_view.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_heatmap.h"
#include "domains/functions/functions_heatmap_view.h"
#include "domains/functions/functions_model.h"
#include "domains/functions/functions_rows.h"
#include "domains/functions/functions_slowest.h"
#include "domains/functions/functions_slowest_view.h"
#include "domains/functions/functions_view.h"
#include "engine/engine.h"
#include "probe/plan.h"
#include "probe/registry.h"

#define ENTITIES 6
#define MS       1000000ull

static const double percentiles[] = {95};
static struct hp_settings settings = {.percentiles = percentiles, .npercentiles = 1};
static struct hp_registry *registry;
static struct hp_cell cells[ENTITIES];
static struct hp_guard_entity entities[ENTITIES];
static uint64_t start_ns;
static struct hp_functions_flight flight;
static struct hp_functions_source source;

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

const char *hp_target_comm(const struct hp_target *target)
{
	return "program";
}

uint64_t hp_engine_start_ns(const struct hp_engine *engine)
{
	return start_ns;
}

struct hp_functions_totals hp_functions_probe_totals(struct hp_functions_probe *probe)
{
	return (struct hp_functions_totals){
		.cells = cells, .ncpus = 1, .nentities = ENTITIES, .entities = entities};
}

int hp_functions_probe_drops(struct hp_functions_probe *probe, struct hp_functions_drop **ret_drops,
			     size_t *ret_ndrops)
{
	struct hp_functions_drop *drops = calloc(1, sizeof(*drops));

	assert_non_null(drops);
	*drops = (struct hp_functions_drop){.entity = 3, .reason = "too dear"};
	*ret_drops = drops;
	*ret_ndrops = 1;
	return 0;
}

size_t hp_functions_probe_skips(struct hp_functions_probe *probe, struct hp_functions_skip *buf,
				size_t n)
{
	return 0;
}

/* main (never returned), serve (4 calls, one record lost), parse (3), counted (9 entries), idle. */
static int setup(void **state)
{
	static const char *const names[] = {"main", "serve", "parse", "counted", "idle"};

	memset(cells, 0, sizeof(cells));
	entities[4].mode = HP_MODE_COUNT;
	start_ns = hp_clock_mono_ns();
	settings.limit = 0;
	assert_int_equal(hp_registry_new(&registry), 0);
	for (uint32_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		uint32_t id;

		assert_int_equal(hp_registry_add(registry, NULL, names[i], &id), 0);
	}
	assert_int_equal(hp_functions_model_new(&source.model), 0);
	assert_int_equal(hp_functions_heatmap_new(start_ns, 100, &source.heatmap), 0);
	assert_int_equal(hp_functions_edges_new(100, &source.edges), 0);
	assert_int_equal(hp_functions_slowest_new(&source.slowest), 0);
	source.flight = &flight;
	cells[1].hits = 1;
	cells[2] = (struct hp_cell){.hits = 4, .count = 4, .lost = 1};
	cells[3] = (struct hp_cell){.hits = 3, .count = 3};
	cells[4].hits = 9;
	return 0;
}

static int teardown(void **state)
{
	hp_functions_model_free(source.model);
	hp_functions_heatmap_free(source.heatmap);
	hp_functions_edges_free(source.edges);
	hp_functions_slowest_free(source.slowest);
	hp_functions_flight_deinit(&flight);
	memset(&flight, 0, sizeof(flight));
	hp_registry_free(registry);
	return 0;
}

static void record(uint32_t entity, uint32_t parent, uint64_t duration_ns)
{
	const struct hp_call_event call = {
		.hdr = {.kind = HP_EVENT_CALL, .tid = 7, .ts_ns = start_ns + 5},
		.duration_ns = duration_ns,
		.entity = entity,
		.parent = parent,
	};

	assert_int_equal(hp_functions_model_record(source.model, &call.hdr, sizeof(call)), 0);
	assert_int_equal(hp_functions_heatmap_record(source.heatmap, &call), 0);
	assert_int_equal(hp_functions_edges_record(source.edges, &call), 0);
	assert_true(hp_functions_slowest_record(source.slowest, &call) >= 0);
}

static void record_all(void)
{
	record(2, 1, 6 * MS);
	record(2, 1, 1 * MS);
	record(2, 0, 1 * MS);
	record(3, 2, 2 * MS);
	record(3, 2, 2 * MS);
	record(3, 2, 2 * MS);
}

static cJSON *answer(unsigned kind, struct hp_snapshot *snapshot)
{
	static const struct hp_view views[HP_FUNCTIONS_NVIEWS] = {
		[HP_FUNCTIONS_HEATMAP] = {.render = hp_functions_heatmap_render},
		[HP_FUNCTIONS_EDGES] = {.render = hp_functions_edges_render},
		[HP_FUNCTIONS_SLOWEST] = {.render = hp_functions_slowest_render},
		[HP_FUNCTIONS_IN_FLIGHT] = {.render = hp_functions_in_flight_render},
	};
	cJSON *body = body_of(&views[kind], snapshot, &settings, false);

	hp_snapshot_free(snapshot);
	return body;
}

static cJSON *heatmap_of(uint32_t id)
{
	struct hp_snapshot *snapshot = NULL;

	assert_int_equal(hp_functions_heatmap_snapshot(&source, id, &snapshot), 0);
	return answer(HP_FUNCTIONS_HEATMAP, snapshot);
}

static cJSON *edges_of(uint32_t id)
{
	struct hp_snapshot *snapshot = NULL;

	assert_int_equal(hp_functions_edges_snapshot(&source, id, &snapshot), 0);
	return answer(HP_FUNCTIONS_EDGES, snapshot);
}

static cJSON *slowest_of(uint32_t id)
{
	struct hp_snapshot *snapshot = NULL;

	assert_int_equal(hp_functions_slowest_snapshot(&source, id, &snapshot), 0);
	return answer(HP_FUNCTIONS_SLOWEST, snapshot);
}

static cJSON *in_flight(void)
{
	struct hp_snapshot *snapshot = NULL;

	assert_int_equal(hp_functions_in_flight_snapshot(&source, &snapshot), 0);
	return answer(HP_FUNCTIONS_IN_FLIGHT, snapshot);
}

static void test_head(void **state)
{
	cJSON *body;

	record_all();
	body = slowest_of(2);
	assert_number(body, "id", 2);
	assert_text(body, "function_name", "serve");
	assert_number(body, "calls", 4);
	assert_number(body, "records", 3);
	assert_number(body, "lost_records", 1);
	assert_text(body, "note", "3 of 4 calls have a record");
	assert_null(member(body, "dropped"));
	cJSON_Delete(body);
	body = slowest_of(3);
	assert_null(member(body, "note"));
	assert_text(body, "dropped", "too dear");
	cJSON_Delete(body);
	cells[3] = (struct hp_cell){.hits = 32, .sampled_hits = 32, .timed = 3, .est_n = 48};
	body = slowest_of(3);
	assert_number(body, "calls", 32);
	assert_text(body, "note", "3 of 32 calls have a record; others were passed over at random");
	cJSON_Delete(body);
	body = slowest_of(4);
	assert_text(body, "note", "entries are counted, calls are not timed: no records");
	assert_int_equal(length(body, "slowest"), 0);
	cJSON_Delete(body);
}

/* 1 ms lies in 917,504 ... 1,048,576 ns, 6 ms in 5,242,880 ... 6,291,456 ns: 11 buckets from the first to the last. */
static void test_heatmap(void **state)
{
	const cJSON *slot, *counts;
	cJSON *body;

	record_all();
	body = heatmap_of(2);
	assert_number(body, "slot_ns", 5e9);
	assert_int_equal(length(body, "slots"), 1);
	slot = entry(body, "slots", 0);
	assert_number(slot, "start_ns", 0);
	assert_number(slot, "records", 3);
	assert_number(slot, "lost_records_all_functions", 0);
	counts = member(slot, "counts");
	assert_int_equal(cJSON_GetArraySize(counts), length(body, "bounds_ns") - 1);
	assert_int_equal(cJSON_GetArraySize(counts), 11);
	assert_true(entry(body, "bounds_ns", 0)->valuedouble == 917504);
	assert_true(entry(body, "bounds_ns", 11)->valuedouble == 6291456);
	for (int i = 0; i < 11; i++)
		assert_int_equal(cJSON_GetArrayItem(counts, i)->valueint, i == 0    ? 2
									  : i == 10 ? 1
										    : 0);
	cJSON_Delete(body);

	body = heatmap_of(4); /* nothing recorded: slots, but no buckets */
	assert_int_equal(length(body, "bounds_ns"), 0);
	assert_int_equal(length(entry(body, "slots", 0), "counts"), 0);
	cJSON_Delete(body);
}

static void test_edges(void **state)
{
	const cJSON *edge;
	cJSON *body;

	record_all();
	body = edges_of(2);
	assert_number(body, "edge_records", 3);
	assert_number(body, "edge_total_ns", 8 * MS);
	assert_number(body, "left_out_records_all_functions", 0);
	assert_int_equal(length(body, "callers"), 2);
	edge = entry(body, "callers", 0);
	assert_text(edge, "name", "main"); /* though it has not returned yet */
	assert_number(edge, "calls", 2);
	assert_number(edge, "total_ns", 7 * MS);
	assert_number(edge, "percent", 87.5);
	assert_number(edge, "of_calls", 0);
	edge = entry(body, "callers", 1);
	assert_number(edge, "id", 0);
	assert_true(cJSON_IsNull(member(edge, "name")));
	assert_number(edge, "percent", 12.5);
	assert_int_equal(length(body, "callees"), 1);
	edge = entry(body, "callees", 0);
	assert_text(edge, "name", "parse");
	assert_number(edge, "calls", 3);
	assert_number(edge, "percent", 75);
	assert_number(edge, "records", 3);
	assert_number(edge, "of_calls", 3);
	cJSON_Delete(body);
	body = edges_of(4);
	assert_int_equal(length(body, "callers") + length(body, "callees"), 0);
	cJSON_Delete(body);
}

static void test_slowest(void **state)
{
	const cJSON *call;
	cJSON *body;

	record_all();
	body = slowest_of(2);
	assert_int_equal(length(body, "slowest"), 3);
	call = entry(body, "slowest", 0);
	assert_number(call, "duration_ns", 6 * MS);
	assert_number(call, "end_ns", 5);
	assert_number(call, "thread_id", 7);
	assert_number(call, "caller_id", 1);
	assert_text(call, "caller", "main");
	assert_true(cJSON_IsNull(member(entry(body, "slowest", 2), "caller")));
	cJSON_Delete(body);
}

static void test_unknown_ids(void **state)
{
	static const uint32_t unknown[] = {0, 1, 5, ENTITIES,
					   UINT32_MAX}; /* 1 has not returned yet */
	struct hp_snapshot *snapshot = NULL;

	record_all();
	for (size_t i = 0; i < HP_ARRAY_SIZE(unknown); i++) {
		uint32_t id = unknown[i];

		assert_int_equal(hp_functions_heatmap_snapshot(&source, id, &snapshot), -ENOENT);
		assert_int_equal(hp_functions_edges_snapshot(&source, id, &snapshot), -ENOENT);
		assert_int_equal(hp_functions_slowest_snapshot(&source, id, &snapshot), -ENOENT);
	}
	assert_null(snapshot);
}

static void test_in_flight(void **state)
{
	static const struct hp_flight_frame frames[] = {{1, 900}, {2, 300}, {1, 500}};
	static const struct hp_flight_call calls[] = {
		{1, 71, 900, 0, 1}, {1, 72, 500, 2, 1}, {2, 71, 300, 0, 2}};
	const cJSON *row, *longest;
	cJSON *body = in_flight();

	assert_true(cJSON_IsNull(member(body, "age_ns"))); /* before the first reading */
	assert_int_equal(length(body, "data"), 0);
	cJSON_Delete(body);

	hp_functions_flight_begin(&flight, start_ns);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(hp_vec_push(&flight.frames, frames[i]), 0);
		assert_int_equal(hp_vec_push(&flight.calls, calls[i]), 0);
	}
	flight.threads = 2;
	flight.gone = 4;
	flight.moving = 5;
	flight.left_out = 6;
	for (settings.limit = 0; settings.limit < 3; settings.limit++) {
		body = in_flight();
		assert_true(number_of(body, "age_ns") >= 0);
		assert_number(body, "threads", 2);
		assert_number(body, "calls", 3);
		assert_number(body, "frames_left", 4);
		assert_number(body, "frames_moving", 5);
		assert_number(body, "left_out_calls", 6);
		assert_null(member(body, "failed"));
		assert_number(body, "total_count", 2);
		assert_number(body, "included_count", settings.limit == 1 ? 1 : 2);
		row = entry(body, "data", 0);
		assert_text(row, "name", "main");
		assert_number(row, "in_flight", 2);
		assert_number(member(row, "longest"), "thread_id", 71);
		assert_number(member(row, "longest"), "elapsed_ns", 900);
		if (settings.limit != 1) {
			longest = member(entry(body, "data", 1), "longest");
			assert_int_equal(length(longest, "chain"), 2);
			assert_text(entry(longest, "chain", 0), "name", "main");
			assert_number(entry(longest, "chain", 0), "elapsed_ns", 900);
			assert_text(entry(longest, "chain", 1), "name", "serve");
		}
		cJSON_Delete(body);
	}
	strcpy(flight.failed, "it cannot be read");
	body = in_flight();
	assert_text(body, "failed", "it cannot be read");
	cJSON_Delete(body);
}

/* Long chains lose their middle, and say how much. */
static void test_text(void **state)
{
	struct hp_flight_call call = {.tid = 71};
	static const char *const wanted[] = {
		[1] = "thread 71: main",
		[8] = "thread 71: main > serve > parse > main > serve > parse > main > serve",
		[9] = "thread 71: main > serve > (1 more) > main > serve > parse > main > serve > parse",
		[64] = "thread 71: main > serve > (56 more) > serve > parse > main > serve > parse > main",
	};

	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(
			hp_vec_push(&flight.frames, ((struct hp_flight_frame){1 + i % 3, 1})), 0);
	for (uint32_t n = 1; n <= 64; n++) {
		HP_AUTO_FREE char *text = NULL;

		call.nframes = n;
		assert_int_equal(hp_functions_flight_text(&flight, &call, registry, &text), 0);
		if (wanted[n])
			assert_string_equal(text, wanted[n]);
	}
}

#define WITH_SOURCE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SOURCE(test_head),        WITH_SOURCE(test_heatmap),
		WITH_SOURCE(test_edges),       WITH_SOURCE(test_slowest),
		WITH_SOURCE(test_unknown_ids), WITH_SOURCE(test_in_flight),
		WITH_SOURCE(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
