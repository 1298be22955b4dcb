/* States of threads from records and lists: without gaps, clipped, and honest about records that were lost. */
#include "domains/timeline/timeline_states.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PID   100
#define FROM  1000
#define UNTIL 2000

static struct hp_timeline_thread thread_of(uint32_t tid, enum hp_timeline_state state,
					   uint64_t since_ns)
{
	return (struct hp_timeline_thread){
		.hdr = {.domain = HP_DOMAIN_timeline, .kind = HP_EVENT_TIMELINE_GONE, .tid = tid},
		.since_ns = since_ns,
		.tgid = PID,
		.cpu = 1,
		.state = (__u8)state,
		.wait = HP_WAIT_SLEEP,
		.comm = "worker",
	};
}

/* On a CPU from @on, off it from @left, runnable from @woken, on a CPU again at @at. */
static struct hp_timeline_absence absence_of(uint32_t tid, uint64_t on, uint64_t left,
					     uint64_t woken, uint64_t at)
{
	return (struct hp_timeline_absence){
		.hdr = {.domain = HP_DOMAIN_timeline,
			.kind = HP_EVENT_ABSENCE,
			.tid = tid,
			.ts_ns = at},
		.on_ns = on,
		.left_ns = left,
		.woken_ns = woken,
		.tgid = PID,
		.wait = HP_WAIT_LOCK,
		.flags = woken ? HP_TIMELINE_WOKEN : 0,
	};
}

static struct hp_timeline_record record_new(void)
{
	return (struct hp_timeline_record){.from_ns = FROM, .until_ns = UNTIL};
}

static void record_free(struct hp_timeline_record *record)
{
	hp_vec_free(&record->absences);
	hp_vec_free(&record->first);
	hp_vec_free(&record->last);
	hp_vec_free(&record->gone);
}

static void check_slice(const struct hp_timeline_states *states, size_t i,
			enum hp_timeline_kind kind, uint64_t start_ns, uint64_t end_ns)
{
	assert_true(i < states->slices.len);
	assert_int_equal(states->slices.data[i].kind, kind);
	assert_int_equal(states->slices.data[i].start_ns, start_ns);
	assert_int_equal(states->slices.data[i].end_ns, end_ns);
}

static void test_whole(void **state)
{
	HP_AUTO(hp_timeline_states) struct hp_timeline_states states = {0};
	struct hp_timeline_record record = record_new();

	assert_int_equal(hp_vec_push(&record.first, thread_of(7, HP_TIMELINE_ON, 900)), 0);
	/* The later one comes first: rings are read one after the other. */
	assert_int_equal(hp_vec_push(&record.absences, absence_of(7, 1500, 1700, 0, 1800)), 0);
	assert_int_equal(hp_vec_push(&record.absences, absence_of(7, 900, 1200, 1300, 1500)), 0);
	assert_int_equal(hp_vec_push(&record.last, thread_of(7, HP_TIMELINE_ON, 1800)), 0);
	assert_int_equal(hp_timeline_states_init(&record, &states), 0);

	assert_int_equal(states.threads.len, 1);
	assert_string_equal(states.threads.data[0].comm, "worker");
	assert_int_equal(states.slices.len, 6);
	check_slice(&states, 0, HP_TIMELINE_RUNS, FROM, 1200); /* clipped */
	check_slice(&states, 1, HP_TIMELINE_WAITS, 1200, 1300);
	check_slice(&states, 2, HP_TIMELINE_WAITS_FOR_CPU, 1300, 1500);
	check_slice(&states, 3, HP_TIMELINE_RUNS, 1500, 1700);
	check_slice(&states, 4, HP_TIMELINE_WAITS, 1700, 1800);
	check_slice(&states, 5, HP_TIMELINE_RUNS, 1800, UNTIL);
	assert_int_equal(states.gap_ns, 0);
	assert_int_equal(states.wakes_unseen, 1);
	assert_int_equal(states.slices.data[1].wait, HP_WAIT_LOCK);
	record_free(&record);
}

/* Of the second of three absences there is no record. */
static void test_lost(void **state)
{
	HP_AUTO(hp_timeline_states) struct hp_timeline_states states = {0};
	struct hp_timeline_record record = record_new();

	assert_int_equal(hp_vec_push(&record.first, thread_of(7, HP_TIMELINE_ON, 900)), 0);
	assert_int_equal(hp_vec_push(&record.absences, absence_of(7, 900, 1100, 0, 1200)), 0);
	assert_int_equal(hp_vec_push(&record.absences, absence_of(7, 1500, 1600, 0, 1700)), 0);
	assert_int_equal(hp_vec_push(&record.last, thread_of(7, HP_TIMELINE_ON, 1700)), 0);
	assert_int_equal(hp_timeline_states_init(&record, &states), 0);

	assert_int_equal(states.slices.len, 5);
	check_slice(&states, 2, HP_TIMELINE_RUNS, 1500, 1600);
	assert_int_equal(states.gap_ns, 300); /* 1200 ... 1500 */
	assert_int_equal(states.threads.data[0].gap_ns, 300);
	record_free(&record);
}

/* One that waits all the time, one that ends, one that nobody has a name for. */
static void test_ends(void **state)
{
	HP_AUTO(hp_timeline_states) struct hp_timeline_states states = {0};
	struct hp_timeline_record record = record_new();
	struct hp_timeline_thread gone = thread_of(8, HP_TIMELINE_DEAD, 1400);

	gone.on_ns = 1350;
	assert_int_equal(hp_vec_push(&record.first, thread_of(9, HP_TIMELINE_BLOCKED, 500)), 0);
	assert_int_equal(hp_vec_push(&record.last, thread_of(9, HP_TIMELINE_BLOCKED, 500)), 0);
	assert_int_equal(hp_vec_push(&record.gone, gone), 0);
	assert_int_equal(hp_vec_push(&record.absences, absence_of(11, 1500, 1600, 0, 1700)), 0);
	assert_int_equal(hp_timeline_states_init(&record, &states), 0);

	assert_int_equal(states.threads.len, 3);
	assert_int_equal(states.threads.data[0].tid, 8);
	check_slice(&states, 0, HP_TIMELINE_RUNS, 1350, 1400);
	check_slice(&states, 1, HP_TIMELINE_WAITS, FROM, UNTIL);
	assert_int_equal(states.slices.data[1].wait, HP_WAIT_SLEEP);
	assert_int_equal(states.slices.data[1].by, HP_TIMELINE_BY_NOBODY);
	assert_string_equal(states.threads.data[2].comm, "");
	assert_int_equal(states.gap_ns,
			 0); /* of the last one nothing is known, so nothing is missing */
	record_free(&record);
}

static void test_wakes(void **state)
{
	HP_AUTO(hp_timeline_states) struct hp_timeline_states states = {0};
	struct hp_timeline_record record = record_new();
	struct hp_timeline_absence woken = absence_of(7, 900, 1200, 1300, 1500);
	struct hp_timeline_absence other = absence_of(7, 1500, 1600, 1650, 1700);

	woken.waker_tid = 8;
	woken.waker_tgid = PID;
	other.waker_tid = 4711; /* of another program */
	assert_int_equal(hp_vec_push(&record.first, thread_of(7, HP_TIMELINE_ON, 900)), 0);
	assert_int_equal(hp_vec_push(&record.first, thread_of(8, HP_TIMELINE_ON, 900)), 0);
	assert_int_equal(hp_vec_push(&record.absences, woken), 0);
	assert_int_equal(hp_vec_push(&record.absences, other), 0);
	assert_int_equal(hp_vec_push(&record.last, thread_of(7, HP_TIMELINE_ON, 1700)), 0);
	assert_int_equal(hp_vec_push(&record.last, thread_of(8, HP_TIMELINE_ON, 900)), 0);
	assert_int_equal(hp_timeline_states_init(&record, &states), 0);

	assert_int_equal(states.wakes.len, 1);
	assert_int_equal(states.wakes.data[0].from_ns, 1300);
	assert_int_equal(states.wakes.data[0].to_ns, 1500);
	assert_int_equal(states.threads.data[states.wakes.data[0].waker].tid, 8);
	assert_int_equal(states.threads.data[states.wakes.data[0].woken].tid, 7);
	record_free(&record);
}

/* Times that cannot be, as a broken record might have them, give slices in order and nothing else. */
static void test_hostile(void **state)
{
	uint64_t random = 1;

	for (int round = 0; round < 200; round++) {
		HP_AUTO(hp_timeline_states) struct hp_timeline_states states = {0};
		struct hp_timeline_record record = record_new();
		uint64_t times[4];

		for (int i = 0; i < 20; i++) {
			struct hp_timeline_absence absence;

			for (int k = 0; k < 4; k++) {
				random = random * 6364136223846793005ull + 1442695040888963407ull;
				times[k] = random >> 63 ? random : random >> 33 & 4095;
			}
			absence = absence_of((uint32_t)(random >> 40) % 3, times[0], times[1],
					     times[2], times[3]);
			absence.wait = (__u8)(random >> 50);
			absence.flags = (__u8)(random >> 45);
			assert_int_equal(hp_vec_push(&record.absences, absence), 0);
		}
		assert_int_equal(hp_timeline_states_init(&record, &states), 0);
		hp_vec_each(slice, &states.slices) {
			assert_true(slice->start_ns < slice->end_ns);
			assert_true(slice->start_ns >= FROM && slice->end_ns <= UNTIL);
			assert_true(slice->wait < HP_NWAITS);
			if (slice > states.slices.data && slice[-1].thread == slice->thread)
				assert_true(slice[-1].end_ns <= slice->start_ns);
		}
		record_free(&record);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),   cmocka_unit_test(test_lost),
		cmocka_unit_test(test_ends),    cmocka_unit_test(test_wakes),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
