/* Time by duration, against a plain list of the calls. */
#include "domains/functions/functions_heatmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define START \
	(77 * HP_HEATMAP_SLOT_NS + 12345) /* slots begin with the session, not with the clock */
#define SECOND 1000000000ull

static struct hp_heatmap_column columns[HP_HEATMAP_SLOTS];

static int record(struct hp_functions_heatmap *heatmap, uint32_t entity, uint64_t at_ns,
		  uint64_t duration_ns)
{
	const struct hp_call_event call = {
		.hdr = {.ts_ns = START + at_ns}, .duration_ns = duration_ns, .entity = entity};

	return hp_functions_heatmap_record(heatmap, &call);
}

/* Each bucket holds what lies between its bounds, and is no wider than a quarter of its lower one. */
static void test_buckets(void **state)
{
	for (unsigned bucket = 0; bucket < HP_HEATMAP_BUCKETS; bucket++) {
		uint64_t low = hp_heatmap_low(bucket), high = hp_heatmap_low(bucket + 1);

		assert_true(low < high);
		assert_true(high - low <= 1 || high - low <= low / 4);
		assert_int_equal(hp_heatmap_bucket(low), bucket);
		assert_int_equal(hp_heatmap_bucket(high - 1), bucket);
	}
	assert_int_equal(hp_heatmap_low(0), 0);
	assert_int_equal(hp_heatmap_low(HP_HEATMAP_BUCKETS), 1ull << 40);
	assert_int_equal(hp_heatmap_bucket(1ull << 40), HP_HEATMAP_BUCKETS - 1);
	assert_int_equal(hp_heatmap_bucket(UINT64_MAX), HP_HEATMAP_BUCKETS - 1);
}

struct plain {
	uint64_t at_ns, duration_ns;
	uint32_t entity;
};

static void check(const struct hp_functions_heatmap *heatmap, const struct plain *calls, size_t n,
		  uint32_t entity, uint64_t now_ns)
{
	size_t got = hp_functions_heatmap_read(heatmap, entity, START + now_ns, columns);
	uint64_t last = now_ns / HP_HEATMAP_SLOT_NS, first = last < 60 ? 0 : last - 59;

	assert_int_equal(got, last - first + 1);
	for (size_t i = 0; i < got; i++) {
		uint64_t begin = (first + i) * HP_HEATMAP_SLOT_NS, records = 0;
		uint32_t counts[HP_HEATMAP_BUCKETS] = {0};

		for (size_t k = 0; k < n; k++) {
			if (calls[k].entity != entity || calls[k].at_ns < begin ||
			    calls[k].at_ns >= begin + HP_HEATMAP_SLOT_NS)
				continue;
			records++;
			for (unsigned b = HP_HEATMAP_BUCKETS; b-- > 0;) {
				if (calls[k].duration_ns >= hp_heatmap_low(b)) {
					counts[b]++;
					break;
				}
			}
		}
		assert_int_equal(columns[i].start_ns, begin);
		assert_int_equal(columns[i].records, records);
		assert_int_equal(columns[i].lost, 0);
		assert_int_equal(columns[i].left_out, 0);
		assert_memory_equal(columns[i].counts, counts, sizeof(counts));
	}
}

static void test_against_a_list(void **state)
{
	HP_AUTO(hp_functions_heatmap) struct hp_functions_heatmap *heatmap = NULL;
	static struct plain calls[6000];
	uint64_t x = 1;

	assert_int_equal(hp_functions_heatmap_new(START, 100000, &heatmap), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(calls); i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		calls[i].at_ns = i * SECOND / 8 + (x >> 60) * SECOND; /* a little out of order */
		calls[i].duration_ns = x >> (20 + x % 43);
		calls[i].entity = 1 + (uint32_t)(x >> 40) % 3;
		assert_int_equal(
			record(heatmap, calls[i].entity, calls[i].at_ns, calls[i].duration_ns), 0);
		if (i % 1000 == 999) {
			for (uint32_t entity = 0; entity < 5; entity++)
				check(heatmap, calls, i + 1, entity, calls[i].at_ns + 16 * SECOND);
		}
	}
}

static uint64_t sum(const struct hp_functions_heatmap *heatmap, uint32_t entity, uint64_t now_ns,
		    uint64_t *ret_left_out)
{
	size_t n = hp_functions_heatmap_read(heatmap, entity, START + now_ns, columns);
	uint64_t records = 0;

	*ret_left_out = 0;
	for (size_t i = 0; i < n; i++) {
		records += columns[i].records;
		*ret_left_out += columns[i].left_out;
	}
	return records;
}

/* What has no room is counted; room comes back when slots leave the window. */
static void test_bound(void **state)
{
	HP_AUTO(hp_functions_heatmap) struct hp_functions_heatmap *heatmap = NULL;
	uint64_t left_out, minutes5 = HP_HEATMAP_SLOTS * HP_HEATMAP_SLOT_NS;

	assert_int_equal(hp_functions_heatmap_new(START, 10, &heatmap), 0);
	for (uint32_t entity = 1; entity <= 15; entity++) {
		for (int i = 0; i < 3; i++)
			assert_int_equal(record(heatmap, entity, 0, 1000), 0);
	}
	assert_int_equal(sum(heatmap, 10, 0, &left_out), 3);
	assert_int_equal(left_out, 15);
	assert_int_equal(sum(heatmap, 11, 0, &left_out), 0);
	assert_int_equal(record(heatmap, 11, minutes5 - 1, 1000), 0);
	assert_int_equal(sum(heatmap, 11, minutes5 - 1, &left_out), 0);
	assert_int_equal(left_out, 16);
	assert_int_equal(record(heatmap, 11, minutes5, 1000), 0); /* the first slot goes */
	assert_int_equal(sum(heatmap, 11, minutes5, &left_out), 1);
	assert_int_equal(left_out, 1);
	assert_int_equal(sum(heatmap, 10, minutes5, &left_out), 0);
	/* Older than the window: not in the heat map, but counted. */
	assert_int_equal(record(heatmap, 11, 0, 1000), 0);
	assert_int_equal(sum(heatmap, 11, minutes5, &left_out), 1);
	assert_int_equal(left_out, 2);
	/* After a long silence all of it is free, and nothing old is shown. */
	assert_int_equal(sum(heatmap, 11, 100 * minutes5, &left_out), 0);
	assert_int_equal(left_out, 0);
	for (uint32_t entity = 1; entity <= 10; entity++)
		assert_int_equal(record(heatmap, entity, 200 * minutes5, 1), 0);
	assert_int_equal(sum(heatmap, 10, 200 * minutes5, &left_out), 1);
	assert_int_equal(left_out, 0);
	hp_functions_heatmap_free(NULL);
}

/* The rings' total of lost records, booked where it grew. */
static void test_losses(void **state)
{
	HP_AUTO(hp_functions_heatmap) struct hp_functions_heatmap *heatmap = NULL;
	static const uint64_t lost[] = {0, 5, 5, 12};

	assert_int_equal(hp_functions_heatmap_new(START, 10, &heatmap), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(lost); i++)
		hp_functions_heatmap_lose(heatmap, START + i * HP_HEATMAP_SLOT_NS, lost[i]);
	assert_int_equal(
		hp_functions_heatmap_read(heatmap, 1, START + 3 * HP_HEATMAP_SLOT_NS, columns), 4);
	assert_int_equal(columns[0].lost, 0);
	assert_int_equal(columns[1].lost, 5);
	assert_int_equal(columns[2].lost, 0);
	assert_int_equal(columns[3].lost, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
