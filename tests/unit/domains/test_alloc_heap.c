/* The books at one moment, from records: who holds what, since when, what two moments differ by. */
#include "domains/alloc/alloc_heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hotpathd/abi/unwind.h"

#define SEC     1000000000ull
#define UNKNOWN 98
#define OTHERS  99

static void request(struct hp_alloc_stacks *stacks, uint64_t ts, uint64_t addr, uint64_t size,
		    uint64_t caller)
{
	const struct hp_alloc_event event = {
		.hdr = {.kind = HP_EVENT_ALLOC, .tid = 2, .ts_ns = ts},
		.addr = addr,
		.size = size,
		.tgid = 1,
		.nips = 2,
		.end = HP_STACK_COMPLETE,
		.ips = {caller, 0x9000},
	};

	assert_int_equal(hp_alloc_stacks_add(stacks, &event.hdr, HP_ALLOC_EVENT_MIN + 16), 0);
}

static void release(struct hp_alloc_stacks *stacks, uint64_t ts, uint64_t addr, uint64_t born)
{
	const struct hp_release_event event = {
		.hdr = {.kind = HP_EVENT_RELEASE, .tid = 2, .ts_ns = ts},
		.addr = addr,
		.born_ns = born,
		.tgid = 1,
	};

	assert_int_equal(hp_alloc_stacks_add(stacks, &event.hdr, sizeof(event)), 0);
}

/* Address 0x1000 * n is function n. */
static void name_all(struct hp_alloc_stacks *stacks)
{
	struct hp_alloc_site_job jobs[8];
	size_t n;

	hp_alloc_stacks_close(stacks);
	while ((n = hp_alloc_stacks_take(stacks, jobs, 8)) > 0) {
		for (size_t i = 0; i < n; i++) {
			const struct hp_code_frame frame = {
				.entity = (uint32_t)(jobs[i].addr >> 12), .known = true};

			hp_alloc_stacks_name(stacks, jobs[i].site, &frame, 1);
		}
	}
}

/* The entry whose innermost function is @entity. */
static const struct hp_alloc_entry *find(const struct hp_alloc_heap *heap, uint32_t entity)
{
	for (size_t i = 0; i < heap->entries.len; i++) {
		const struct hp_alloc_entry *entry = &heap->entries.data[i];

		if (heap->frames.data[entry->first].entity == entity)
			return entry;
	}
	fail_msg("no stack of function %u", entity);
	return NULL;
}

static void assert_amount(const struct hp_alloc_entry *entry, enum hp_alloc_view view,
			  enum hp_alloc_when when, uint64_t count, uint64_t bytes)
{
	struct hp_alloc_amount amount = hp_alloc_heap_amount(entry, view, when);

	assert_int_equal(amount.count, count);
	assert_int_equal(amount.bytes, bytes);
}

static struct hp_cpu_sum gained(const struct hp_alloc_heap *heap, enum hp_alloc_view view,
				enum hp_alloc_when from, enum hp_alloc_when to)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = NULL;

	assert_int_equal(hp_alloc_heap_slot(heap, view, from, to, &slot), 0);
	return hp_cpu_stacks_sum(slot, HP_CPU_BYTES);
}

static void test_moments(void **state)
{
	static const uint64_t then_ns[2] = {2 * SEC + SEC / 2, 4 * SEC + SEC / 2};
	HP_AUTO(hp_alloc_stacks) struct hp_alloc_stacks *stacks = NULL;
	HP_AUTO(hp_alloc_heap) struct hp_alloc_heap heap = {0};
	const struct hp_alloc_entry *grows, *shrinks;
	struct hp_cpu_sum sum;

	(void)state;
	assert_int_equal(hp_alloc_stacks_new(SEC, UNKNOWN, &stacks), 0);
	request(stacks, SEC + 1000, 0x10, 100, 0x1000);
	request(stacks, SEC + 2000, 0x20, 50, 0x2000);
	hp_alloc_stacks_settle(stacks, 2 * SEC + SEC / 4, false);
	request(stacks, 3 * SEC, 0x30, 200, 0x1000);
	release(stacks, 3 * SEC + 5, 0x20, SEC + 2000);
	hp_alloc_stacks_settle(stacks, 4 * SEC, false);
	request(stacks, 5 * SEC, 0x40, 400, 0x1000);
	release(stacks, 5 * SEC + 5, 0x10, SEC + 1000);
	hp_alloc_stacks_settle(stacks, 6 * SEC, true);
	name_all(stacks);
	assert_int_equal(hp_alloc_heap_take(stacks, then_ns, OTHERS, &heap), 0);

	assert_int_equal(heap.entries.len, 3);
	assert_int_equal(heap.frames.data[heap.entries.data[0].first].entity, OTHERS);
	grows = find(&heap, 1);
	shrinks = find(&heap, 2);
	assert_int_equal(grows->nframes, 2);
	assert_int_equal(heap.frames.data[grows->first + 1].entity, 9);
	assert_int_equal(grows->oldest_ns, 3 * SEC); /* the older one was released */
	assert_int_equal(shrinks->oldest_ns, 0);
	assert_amount(grows, HP_ALLOC_VIEW_LIVE, HP_ALLOC_NOW, 2, 600);
	assert_amount(grows, HP_ALLOC_VIEW_ALLOCATED, HP_ALLOC_NOW, 3, 700);
	assert_amount(grows, HP_ALLOC_VIEW_LIVE, HP_ALLOC_THEN_0, 1, 100);
	assert_amount(grows, HP_ALLOC_VIEW_LIVE, HP_ALLOC_THEN_1, 2, 300);
	assert_amount(grows, HP_ALLOC_VIEW_ALLOCATED, HP_ALLOC_THEN_1, 2, 300);
	assert_amount(grows, HP_ALLOC_VIEW_LIVE, HP_ALLOC_BEGINNING, 0, 0);
	assert_amount(grows, HP_ALLOC_VIEW_LEAKS, HP_ALLOC_NOW, 0, 0); /* no verdict yet */
	assert_amount(shrinks, HP_ALLOC_VIEW_LIVE, HP_ALLOC_THEN_0, 1, 50);
	assert_amount(shrinks, HP_ALLOC_VIEW_LIVE, HP_ALLOC_NOW, 0, 0);

	sum = gained(&heap, HP_ALLOC_VIEW_LIVE, HP_ALLOC_BEGINNING, HP_ALLOC_NOW);
	assert_int_equal(sum.samples, 2);
	assert_int_equal(sum.weight_ns, 600);
	/* What a stack lost is left out, not taken from the others. */
	sum = gained(&heap, HP_ALLOC_VIEW_LIVE, HP_ALLOC_THEN_0, HP_ALLOC_THEN_1);
	assert_int_equal(sum.samples, 1);
	assert_int_equal(sum.weight_ns, 200);
	sum = gained(&heap, HP_ALLOC_VIEW_ALLOCATED, HP_ALLOC_THEN_1, HP_ALLOC_NOW);
	assert_int_equal(sum.samples, 1);
	assert_int_equal(sum.weight_ns, 400);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
