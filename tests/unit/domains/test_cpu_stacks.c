/* Sums of stacks are exact, whatever is merged and however full a slot is. */
#include "domains/cpu/cpu_stacks.h"

#include <errno.h>
#include <stdio.h>

#include "cpu_slots.h"

static void assert_sum(struct hp_cpu_sum sum, uint64_t samples, uint64_t weight_ns)
{
	assert_int_equal(sum.samples, samples);
	assert_int_equal(sum.weight_ns, weight_ns);
}

static void test_sums(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(100);
	const struct hp_cpu_sample blocked = {
		.kind = HP_CPU_OFF, .tid = 7, .samples = 2, .weight_ns = 500};

	slot_add(slot, 7, "cba");
	slot_add(slot, 7, "cba");
	slot_add(slot, 8, "cba");
	slot_add(slot, 7, "ba");
	slot_add(slot, 7, "aba");
	slot_add(slot, 7, "");
	slot_add_as(slot, &blocked, "cba");
	hp_cpu_stacks_seal(slot, 200);
	assert_sum(sum_of(slot, HP_CPU_ON, 7, "cba"), 2, 20);
	assert_sum(sum_of(slot, HP_CPU_ON, 8, "cba"), 1, 10);
	assert_sum(sum_of(slot, HP_CPU_ON, 7, "ba"), 1, 10);
	assert_sum(sum_of(slot, HP_CPU_ON, 7, "aba"), 1, 10);
	assert_sum(sum_of(slot, HP_CPU_ON, 7, ""), 1, 10);
	assert_sum(sum_of(slot, HP_CPU_OFF, 7, "cba"), 2, 500);
	assert_sum(hp_cpu_stacks_sum(slot, HP_CPU_ON), 6, 60);
	assert_sum(hp_cpu_stacks_sum(slot, HP_CPU_OFF), 2, 500);
	assert_sum(hp_cpu_stacks_sum(slot, HP_CPU_WALL), 0, 0);
	/* a, ba, cba, aba: callers are shared, frames are one each. */
	assert_int_equal(slot->nodes.len, 4);
	assert_int_equal(slot->frames.len, 3);
	assert_int_equal(slot->threads.len, 2);
	for (size_t i = 0; i < slot->nodes.len; i++)
		assert_true(slot->nodes.data[i].parent == HP_CPU_NO_NODE ||
			    slot->nodes.data[i].parent < i);
	assert_int_equal(slot->start_ns, 100);
	assert_int_equal(slot->end_ns, 200);
}

static void test_ends_and_lines(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(0);
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *merged = NULL;
	const struct hp_cpu_filter coarse = {.any_end = true, .by_function = true};
	struct hp_cpu_sample sample = {.tid = 1, .samples = 1, .weight_ns = 1};
	struct hp_code_frame frame = {.entity = 'a', .file = 3, .line = 10};

	assert_int_equal(hp_cpu_stacks_add(slot, &sample, &frame, 1), 0);
	frame.line = 11;
	assert_int_equal(hp_cpu_stacks_add(slot, &sample, &frame, 1), 0);
	frame.file = 4;
	assert_int_equal(hp_cpu_stacks_add(slot, &sample, &frame, 1), 0);
	sample.end = HP_STACK_NO_TABLE | HP_STACK_GUESSED;
	assert_int_equal(hp_cpu_stacks_add(slot, &sample, &frame, 1), 0);
	hp_cpu_stacks_seal(slot, 1);
	assert_int_equal(slot->frames.len, 3);
	assert_int_equal(slot->stacks.len, 4);
	assert_int_equal(slot->stacks.data[3].end, HP_STACK_NO_TABLE | HP_STACK_GUESSED);
	assert_int_equal(hp_cpu_stacks_merge(&slot, 1, &coarse, &merged), 0);
	assert_int_equal(merged->frames.len, 1);
	assert_int_equal(merged->stacks.len, 1);
	assert_int_equal(merged->stacks.data[0].samples, 4);
}

static void test_times(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(1000000);
	struct hp_cpu_sample sample = {.tid = 1, .samples = 1, .weight_ns = 1, .ts_ns = 1005000};

	slot_add_as(slot, &sample, "a");
	sample.ts_ns = 999999; /* of before: a ring of another CPU was late */
	slot_add_as(slot, &sample, "ba");
	sample.ts_ns = 0;
	slot_add_as(slot, &sample, "a");
	assert_int_equal(slot->times.len, 2);
	assert_int_equal(slot->times.data[0].stack, 0);
	assert_int_equal(slot->times.data[0].offset_us, 5);
	assert_int_equal(slot->times.data[1].stack, 1);
	assert_int_equal(slot->times.data[1].offset_us, 0);
	assert_int_equal(hp_cpu_stacks_others(slot, HP_CPU_ON), 0);
}

static void test_merge(void **state)
{
	struct hp_cpu_stacks *slots[] = {slot_new(100), slot_new(200)};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *all = NULL;
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *one = NULL;
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *none = NULL;
	const struct hp_cpu_sample blocked = {
		.kind = HP_CPU_OFF, .tid = 7, .samples = 1, .weight_ns = 500};
	struct hp_cpu_filter filter = {0};

	slot_add(slots[0], 7, "ba");
	slot_add(slots[0], 8, "ba");
	slot_add_as(slots[0], &blocked, "ba");
	slot_add(slots[1], 7, "ba");
	slot_add(slots[1], 7, "ca");
	strcpy(slots[1]->threads.data[0].name, "seven");
	hp_cpu_stacks_seal(slots[0], 200);
	hp_cpu_stacks_seal(slots[1], 350);

	assert_int_equal(hp_cpu_stacks_merge(slots, 2, &filter, &all), 0);
	assert_sum(sum_of(all, HP_CPU_ON, 7, "ba"), 2, 20);
	assert_sum(sum_of(all, HP_CPU_ON, 8, "ba"), 1, 10);
	assert_sum(sum_of(all, HP_CPU_ON, 7, "ca"), 1, 10);
	assert_sum(sum_of(all, HP_CPU_OFF, 7, "ba"), 1, 500);
	assert_int_equal(all->start_ns, 100);
	assert_int_equal(all->end_ns, 350);
	hp_vec_each(thread, &all->threads)
		assert_string_equal(thread->name, thread->tid == 7 ? "seven" : "");

	filter = (struct hp_cpu_filter){
		.one_kind = true, .kind = HP_CPU_ON, .tid = 7, .any_thread = true};
	assert_int_equal(hp_cpu_stacks_merge(slots, 2, &filter, &one), 0);
	assert_int_equal(one->stacks.len, 2);
	assert_sum(sum_of(one, HP_CPU_ON, 0, "ba"), 2, 20);
	assert_int_equal(one->threads.len, 1);
	assert_int_equal(one->threads.data[0].tid, 0);

	assert_int_equal(hp_cpu_stacks_merge(NULL, 0, &filter, &none), 0);
	assert_int_equal(none->stacks.len, 0);
	assert_int_equal(none->end_ns, 0);
	hp_cpu_stacks_free(slots[0]);
	hp_cpu_stacks_free(slots[1]);
}

/* Samples of as many different stacks as one likes: @heavy of them weigh more than the others. */
static void fill(struct hp_cpu_stacks *slot, uint32_t first, uint32_t n, uint64_t weight_ns)
{
	const struct hp_cpu_sample sample = {.tid = 5, .samples = 1, .weight_ns = weight_ns};

	for (uint32_t i = 0; i < n; i++) {
		const struct hp_code_frame frames[] = {{.entity = first + i}, {.entity = 'r'}};

		assert_int_equal(hp_cpu_stacks_add(slot, &sample, frames, 2), 0);
	}
}

static void test_full_slot(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(0);

	fill(slot, 1000, HP_CPU_MAX_STACKS + 100, 3);
	fill(slot, 1000, 10, 3); /* these are in, and go on */
	hp_cpu_stacks_seal(slot, 1);
	assert_int_equal(slot->stacks.len, HP_CPU_MAX_STACKS + 1);
	assert_sum(hp_cpu_stacks_sum(slot, HP_CPU_ON), HP_CPU_MAX_STACKS + 110,
		   3ull * (HP_CPU_MAX_STACKS + 110));
	assert_int_equal(hp_cpu_stacks_others(slot, HP_CPU_ON), 100);
	assert_sum(sum_of(slot, HP_CPU_ON, 5, "*"), 100, 300);
}

static void test_full_of_nodes(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(0);
	const struct hp_cpu_sample sample = {.tid = 5, .samples = 1, .weight_ns = 1};
	struct hp_code_frame frames[100] = {0};
	uint64_t n = HP_CPU_MAX_NODES / HP_ARRAY_SIZE(frames) + 20;

	for (uint32_t i = 0; i < n; i++) {
		frames[HP_ARRAY_SIZE(frames) - 1].entity = 1000 + i; /* nothing is shared */
		assert_int_equal(hp_cpu_stacks_add(slot, &sample, frames, HP_ARRAY_SIZE(frames)),
				 0);
	}
	assert_true(slot->nodes.len <= HP_CPU_MAX_NODES + 1);
	assert_true(hp_cpu_stacks_others(slot, HP_CPU_ON) >= 19);
	assert_sum(hp_cpu_stacks_sum(slot, HP_CPU_ON), n, n);
	assert_sum(sum_of(slot, HP_CPU_ON, 5, "*"), hp_cpu_stacks_others(slot, HP_CPU_ON),
		   hp_cpu_stacks_others(slot, HP_CPU_ON));
}

/* What has no room in a sum is what weighs least. */
static void test_merge_keeps_the_heaviest(void **state)
{
	struct hp_cpu_stacks *slots[] = {slot_new(0), slot_new(1), slot_new(2)};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *merged = NULL;
	const struct hp_cpu_filter filter = {0};

	fill(slots[0], 1000, 10000, 1);
	fill(slots[1], 100000, 10000, 2);
	fill(slots[2], 200000, 1000, 9);
	for (int i = 0; i < 3; i++)
		hp_cpu_stacks_seal(slots[i], (uint64_t)i + 1);
	assert_int_equal(hp_cpu_stacks_merge(slots, 3, &filter, &merged), 0);
	assert_sum(hp_cpu_stacks_sum(merged, HP_CPU_ON), 21000, 10000 + 20000 + 9000);
	assert_int_equal(hp_cpu_stacks_others(merged, HP_CPU_ON), 21000 - HP_CPU_MAX_STACKS);
	assert_sum(sum_of(merged, HP_CPU_ON, 5, "*"), 21000 - HP_CPU_MAX_STACKS,
		   21000 - HP_CPU_MAX_STACKS);
	for (int i = 0; i < 3; i++)
		hp_cpu_stacks_free(slots[i]);
}

/* What was among the others stays there, and counts once. */
static void test_others_are_merged(void **state)
{
	struct hp_cpu_stacks *slots[] = {slot_new(0), slot_new(1)};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *merged = NULL;
	const struct hp_cpu_filter filter = {0};

	fill(slots[0], 1000, HP_CPU_MAX_STACKS + 5, 3);
	fill(slots[1], 1000 + HP_CPU_MAX_STACKS, 10, 1);
	hp_cpu_stacks_seal(slots[0], 1);
	hp_cpu_stacks_seal(slots[1], 2);
	assert_int_equal(hp_cpu_stacks_merge(slots, 2, &filter, &merged), 0);
	assert_sum(hp_cpu_stacks_sum(merged, HP_CPU_ON), HP_CPU_MAX_STACKS + 15,
		   3ull * (HP_CPU_MAX_STACKS + 5) + 10);
	/* The stack "[others]" takes a place, and so pushes one out. */
	assert_int_equal(hp_cpu_stacks_others(merged, HP_CPU_ON), 5 + 10 + 1);
	hp_cpu_stacks_free(slots[0]);
	hp_cpu_stacks_free(slots[1]);
}

static void test_bytes(void **state)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(0);

	for (int i = 0; i < 1000; i++)
		slot_add(slot, 7, "cba");
	hp_cpu_stacks_seal(slot, 1);
	/* Three nodes and one stack, however many samples there are. */
	assert_true(hp_cpu_stacks_bytes(slot) < sizeof(*slot) + 512);
	assert_ptr_equal(hp_cpu_stacks_ref(slot), slot);
	hp_cpu_stacks_free(slot);
	assert_int_equal(slot->nodes.len, 3);
	hp_cpu_stacks_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_ends_and_lines),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_full_slot),
		cmocka_unit_test(test_full_of_nodes),
		cmocka_unit_test(test_merge_keeps_the_heaviest),
		cmocka_unit_test(test_others_are_merged),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
