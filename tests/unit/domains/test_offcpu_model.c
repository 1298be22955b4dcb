/* Times of threads from readings and last records: by tid and start time, ended ones together, each thread once. */
#include "domains/offcpu/offcpu_model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND 1000000000ull

static int setup(void **state)
{
	struct hp_offcpu_model *model = NULL;

	assert_int_equal(hp_offcpu_model_new(&model), 0);
	*state = model;
	return 0;
}

static int teardown(void **state)
{
	hp_offcpu_model_free(*state);
	return 0;
}

/* Followed since second 1, asleep for all but a tenth of it. */
static struct hp_offcpu_thread thread_of(uint32_t tid, uint64_t start_ns, uint64_t seconds)
{
	return (struct hp_offcpu_thread){
		.hdr = {.domain = HP_DOMAIN_offcpu,
			.kind = HP_EVENT_OFFCPU_GONE,
			.tid = tid,
			.ts_ns = (1 + seconds) * SECOND},
		.start_ns = start_ns,
		.base_ns = SECOND,
		.cpu_ns = seconds * SECOND / 10,
		.times = {.on_ns = seconds * SECOND / 10,
			  .switches = seconds,
			  .blocked_ns = {[HP_WAIT_SLEEP] = seconds * SECOND * 9 / 10},
			  .waits = {[HP_WAIT_SLEEP] = seconds}},
		.state = HP_OFFCPU_BLOCKED,
		.wait = HP_WAIT_SLEEP,
	};
}

static void reading_of(struct hp_offcpu_model *model, const struct hp_offcpu_thread *thread)
{
	hp_offcpu_model_begin(model);
	if (thread)
		assert_int_equal(hp_offcpu_model_add(model, thread), 0);
	hp_offcpu_model_end(model);
}

static size_t living(const struct hp_offcpu_model *model)
{
	size_t n;

	hp_offcpu_model_threads(model, &n);
	return n;
}

static void test_latest_reading(void **state)
{
	struct hp_offcpu_thread first = thread_of(7, 5, 1), second = thread_of(7, 5, 2);
	size_t n;

	reading_of(*state, &first);
	reading_of(*state, &second);
	assert_int_equal(living(*state), 1);
	assert_int_equal(hp_offcpu_model_threads(*state, &n)->times.switches, 2);
	assert_int_equal(hp_offcpu_model_ended(*state)->threads, 0);
}

/* A reading may meet a thread in the middle of a switch and leave it out. */
static void test_missed_once(void **state)
{
	struct hp_offcpu_thread thread = thread_of(7, 5, 1);

	reading_of(*state, &thread);
	reading_of(*state, NULL);
	assert_int_equal(living(*state), 1);
	reading_of(*state, &thread);
	for (int i = 0; i < 39; i++)
		reading_of(*state, NULL);
	assert_int_equal(living(*state), 1);
	reading_of(*state, NULL);
	assert_int_equal(living(*state), 0);
	assert_int_equal(hp_offcpu_model_ended(*state)->threads, 1);
	assert_int_equal(hp_offcpu_model_ended(*state)->unfinished, 1);
	assert_int_equal(hp_offcpu_model_ended(*state)->elapsed_ns, SECOND);
}

static void test_gone(void **state)
{
	struct hp_offcpu_thread before = thread_of(7, 5, 1), last = thread_of(7, 5, 3);
	struct hp_offcpu_thread other = thread_of(8, 6, 1);
	const struct hp_offcpu_ended *ended = hp_offcpu_model_ended(*state);
	size_t n;

	reading_of(*state, &before);
	hp_offcpu_model_begin(*state);
	assert_int_equal(hp_offcpu_model_add(*state, &before), 0);
	assert_int_equal(hp_offcpu_model_add(*state, &other), 0);
	hp_offcpu_model_end(*state);
	assert_int_equal(hp_offcpu_model_gone(*state, &last.hdr, sizeof(last)), 0);
	assert_int_equal(ended->threads, 1);
	assert_int_equal(ended->elapsed_ns, 3 * SECOND);
	assert_int_equal(ended->cpu_ns, 3 * SECOND / 10);
	assert_int_equal(ended->times.on_ns + hp_offcpu_times_blocked(&ended->times), 3 * SECOND);
	/* A reading that had begun before shows it again, and it counts once all the same. */
	reading_of(*state, &before);
	assert_int_equal(living(*state), 1);
	assert_int_equal(hp_offcpu_model_threads(*state, &n)->hdr.tid, 8);
	assert_int_equal(hp_offcpu_model_gone(*state, &last.hdr, sizeof(last)), -EINVAL);
	assert_int_equal(ended->threads, 1);
}

/* trap:D5 */
static void test_reused_tid(void **state)
{
	struct hp_offcpu_thread old = thread_of(7, 5, 1), reused = thread_of(7, 9, 1);

	assert_int_equal(hp_offcpu_model_gone(*state, &old.hdr, sizeof(old)), 0);
	reading_of(*state, &reused);
	assert_int_equal(living(*state), 1);
	assert_int_equal(hp_offcpu_model_gone(*state, &reused.hdr, sizeof(reused)), 0);
	assert_int_equal(hp_offcpu_model_ended(*state)->threads, 2);
}

static void test_unsound(void **state)
{
	struct hp_offcpu_thread thread = thread_of(7, 5, 1);

	assert_int_equal(hp_offcpu_model_gone(*state, &thread.hdr, sizeof(thread) - 1), -EINVAL);
	thread.wait = HP_NWAITS;
	assert_int_equal(hp_offcpu_model_gone(*state, &thread.hdr, sizeof(thread)), -EINVAL);
	assert_int_equal(hp_offcpu_model_add(*state, &thread), -EINVAL);
	thread = thread_of(7, 5, 1);
	thread.base_ns = thread.hdr.ts_ns + 1;
	assert_int_equal(hp_offcpu_model_add(*state, &thread), -EINVAL);
	thread = thread_of(7, 5, 1);
	thread.hdr.kind = HP_EVENT_WAIT;
	assert_int_equal(hp_offcpu_model_gone(*state, &thread.hdr, sizeof(thread)), -EINVAL);
	assert_int_equal(hp_offcpu_model_ended(*state)->threads, 0);
}

/* What PREEMPTED has is a part of the run queue's time and must not count twice. */
static void test_blocked(void **state)
{
	const struct hp_offcpu_times times = {
		.queue_ns = 5,
		.blocked_ns = {[HP_WAIT_PREEMPTED] = 5, [HP_WAIT_LOCK] = 7, [HP_WAIT_OTHER] = 11}};

	assert_int_equal(hp_offcpu_times_blocked(&times), 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_latest_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missed_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reused_tid, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsound, setup, teardown),
		cmocka_unit_test(test_blocked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
