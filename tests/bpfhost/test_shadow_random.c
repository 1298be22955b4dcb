/*
 * Random programs with fixed seeds on two threads, held against the plain books of caller.h.
 * Counts, sums, minima and maxima are exact whatever the program does; self times are exact while
 * nothing unwinds.
 */
#include "caller.h"

#define STEPS 20000

static struct caller callers[2];
static uint64_t seed;

static uint64_t roll(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static void start(uint64_t with)
{
	seed = with * 0x9e3779b97f4a7c15ull + 1;
	host_reset();
	memset(truth, 0, sizeof(truth));
	caller_init(&callers[0], 0);
	caller_init(&callers[1], 1);
}

static enum ending any_ending(void)
{
	static const enum ending endings[] = {RETURN_PROBE, EXIT_PROBES, SESSION};

	return endings[roll(3)];
}

static bool has_room(const struct caller *caller)
{
	/* Below the shadow stack's and the kernel's limit, on 16 words at most for each call. */
	return caller->depth < 28;
}

static void step(struct caller *caller, bool unwinding)
{
	__u32 entity = 1 + (__u32)roll(HOST_ENTITIES - 1);
	uint64_t what = roll(100);

	host.now_ns += roll(1000);
	if (unwinding && what < 8)
		do_unwind(caller, 1 + roll(6));
	else if (what < 50 && has_room(caller))
		do_call(caller, entity, any_ending(), 1 + (unsigned)roll(16));
	else if (what < 60 && has_room(caller) && caller->depth)
		do_tail_call(caller, entity, any_ending());
	else if (caller->depth)
		do_return(caller);
}

/*
 * Everything returns; then one more call at the top of each stack drops what unwinding left there.
 */
static void end(struct caller *caller)
{
	while (caller->depth)
		do_return(caller);
	do_call(caller, 1, EXIT_PROBES, 0);
	do_return(caller);
}

static void run(bool unwinding)
{
	for (unsigned i = 0; i < STEPS; i++)
		step(&callers[roll(2)], unwinding);
	end(&callers[0]);
	end(&callers[1]);
}

static void assert_common(void)
{
	uint64_t calls = 0;

	for (unsigned i = 0; i < HOST_ENTITIES; i++) {
		assert_int_equal(host.cells[i].hits, truth[i].hits);
		assert_int_equal(host.cells[i].count, truth[i].count);
		assert_int_equal(host.cells[i].sum_ns, truth[i].sum_ns);
		assert_int_equal(host.cells[i].max_ns, truth[i].max_ns);
		assert_int_equal(host.cells[i].inv_min, truth[i].inv_min);
		calls += truth[i].count;
	}
	assert_true(calls > STEPS / 4);
	assert_int_equal(host.nevents, calls);
	assert_int_equal(host.stats[HP_STAT_RECORDS], calls);
	assert_int_equal(host.stats[HP_STAT_RETURN_UNMATCHED], 0);
	assert_int_equal(host.stats[HP_STAT_SHADOW_FULL], 0);
	assert_int_equal(host.stats[HP_STAT_RETURN_TOO_DEEP], 0);
	assert_int_equal(host.threads[0].shadow.depth, 0);
	assert_int_equal(host.threads[1].shadow.depth, 0);
}

static void test_calls_and_tail_calls(void **state)
{
	for (uint64_t with = 1; with <= 20; with++) {
		start(with);
		run(false);
		assert_common();
		assert_int_equal(host.stats[HP_STAT_SHADOW_SUPERSEDED], 0);
		for (unsigned i = 0; i < HOST_ENTITIES; i++)
			assert_int_equal(host.cells[i].self_ns, truth[i].self_ns);
	}
}

/* A frame that was left is dropped once, and takes at most the time of a callee with it. */
static void test_with_unwinding(void **state)
{
	for (uint64_t with = 1; with <= 20; with++) {
		start(with);
		run(true);
		assert_common();
		assert_true(callers[0].left + callers[1].left > STEPS / 20);
		assert_int_equal(host.stats[HP_STAT_SHADOW_SUPERSEDED],
				 callers[0].left + callers[1].left);
		for (unsigned i = 0; i < HOST_ENTITIES; i++) {
			assert_true(host.cells[i].self_ns >= truth[i].self_ns);
			assert_true(host.cells[i].self_ns <= host.cells[i].sum_ns);
		}
	}
}

/*
 * Any values in a stack, however they got there: nothing is written outside it and the loops end.
 */
static void test_foreign_stack(void **state)
{
	static struct hp_shadow shadow;
	__u32 dropped, before;

	seed = 7;
	for (unsigned i = 0; i < 100000; i++) {
		struct hp_frame *frame;
		__u64 sp = roll(32) * 8;

		if (roll(10) == 0) {
			for (unsigned k = 0; k < HP_SHADOW_DEPTH; k++)
				shadow.frames[k] =
					(struct hp_frame){.sp = roll(32) * 8, .entity = roll(4)};
			shadow.depth = (__u32)roll(HP_SHADOW_DEPTH + 1);
		}
		before = shadow.depth;
		dropped = hp_shadow_resync(&shadow, sp, roll(2));
		assert_int_equal(shadow.depth + dropped, before);
		frame = hp_shadow_push(&shadow, sp, (__u32)roll(4));
		assert_true(frame ? frame == &shadow.frames[shadow.depth - 1]
				  : shadow.depth == HP_SHADOW_DEPTH);
		frame = hp_shadow_match(&shadow, roll(32) * 8, (__u32)roll(4), &dropped);
		if (frame) {
			assert_ptr_equal(frame, &shadow.frames[shadow.depth - 1]);
			assert_true(hp_shadow_pop(&shadow, frame, roll(1000), roll(9)) < 1000);
		}
		assert_true(shadow.depth <= HP_SHADOW_DEPTH);
	}
	assert_int_equal(hp_shadow_drop(NULL, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_and_tail_calls),
		cmocka_unit_test(test_with_unwinding),
		cmocka_unit_test(test_foreign_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
