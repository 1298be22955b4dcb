/*
 * Arguments and results on the simulated machine: random programs that recurse, jump and unwind, whose calls carry
 * their number as argument and result. Arguments may be lost where a thread is in too many calls, which is
 * counted, but never go with another call.
 */
#include "caller.h"

#define STEPS 20000

static struct caller caller;
static uint64_t seed;
static uint64_t nvalues, nlost;

static uint64_t roll(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static void check_values(const struct hp_values_event *event)
{
	const struct call *call = &caller.calls[caller.depth - 1];

	nvalues++;
	assert_int_equal(event->call.hdr.kind, HP_EVENT_VALUES);
	assert_int_equal(event->call.entity, call->entity);
	assert_int_equal(event->words[HP_WORD_RAX], 3 * call->number);
	if (!event->entry_ns) {
		nlost++;
		return;
	}
	assert_int_equal(event->entry_ns, call->entry_ns);
	assert_int_equal(event->words[0], call->number);
	assert_int_equal(event->words[1], ~call->number);
}

static int setup(void **state)
{
	host_reset();
	memset(truth, 0, sizeof(truth));
	caller_init(&caller, 0);
	nvalues = nlost = 0;
	host.got_values = check_values;
	for (unsigned i = 1; i < HOST_ENTITIES; i += 2)
		host.has_spec[i] = true;
	return 0;
}

static void run(uint64_t with, size_t deepest)
{
	static const enum ending endings[] = {RETURN_PROBE, EXIT_PROBES, SESSION};

	seed = with * 0x9e3779b97f4a7c15ull + 1;
	for (unsigned i = 0; i < STEPS; i++) {
		__u32 entity = 1 + (__u32)roll(HOST_ENTITIES - 1);
		uint64_t what = roll(100);

		host.now_ns += 1 + roll(1000);
		if (what < 8)
			do_unwind(&caller, 1 + roll(6));
		else if (what < 55 && caller.depth < deepest)
			do_call(&caller, entity, endings[roll(3)], 1 + (unsigned)roll(16));
		else if (what < 60 && caller.depth < deepest && caller.depth)
			do_tail_call(&caller, entity, endings[roll(3)]);
		else if (caller.depth)
			do_return(&caller);
	}
}

static uint64_t ended_with_values(void)
{
	uint64_t n = 0;

	for (unsigned i = 1; i < HOST_ENTITIES; i += 2)
		n += truth[i].count;
	return n;
}

/* As deep as arguments are kept, none is lost. */
static void test_shallow_programs(void **state)
{
	for (uint64_t with = 1; with <= 20; with++) {
		setup(NULL);
		run(with, HP_VALUE_SLOTS / 2);
		assert_int_equal(nvalues, ended_with_values());
		assert_true(nvalues > STEPS / 10);
		assert_int_equal(nlost, 0);
		assert_int_equal(host.stats[HP_STAT_VALUES_PUSHED_OUT], 0);
	}
}

static void test_deep_programs(void **state)
{
	uint64_t lost = 0;

	for (uint64_t with = 1; with <= 20; with++) {
		setup(NULL);
		run(with, 28);
		assert_int_equal(nvalues, ended_with_values());
		assert_int_equal(host.stats[HP_STAT_VALUES_PUSHED_OUT], nlost);
		lost += nlost;
	}
	assert_true(lost > 0);
}

static void test_figures_are_those_of_others(void **state)
{
	setup(NULL);
	run(99, 28);
	for (unsigned i = 0; i < HOST_ENTITIES; i++) {
		assert_int_equal(host.cells[i].hits, truth[i].hits);
		assert_int_equal(host.cells[i].count, truth[i].count);
		assert_int_equal(host.cells[i].sum_ns, truth[i].sum_ns);
	}
}

static void test_full_ring_is_counted(void **state)
{
	setup(NULL);
	host.ring_full = true;
	do_call(&caller, 1, SESSION, 4);
	do_return(&caller);
	assert_int_equal(nvalues, 0);
	assert_int_equal(host.cells[1].lost, 1);
	assert_int_equal(host.stats[HP_STAT_RING_FULL], 1);
}

/* Words of the stack, and texts there with and without an end. */
static void test_stack_and_texts(void **state)
{
	__u64 *top = host.threads[0].stack + HOST_WORDS;
	char *text;

	setup(NULL);
	host.specs[1] = (struct hp_values_spec){.nstack = 2, .ntexts = 2};
	host.specs[1].texts[0] = (struct hp_value_text_spec){HP_WORD_REGS, HP_NO_WORD};
	host.specs[1].texts[1] = (struct hp_value_text_spec){HP_WORD_REGS, HP_WORD_REGS + 1};
	text = (char *)(top - 24);
	strcpy(text, "a text on the stack");
	do_call(&caller, 1, RETURN_PROBE, 32);
	caller.calls[0].sp[1] = (__u64)(uintptr_t)text;
	caller.calls[0].sp[2] = 6;
	fire_entry(&caller, &caller.calls[0]); /* once more, now with arguments */
	do_return(&caller);
	assert_int_equal(host.values.ntexts, 2);
	assert_int_equal(host.values.texts[0].state, HP_TEXT_WHOLE);
	assert_int_equal(host.values.texts[0].len, strlen("a text on the stack"));
	assert_memory_equal(host.values.texts[0].bytes, text, strlen(text));
	assert_int_equal(host.values.texts[1].len, 6);
	assert_memory_equal(host.values.texts[1].bytes, text, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shallow_programs),
		cmocka_unit_test(test_deep_programs),
		cmocka_unit_test(test_figures_are_those_of_others),
		cmocka_unit_test(test_full_ring_is_counted),
		cmocka_unit_test(test_stack_and_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
