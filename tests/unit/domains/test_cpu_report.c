/* Wire contract section 7.1: to which function a sample goes, and what the totals count. */
#include "domains/cpu/cpu_report.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "cpu_slots.h"
#include "domains/cpu/cpu_raw.h"

/* Entities are letters, their names too; capitals are known functions. */
static const char *name_of(void *arg, uint32_t entity)
{
	static const char names[] = "a\0b\0c\0d\0e\0f\0A\0B\0C\0D\0E\0F";

	return strchr("abcdef", (int)entity) ? names + 2 * (entity - 'a')
					     : names + 12 + 2 * (entity - 'A');
}

static struct hp_cpu_stacks *slot_of(const char *const *stacks, size_t n, uint64_t start_ns,
				     uint64_t end_ns)
{
	struct hp_cpu_stacks *slot = slot_new(start_ns);

	for (size_t i = 0; i < n; i++)
		slot_add(slot, 7, stacks[i]);
	hp_cpu_stacks_seal(slot, end_ns);
	return slot;
}

static struct hp_cpu_report *report_of(struct hp_cpu_stacks *const *slots, size_t n, bool inclusive)
{
	struct hp_cpu_report *report = NULL;

	assert_int_equal(hp_cpu_report_build(slots, n, inclusive, name_of, NULL, &report), 0);
	assert_int_equal(report->inclusive, inclusive);
	return report;
}

/* @rows: names in the order of the list; @samples: theirs. */
static void assert_rows(const struct hp_cpu_report *report, const char *rows,
			const uint64_t *samples)
{
	assert_int_equal(report->nrows, strlen(rows));
	for (size_t i = 0; i < report->nrows; i++) {
		assert_int_equal(report->rows[i].entity, rows[i]);
		assert_string_equal(report->rows[i].name, name_of(NULL, (uint32_t)rows[i]));
		assert_int_equal(report->rows[i].samples, samples[i]);
	}
}

static const char *const stacks[] = {"A", "AB", "BAB", "CAB", "CABAC", "aC", "ab", "", "bA"};

static void test_exclusive(void **state)
{
	HP_AUTO(hp_cpu_stacks)
	struct hp_cpu_stacks *slot = slot_of(stacks, HP_ARRAY_SIZE(stacks), 5, 9);
	HP_AUTO(hp_cpu_report) struct hp_cpu_report *report = report_of(&slot, 1, false);
	static const uint64_t samples[] = {2, 2, 2, 1, 1};

	/* The innermost frame has the sample; equal ones by name. */
	assert_rows(report, "ACaBb", samples);
	assert_int_equal(report->total_samples, 9);
	/* All but "ab" and "" hold a known function. */
	assert_int_equal(report->attributed_samples, 7);
	assert_int_equal(report->start_ns, 5);
	assert_int_equal(report->end_ns, 9);
}

static void test_inclusive(void **state)
{
	HP_AUTO(hp_cpu_stacks)
	struct hp_cpu_stacks *slot = slot_of(stacks, HP_ARRAY_SIZE(stacks), 5, 9);
	HP_AUTO(hp_cpu_report) struct hp_cpu_report *report = report_of(&slot, 1, true);
	static const uint64_t samples[] = {6, 4, 3, 2, 2};

	/* Once for each function on the stack, however often it is there. */
	assert_rows(report, "ABCab", samples);
	assert_int_equal(report->total_samples, 9);
	assert_int_equal(report->attributed_samples, 7);
}

static void test_slots_add_up(void **state)
{
	static const char *const first[] = {"A", "A"}, *const third[] = {"B", "A"};
	struct hp_cpu_stacks *slots[] = {
		slot_of(first, 2, 100, 200),
		slot_of(NULL, 0, 200, 300),
		slot_of(third, 2, 300, 450),
	};
	struct hp_cpu_report *report = report_of(slots, 3, false);
	static const uint64_t samples[] = {3, 1};

	assert_rows(report, "AB", samples);
	assert_int_equal(report->total_samples, 4);
	assert_int_equal(report->start_ns, 100);
	assert_int_equal(report->end_ns, 450);
	hp_cpu_report_free(report);
	for (size_t i = 0; i < 3; i++)
		hp_cpu_stacks_free(slots[i]);
}

static void test_nothing(void **state)
{
	static const char *const none[] = {"", ""};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_of(none, 2, 1, 2);
	struct hp_cpu_report *report = report_of(NULL, 0, false);

	assert_int_equal(report->nrows, 0);
	assert_int_equal(report->total_samples, 0);
	hp_cpu_report_free(report);

	/* Samples without a stack count, and go nowhere. */
	for (int inclusive = 0; inclusive < 2; inclusive++) {
		report = report_of(&slot, 1, inclusive);
		assert_int_equal(report->nrows, 0);
		assert_int_equal(report->total_samples, 2);
		assert_int_equal(report->attributed_samples, 0);
		hp_cpu_report_free(report);
	}
	hp_cpu_stacks_free(NULL);
	hp_cpu_report_free(NULL);
}

/* An inlined function has no code of its own: its time is in that which it was put into. */
static void test_inlined(void **state)
{
	const struct hp_cpu_sample sample = {.tid = 7, .samples = 1, .weight_ns = 1};
	const struct hp_code_frame frames[] = {{.entity = 'D', .known = true, .inlined = true},
					       {.entity = 'C', .known = true, .inlined = true},
					       {.entity = 'A', .known = true},
					       {.entity = 'B', .known = true}};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(1);
	static const uint64_t one[] = {2}, each[] = {2, 2, 2, 1};
	struct hp_cpu_report *report;

	assert_int_equal(hp_cpu_stacks_add(slot, &sample, frames, 4), 0);
	assert_int_equal(hp_cpu_stacks_add(slot, &sample, frames, 3), 0);
	hp_cpu_stacks_seal(slot, 2);
	report = report_of(&slot, 1, false);
	assert_rows(report, "A", one);
	hp_cpu_report_free(report);
	report = report_of(&slot, 1, true);
	assert_rows(report, "ACDB", each);
	hp_cpu_report_free(report);
}

/* Blocked time is no CPU time. */
static void test_other_kinds(void **state)
{
	const struct hp_cpu_sample blocked = {
		.kind = HP_CPU_OFF, .tid = 7, .samples = 5, .weight_ns = 1};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = slot_new(1);
	HP_AUTO(hp_cpu_report) struct hp_cpu_report *report = NULL;
	static const uint64_t samples[] = {2};

	slot_add(slot, 7, "A");
	slot_add(slot, 8, "A");
	slot_add_as(slot, &blocked, "A");
	hp_cpu_stacks_seal(slot, 2);
	report = report_of(&slot, 1, true);
	assert_rows(report, "A", samples);
	assert_int_equal(report->total_samples, 2);
}

static void test_references(void **state)
{
	struct hp_cpu_report *report = report_of(NULL, 0, true);

	assert_ptr_equal(hp_cpu_report_ref(report), report);
	hp_cpu_report_free(report);
	assert_true(report->inclusive);
	hp_cpu_report_free(report);
}

/* The record as BPF writes it, ending after its last frame. */
static size_t record_of(struct hp_sample_event *event, uint32_t nkernel, uint32_t nuser)
{
	memset(event, 0, sizeof(*event));
	event->hdr.kind = HP_EVENT_SAMPLE;
	event->hdr.ts_ns = nkernel * 1000 + nuser;
	event->nkernel = nkernel;
	event->nuser = nuser;
	for (uint32_t i = 0; i < nkernel + nuser && i < HP_ARRAY_SIZE(event->ips); i++)
		event->ips[i] = i + 1;
	return 24 + 8 * (size_t)(nkernel + nuser);
}

static void test_raw_samples(void **state)
{
	static const uint32_t lengths[][2] = {{0, 0}, {32, 127}, {0, 1}, {5, 0}, {3, 4}};
	HP_AUTO(hp_cpu_raw) struct hp_cpu_raw *raw = NULL;
	const struct hp_sample_event *found;
	struct hp_sample_event event;
	size_t cursor = 0, size;

	assert_int_equal(hp_cpu_raw_new(42, &raw), 0);
	assert_int_equal(raw->start_ns, 42);
	assert_int_equal(raw->end_ns, 42);
	assert_null(hp_cpu_raw_next(raw, &cursor));
	for (size_t i = 0; i < HP_ARRAY_SIZE(lengths); i++) {
		size = record_of(&event, lengths[i][0], lengths[i][1]);
		assert_int_equal(hp_cpu_raw_add(raw, &event.hdr, size), 0);
		/* None of these may end or shift the walk. */
		assert_int_equal(hp_cpu_raw_add(raw, &event.hdr, size - 8), -EINVAL);
		assert_int_equal(hp_cpu_raw_add(raw, &event.hdr, size - 1), -EINVAL);
		assert_int_equal(hp_cpu_raw_add(raw, &event.hdr, size + 8), -EINVAL);
		event.hdr.kind++;
		assert_int_equal(hp_cpu_raw_add(raw, &event.hdr, size), -EINVAL);
	}
	record_of(&event, 33, 1);
	assert_int_equal(hp_cpu_raw_add(raw, &event.hdr, 24 + 8 * 34), -EINVAL);
	record_of(&event, 1, 128);
	assert_int_equal(hp_cpu_raw_add(raw, &event.hdr, 24 + 8 * 129), -EINVAL);
	record_of(&event, UINT32_MAX, 1); /* their sum is 0 in 32 bits */
	assert_int_equal(hp_cpu_raw_add(raw, &event.hdr, 24), -EINVAL);

	for (size_t i = 0; i < HP_ARRAY_SIZE(lengths); i++) {
		size = record_of(&event, lengths[i][0], lengths[i][1]);
		found = hp_cpu_raw_next(raw, &cursor);
		assert_non_null(found);
		assert_memory_equal(found, &event, size);
	}
	assert_null(hp_cpu_raw_next(raw, &cursor));
	hp_cpu_raw_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusive),    cmocka_unit_test(test_inclusive),
		cmocka_unit_test(test_slots_add_up), cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_references),   cmocka_unit_test(test_other_kinds),
		cmocka_unit_test(test_inlined),      cmocka_unit_test(test_raw_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
