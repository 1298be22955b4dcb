/* Slots become coarser and go, sums stay; windows; who waits and until when. */
#include "domains/cpu/cpu_history.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "cpu_slots.h"

#define SEC 1000000000ull

static struct hp_cpu_history *history_of(uint64_t keep_sec, uint64_t fine_sec, size_t max_bytes)
{
	const struct hp_cpu_history_limits limits = {
		.keep_ns = keep_sec * SEC,
		.fine_ns = fine_sec * SEC,
		.max_bytes = max_bytes,
		.max_records = 2,
		.max_reads = 1,
		.max_writes = 1,
	};
	struct hp_cpu_history *history = NULL;

	assert_int_equal(hp_cpu_history_new(&limits, &history), 0);
	return history;
}

/* Second @sec: one sample of each letter of @functions, and @extra others that nobody else has. */
static void push(struct hp_cpu_history *history, uint64_t sec, const char *functions,
		 uint32_t extra)
{
	const struct hp_cpu_sample sample = {.tid = 7, .samples = 1, .weight_ns = 10};
	struct hp_cpu_stacks *slot = slot_new(sec * SEC);
	char stack[3] = "?r";

	for (; *functions; functions++) {
		stack[0] = *functions;
		slot_add(slot, 7, stack);
	}
	for (uint32_t i = 0; i < extra; i++) {
		const struct hp_code_frame frame = {.entity = (uint32_t)sec * 100000 + 1000 + i};

		assert_int_equal(hp_cpu_stacks_add(slot, &sample, &frame, 1), 0);
	}
	hp_cpu_stacks_seal(slot, (sec + 1) * SEC);
	assert_int_equal(hp_cpu_history_push(history, 1u << HP_CPU_ON, slot), 0);
	hp_cpu_stacks_free(slot);
}

static uint64_t samples_in(struct hp_cpu_history *history, uint64_t from_sec, uint64_t to_sec,
			   size_t *ret_slots)
{
	struct hp_cpu_slots slots = {0};
	uint64_t samples = 0;

	assert_int_equal(
		hp_cpu_history_take(history, HP_CPU_ON, from_sec * SEC, to_sec * SEC, &slots), 0);
	hp_vec_each(slot, &slots.list)
		samples += hp_cpu_stacks_sum(*slot, HP_CPU_ON).samples;
	if (ret_slots)
		*ret_slots = slots.list.len;
	hp_cpu_slots_deinit(&slots);
	return samples;
}

static void test_windows(void **state)
{
	HP_AUTO(hp_cpu_history) struct hp_cpu_history *history = history_of(600, 60, 1 << 20);
	struct hp_cpu_slots off = {0};

	for (uint64_t sec = 100; sec < 110; sec++)
		push(history, sec, "ab", 0);
	assert_int_equal(samples_in(history, 100, 110, NULL), 20);
	assert_int_equal(samples_in(history, 103, 105, NULL), 4);
	assert_int_equal(samples_in(history, 109, 999, NULL), 2);
	assert_int_equal(samples_in(history, 0, 100, NULL), 0);
	assert_int_equal(samples_in(history, 110, 999, NULL), 0);
	assert_int_equal(hp_cpu_history_take(history, HP_CPU_OFF, 0, UINT64_MAX, &off), 0);
	assert_int_equal(off.list.len, 0);
}

static void test_old_slots_are_coarse(void **state)
{
	HP_AUTO(hp_cpu_history) struct hp_cpu_history *history = history_of(600, 20, 1 << 20);
	struct hp_cpu_history_state now;
	size_t slots = 0;

	for (uint64_t sec = 100; sec < 160; sec++)
		push(history, sec, "ab", 0);
	now = hp_cpu_history_state(history);
	/* 100 to 129 in three. 130 to 139 are old, too, but whether more belongs to them shows with the next. */
	assert_int_equal(now.slots, 3 + 30);
	assert_int_equal(now.oldest_ns, 100 * SEC);
	assert_int_equal(now.newest_ns, 160 * SEC);
	assert_int_equal(now.merged_early, 0);
	assert_int_equal(samples_in(history, 100, 160, NULL), 120);
	assert_int_equal(samples_in(history, 110, 120, &slots), 20);
	assert_int_equal(slots, 1);
}

static void test_very_old_slots_go(void **state)
{
	HP_AUTO(hp_cpu_history) struct hp_cpu_history *history = history_of(30, 10, 1 << 20);
	struct hp_cpu_history_state now;

	for (uint64_t sec = 100; sec < 200; sec++)
		push(history, sec, "a", 0);
	now = hp_cpu_history_state(history);
	assert_true(now.oldest_ns >= 160 * SEC && now.oldest_ns <= 170 * SEC);
	assert_int_equal(now.dropped_slots, 0);
	assert_int_equal(now.dropped_samples, 0);
	assert_int_equal(samples_in(history, 0, 200, NULL), 200 - now.oldest_ns / SEC);
}

/* Never above the bound, and what went is counted. */
static void test_bound(void **state)
{
	HP_AUTO(hp_cpu_history) struct hp_cpu_history *history = history_of(600, 60, 256 << 10);
	struct hp_cpu_history_state now;
	uint64_t pushed = 0;

	for (uint64_t sec = 100; sec < 200; sec++) {
		push(history, sec, "ab", 200);
		pushed += 202;
		now = hp_cpu_history_state(history);
		assert_true(now.bytes <= 256 << 10);
		assert_int_equal(samples_in(history, 0, UINT64_MAX / SEC, NULL) +
					 now.dropped_samples,
				 pushed);
	}
	assert_true(now.merged_early > 0);
	assert_true(now.dropped_slots > 0);
	assert_int_equal(now.newest_ns, 200 * SEC);
}

/* A reader's slots outlive the history. */
static void test_references(void **state)
{
	struct hp_cpu_history *history = history_of(600, 60, 1 << 20);
	struct hp_cpu_slots slots = {0};

	push(history, 5, "abc", 0);
	assert_int_equal(hp_cpu_history_take(history, HP_CPU_ON, 0, UINT64_MAX, &slots), 0);
	assert_ptr_equal(hp_cpu_history_ref(history), history);
	hp_cpu_history_free(history);
	hp_cpu_history_free(history);
	assert_int_equal(hp_cpu_stacks_sum(slots.list.data[0], HP_CPU_ON).samples, 3);
	hp_cpu_slots_deinit(&slots);
	hp_cpu_history_free(NULL);
}

static void test_announced(void **state)
{
	HP_AUTO(hp_cpu_history) struct hp_cpu_history *history = history_of(600, 60, 1 << 20);

	assert_false(hp_cpu_history_announced(history, HP_CPU_OFF));
	hp_cpu_history_announce(history, HP_CPU_OFF);
	assert_true(hp_cpu_history_announced(history, HP_CPU_OFF));
	assert_false(hp_cpu_history_announced(history, HP_CPU_ON));
}

static void test_few_at_once(void **state)
{
	HP_AUTO(hp_cpu_history) struct hp_cpu_history *history = history_of(600, 60, 1 << 20);

	assert_int_equal(hp_cpu_history_begin(history, HP_CPU_RECORDS), 0);
	assert_int_equal(hp_cpu_history_begin(history, HP_CPU_RECORDS), 0);
	assert_int_equal(hp_cpu_history_begin(history, HP_CPU_RECORDS), -EBUSY);
	assert_int_equal(hp_cpu_history_begin(history, HP_CPU_READS), 0);
	assert_int_equal(hp_cpu_history_begin(history, HP_CPU_READS), -EBUSY);
	hp_cpu_history_end(history, HP_CPU_RECORDS);
	assert_int_equal(hp_cpu_history_begin(history, HP_CPU_RECORDS), 0);
	hp_cpu_history_end(history, HP_CPU_READS);
	hp_cpu_history_close(history);
	assert_int_equal(hp_cpu_history_begin(history, HP_CPU_READS), 0);
	hp_cpu_history_end(history, HP_CPU_RECORDS);
	assert_int_equal(hp_cpu_history_begin(history, HP_CPU_RECORDS), -ESHUTDOWN);
}

static void *write_once(void *arg)
{
	struct hp_cpu_history *history = arg;

	hp_cpu_history_write_begin(history);
	push(history, 7, "a", 0); /* shows that it had its turn */
	hp_cpu_history_write_end(history);
	return NULL;
}

static void test_one_writes(void **state)
{
	HP_AUTO(hp_cpu_history) struct hp_cpu_history *history = history_of(600, 60, 1 << 20);
	pthread_t thread;

	hp_cpu_history_write_begin(history);
	assert_int_equal(pthread_create(&thread, NULL, write_once, history), 0);
	assert_true(hp_cpu_history_wait(history, HP_CPU_ON, 1, hp_clock_mono_ns() + SEC / 10));
	assert_int_equal(hp_cpu_history_state(history).slots, 0);
	hp_cpu_history_write_end(history);
	pthread_join(thread, NULL);
	assert_int_equal(hp_cpu_history_state(history).slots, 1);
}

struct waiter {
	struct hp_cpu_history *history;
	uint64_t covered_ns;
	bool open;
};

static void *wait_long(void *arg)
{
	struct waiter *waiter = arg;

	waiter->open = hp_cpu_history_wait(waiter->history, HP_CPU_ON, waiter->covered_ns,
					   hp_clock_mono_ns() + 60 * SEC);
	return NULL;
}

static void test_waiting(void **state)
{
	HP_AUTO(hp_cpu_history) struct hp_cpu_history *history = history_of(600, 60, 1 << 20);
	struct waiter until_slot = {.history = history, .covered_ns = 6 * SEC};
	struct waiter until_end = {.history = history, .covered_ns = UINT64_MAX};
	uint64_t start = hp_clock_mono_ns();
	pthread_t threads[2];

	/* The time is up. */
	assert_true(hp_cpu_history_wait(history, HP_CPU_ON, UINT64_MAX, start + 20000000));
	assert_true(hp_clock_mono_ns() >= start + 20000000);
	/* The slot comes. */
	assert_int_equal(pthread_create(&threads[0], NULL, wait_long, &until_slot), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, wait_long, &until_end), 0);
	push(history, 5, "a", 0);
	pthread_join(threads[0], NULL);
	assert_true(until_slot.open);
	/* It is in already. */
	assert_true(hp_cpu_history_wait(history, HP_CPU_ON, 6 * SEC, UINT64_MAX));
	/* Nothing comes any more. */
	hp_cpu_history_close(history);
	pthread_join(threads[1], NULL);
	assert_false(until_end.open);
	assert_true(hp_clock_mono_ns() < start + 50 * SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_old_slots_are_coarse),
		cmocka_unit_test(test_very_old_slots_go),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_announced),
		cmocka_unit_test(test_few_at_once),
		cmocka_unit_test(test_one_writes),
		cmocka_unit_test(test_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
