/* Bars of calls from records that have ends and durations only: beginnings exact where all calls inside were timed, nested, once each. */
#include "domains/timeline/timeline_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FROM  1000000ull
#define PRICE 3000ull
#define BIAS  1000ull

/* A program with probes: each call takes its own time, and its probes PRICE, BIAS of it between its clock readings. */
struct machine {
	uint64_t now_ns;
	struct hp_timeline_record record;
	uint64_t starts[16]; /* of the calls, in the order of their ends */
	size_t n;
};

static uint64_t enter(struct machine *machine)
{
	uint64_t start_ns;

	machine->now_ns += (PRICE - BIAS) / 2;
	start_ns = machine->now_ns;
	machine->now_ns += BIAS;
	return start_ns;
}

/* @inside: what calls inside were charged. */
static void leave(struct machine *machine, uint32_t entity, uint32_t parent, uint64_t start_ns,
		  uint64_t inside_ns)
{
	struct hp_timeline_call call = {
		.end_ns = machine->now_ns,
		.duration_ns = machine->now_ns - start_ns - BIAS - inside_ns,
		.tid = 7,
		.entity = entity,
		.parent = parent,
		.price_ns = PRICE,
		.bias_ns = BIAS,
	};

	machine->starts[machine->n++] = start_ns;
	machine->now_ns += (PRICE - BIAS) / 2;
	assert_int_equal(hp_vec_push(&machine->record.calls, call), 0);
}

static void leaf(struct machine *machine, uint32_t entity, uint32_t parent)
{
	uint64_t start_ns = enter(machine);

	machine->now_ns += 200;
	leave(machine, entity, parent, start_ns, 0);
}

static const struct hp_timeline_bar *bar_at(const struct hp_timeline_bars *bars, uint64_t start_ns)
{
	hp_vec_each(bar, &bars->list) {
		if (bar->start_ns == start_ns)
			return bar;
	}
	return NULL;
}

static void test_nested(void **state)
{
	HP_AUTO(hp_timeline_bars) struct hp_timeline_bars bars = {0};
	struct machine machine = {.now_ns = FROM + 5000, .record = {.from_ns = FROM}};
	uint64_t outer = enter(&machine), middle;

	machine.now_ns += 1000;
	leaf(&machine, 3, 1);
	middle = enter(&machine);
	leaf(&machine, 3, 2);
	leaf(&machine, 3, 2);
	leave(&machine, 2, 1, middle, 2 * PRICE);
	leave(&machine, 1, 0, outer, 4 * PRICE);
	machine.record.until_ns = machine.now_ns + 1000;
	assert_int_equal(hp_timeline_bars_init(&machine.record, &bars), 0);

	assert_int_equal(bars.list.len, 5);
	for (size_t i = 0; i < machine.n; i++)
		assert_non_null(bar_at(&bars, machine.starts[i]));
	assert_int_equal(bar_at(&bars, outer)->depth, 0);
	assert_int_equal(bar_at(&bars, outer)->entity, 1);
	assert_int_equal(bar_at(&bars, middle)->depth, 1);
	assert_int_equal(bar_at(&bars, machine.starts[1])->depth, 2);
	hp_vec_each(bar, &bars.list)
		assert_int_equal(bar->lane, 0);
	hp_vec_free(&machine.record.calls);
}

/* A function that calls itself: only the times tell which of its calls is meant. */
static void test_recursive(void **state)
{
	HP_AUTO(hp_timeline_bars) struct hp_timeline_bars bars = {0};
	struct machine machine = {.now_ns = FROM + 5000, .record = {.from_ns = FROM}};
	uint64_t outer = enter(&machine), inner;

	machine.now_ns += 20000;
	inner = enter(&machine);
	machine.now_ns += 20000;
	leave(&machine, 1, 1, inner, 0);
	machine.now_ns += 20000;
	leave(&machine, 1, 0, outer, PRICE);
	machine.record.until_ns = machine.now_ns + 1000;
	assert_int_equal(hp_timeline_bars_init(&machine.record, &bars), 0);
	assert_int_equal(bars.list.len, 2);
	assert_int_equal(bar_at(&bars, outer)->depth, 0);
	assert_int_equal(bar_at(&bars, inner)->depth, 1);
	hp_vec_free(&machine.record.calls);
}

/* What began earlier is clipped and says so; what ended earlier, or ends later, is not in it. */
static void test_clipped(void **state)
{
	HP_AUTO(hp_timeline_bars) struct hp_timeline_bars bars = {0};
	struct machine machine = {.now_ns = FROM - 100000, .record = {.from_ns = FROM}};
	uint64_t start_ns;

	leaf(&machine, 2, 0);
	start_ns = enter(&machine);
	machine.now_ns = FROM + 50000;
	leave(&machine, 1, 0, start_ns, 0);
	machine.record.until_ns = FROM + 60000;
	machine.now_ns = FROM + 70000;
	leaf(&machine, 2, 0);
	assert_int_equal(hp_timeline_bars_init(&machine.record, &bars), 0);
	assert_int_equal(bars.list.len, 1);
	assert_int_equal(bars.list.data[0].start_ns, FROM);
	assert_true(bars.list.data[0].began_before);
	assert_int_equal(bars.outside, 2);
	hp_vec_free(&machine.record.calls);
}

/* Goroutines: calls of one thread that overlap have lanes of their own. */
static void test_overlapping(void **state)
{
	HP_AUTO(hp_timeline_bars) struct hp_timeline_bars bars = {0};
	struct hp_timeline_record record = {.from_ns = FROM, .until_ns = FROM + 1000000};

	for (uint64_t i = 0; i < HP_TIMELINE_LANES + 2; i++) {
		struct hp_timeline_call call = {.end_ns = FROM + 300000 + i * 30000,
						.duration_ns = 290000,
						.tid = 7,
						.entity = (uint32_t)i + 1};

		assert_int_equal(hp_vec_push(&record.calls, call), 0);
	}
	assert_int_equal(hp_timeline_bars_init(&record, &bars), 0);
	assert_int_equal(bars.list.len + bars.overlapping, HP_TIMELINE_LANES + 2ul);
	hp_vec_each(bar, &bars.list) {
		if (bar > bars.list.data && bar[-1].lane == bar->lane)
			assert_true(bar[-1].end_ns <= bar->start_ns);
	}
	hp_vec_free(&record.calls);
}

/* Whatever records say, bars of a lane nest or follow each other. */
static void test_hostile(void **state)
{
	uint64_t random = 1;

	for (int round = 0; round < 300; round++) {
		HP_AUTO(hp_timeline_bars) struct hp_timeline_bars bars = {0};
		struct hp_timeline_record record = {.from_ns = FROM, .until_ns = 2 * FROM};

		for (int i = 0; i < 30; i++) {
			struct hp_timeline_call call;

			random = random * 6364136223846793005ull + 1442695040888963407ull;
			call = (struct hp_timeline_call){
				.end_ns = FROM + (random >> 44),
				.duration_ns = random >> 20 & 0x3ffff,
				.tid = random >> 10 & 1,
				.entity = random >> 12 & 0xf ? random >> 12 & 7 : (uint32_t)random,
				.parent = random >> 16 & 7,
				.price_ns = random >> 8 & 0xfff,
				.bias_ns = random >> 9 & 0x3ff,
			};
			assert_int_equal(hp_vec_push(&record.calls, call), 0);
		}
		assert_int_equal(hp_timeline_bars_init(&record, &bars), 0);
		for (size_t i = 0; i < bars.list.len; i++) {
			const struct hp_timeline_bar *outer = &bars.list.data[i];

			assert_true(outer->start_ns <= outer->end_ns);
			for (size_t k = i + 1; k < bars.list.len; k++) {
				const struct hp_timeline_bar *later = &bars.list.data[k];

				if (later->tid != outer->tid || later->lane != outer->lane)
					break;
				assert_true(later->start_ns >= outer->start_ns);
				assert_true(later->start_ns >= outer->end_ns ||
					    later->end_ns <= outer->end_ns);
			}
		}
		hp_vec_free(&record.calls);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),  cmocka_unit_test(test_recursive),
		cmocka_unit_test(test_clipped), cmocka_unit_test(test_overlapping),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
