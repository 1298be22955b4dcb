/*
 * Wire contract section 8: shares of CPU time from readings, threads by tid and start time, the
 * order of the list.
 */
#include "domains/threads/threads_model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND 1000000000ull

static int setup(void **state)
{
	struct hp_threads_model *model = NULL;

	assert_int_equal(hp_threads_model_new(&model), 0);
	*state = model;
	return 0;
}

static int teardown(void **state)
{
	hp_threads_model_free(*state);
	return 0;
}

static struct hp_thread_sample sample_of(uint32_t tid, uint64_t start_ns, uint64_t now_ns,
					 uint64_t cpu_ns)
{
	return (struct hp_thread_sample){
		.hdr = {.domain = HP_DOMAIN_threads,
			.kind = HP_EVENT_THREAD_GONE,
			.tid = tid,
			.ts_ns = now_ns},
		.start_ns = start_ns,
		.cpu_ns = cpu_ns,
	};
}

/* A living thread in the reading that is open. */
static void alive(struct hp_threads_model *model, uint32_t tid, uint64_t start_ns, uint64_t now_ns,
		  uint64_t cpu_ns)
{
	struct hp_thread_sample sample = sample_of(tid, start_ns, now_ns, cpu_ns);

	assert_int_equal(hp_threads_model_add(model, &sample), 0);
}

static void gone(struct hp_threads_model *model, uint32_t tid, uint64_t start_ns, uint64_t cpu_ns)
{
	struct hp_thread_sample sample = sample_of(tid, start_ns, 0, cpu_ns);

	assert_int_equal(hp_threads_model_record(model, &sample.hdr, sizeof(sample)), 0);
}

/* A reading with one thread. */
static void reading_of(struct hp_threads_model *model, uint32_t tid, uint64_t start_ns,
		       uint64_t now_ns, uint64_t cpu_ns)
{
	hp_threads_model_begin(model, now_ns);
	alive(model, tid, start_ns, now_ns, cpu_ns);
	hp_threads_model_end(model);
}

static void empty_reading(struct hp_threads_model *model, uint64_t now_ns)
{
	hp_threads_model_begin(model, now_ns);
	hp_threads_model_end(model);
}

static const struct hp_thread_row *only_row(const struct hp_threads_model *model)
{
	size_t n;
	const struct hp_thread_row *rows = hp_threads_model_rows(model, &n);

	assert_int_equal(n, 1);
	return rows;
}

static void assert_exited(const struct hp_threads_model *model, uint64_t exited, uint64_t cpu_ns)
{
	struct hp_threads_totals totals = hp_threads_model_totals(model);

	assert_int_equal(totals.exited, exited);
	assert_int_equal(totals.exited_cpu_ns, cpu_ns);
}

static void test_shares(void **state)
{
	struct hp_threads_model *model = *state;
	const struct hp_thread_row *row;

	reading_of(model, 7, 1, 10 * SECOND, 5 * SECOND);
	row = only_row(model);
	assert_false(row->has_percent); /* the first sample */
	assert_int_equal(row->first_ns, 10 * SECOND);

	/* Half of a second, then nothing, then all of two. */
	reading_of(model, 7, 1, 11 * SECOND, 5 * SECOND + SECOND / 2);
	row = only_row(model);
	assert_true(row->has_percent);
	assert_true(row->percent == 50 && row->percent_max == 50 && row->percent_avg == 50);
	reading_of(model, 7, 1, 12 * SECOND, 5 * SECOND + SECOND / 2);
	row = only_row(model);
	assert_true(row->percent == 0 && row->percent_max == 50 && row->percent_avg == 25);
	reading_of(model, 7, 1, 14 * SECOND, 7 * SECOND + SECOND / 2);
	row = only_row(model);
	assert_true(row->percent == 100 && row->percent_max == 100 && row->percent_avg == 62.5);
	assert_exited(model, 0, 0);
}

/* Never a negative share, and no division by nothing. */
static void test_clock_and_time_that_do_not_move(void **state)
{
	struct hp_threads_model *model = *state;
	const struct hp_thread_row *row;

	reading_of(model, 7, 1, 10 * SECOND, SECOND);
	reading_of(model, 7, 1, 10 * SECOND, 2 * SECOND);
	assert_false(only_row(model)->has_percent);
	reading_of(model, 7, 1, 11 * SECOND, 2 * SECOND);
	reading_of(model, 7, 1, 12 * SECOND, SECOND);
	row = only_row(model);
	assert_true(row->has_percent && row->percent >= 0 && row->percent_avg >= 0);
}

static void test_order(void **state)
{
	struct hp_threads_model *model = *state;
	static const struct {
		uint32_t tid;
		uint64_t share; /* of one second, in percent */
	} threads[] = {{5, 10}, {9, 90}, {3, 10}, {8, 0}, {4, 90}, {1, 40}};
	static const uint32_t order[] = {4, 9, 1, 3, 5, 8};
	const struct hp_thread_row *rows;
	size_t n;

	for (uint64_t now = 1; now <= 2; now++) {
		hp_threads_model_begin(model, now * SECOND);
		for (size_t i = 0; i < HP_ARRAY_SIZE(threads); i++)
			alive(model, threads[i].tid, 1, now * SECOND,
			      now * threads[i].share * SECOND / 100);
		hp_threads_model_end(model);
	}
	rows = hp_threads_model_rows(model, &n);
	assert_int_equal(n, HP_ARRAY_SIZE(order));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(rows[i].last.hdr.tid, order[i]);
}

/*
 * The kernel gives a tid to the next thread: nothing of the old one's figures goes over (trap:D5).
 */
static void test_reused_tid(void **state)
{
	struct hp_threads_model *model = *state;

	reading_of(model, 7, 100, 10 * SECOND, 9 * SECOND);
	reading_of(model, 7, 200, 11 * SECOND, SECOND / 2);
	assert_false(only_row(model)->has_percent);
	assert_int_equal(only_row(model)->first_cpu_ns, SECOND / 2);
	assert_exited(model, 1, 9 * SECOND);
	gone(model, 7, 100, 9 * SECOND + 5);
	assert_exited(model, 1, 9 * SECOND + 5);
}

/*
 * The record has the final figures; before or after the reading that misses the thread, it counts
 * once.
 */
static void test_exit_counts_once(void **state)
{
	struct hp_threads_model *model = *state;

	reading_of(model, 7, 1, 1 * SECOND, 10);
	gone(model, 7, 1, 15);
	assert_exited(model, 1, 15);
	empty_reading(model, 2 * SECOND);
	assert_exited(model, 1, 15);

	reading_of(model, 8, 2, 3 * SECOND, 100);
	empty_reading(model, 4 * SECOND);
	assert_exited(model, 2, 115); /* what is known */
	gone(model, 8, 2, 130);
	assert_exited(model, 2, 145);
	empty_reading(model, 5 * SECOND);
	assert_exited(model, 2, 145);

	/* One that no reading has seen. */
	gone(model, 9, 3, 1000);
	assert_exited(model, 3, 1145);
}

/* The reading was under way when the record came: the dead do not come back. */
static void test_released_while_reading(void **state)
{
	struct hp_threads_model *model = *state;
	size_t n;

	reading_of(model, 7, 1, 1 * SECOND, 10);
	hp_threads_model_begin(model, 2 * SECOND);
	gone(model, 7, 1, 15);
	alive(model, 7, 1, 2 * SECOND, 14);
	hp_threads_model_end(model);
	hp_threads_model_rows(model, &n);
	assert_int_equal(n, 0);
	assert_exited(model, 1, 15);
}

/* Its record was lost with a full ring: it stays counted, once, however long we wait. */
static void test_lost_record(void **state)
{
	struct hp_threads_model *model = *state;

	reading_of(model, 7, 1, 1 * SECOND, 10);
	for (uint64_t i = 2; i < 300; i++) {
		empty_reading(model, i * SECOND);
		assert_exited(model, 1, 10);
	}
	/* It was not lost, something held the task. */
	gone(model, 7, 1, 15);
	assert_exited(model, 1, 15);
}

static void test_many_threads(void **state)
{
	struct hp_threads_model *model = *state;
	size_t n;

	for (uint64_t now = 1; now <= 3; now++) {
		hp_threads_model_begin(model, now * SECOND);
		for (uint32_t tid = 1; tid <= 5000; tid++)
			alive(model, tid, tid, now * SECOND, now * tid);
		hp_threads_model_end(model);
		hp_threads_model_rows(model, &n);
		assert_int_equal(n, 5000);
	}
	assert_exited(model, 0, 0);
	empty_reading(model, 4 * SECOND);
	assert_exited(model, 5000, 3ull * 5000 * 5001 / 2);
	for (uint32_t tid = 1; tid <= 5000; tid++)
		gone(model, tid, tid, 4 * tid);
	assert_exited(model, 5000, 4ull * 5000 * 5001 / 2);
}

static void test_totals_of_readings(void **state)
{
	struct hp_threads_model *model = *state;
	size_t n = 1;

	hp_threads_model_rows(model, &n);
	assert_int_equal(n, 0);
	assert_int_equal(hp_threads_model_totals(model).first_reading_ns, 0);
	empty_reading(model, 5);
	empty_reading(model, 9);
	assert_int_equal(hp_threads_model_totals(model).first_reading_ns, 5);
	assert_int_equal(hp_threads_model_totals(model).last_reading_ns, 9);
}

static void test_refused_records(void **state)
{
	struct hp_threads_model *model = *state;
	struct hp_thread_sample sample = sample_of(7, 1, 2, 3);

	for (size_t size = sizeof(sample.hdr); size < sizeof(sample); size++)
		assert_int_equal(hp_threads_model_record(model, &sample.hdr, size), -EINVAL);
	sample.hdr.kind = HP_EVENT_THREAD_GONE + 1;
	assert_int_equal(hp_threads_model_record(model, &sample.hdr, sizeof(sample)), -EINVAL);
	assert_exited(model, 0, 0);
	hp_threads_model_free(NULL);
}

#define WITH_MODEL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MODEL(test_shares),
		WITH_MODEL(test_clock_and_time_that_do_not_move),
		WITH_MODEL(test_order),
		WITH_MODEL(test_reused_tid),
		WITH_MODEL(test_exit_counts_once),
		WITH_MODEL(test_released_while_reading),
		WITH_MODEL(test_lost_record),
		WITH_MODEL(test_many_threads),
		WITH_MODEL(test_totals_of_readings),
		WITH_MODEL(test_refused_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
