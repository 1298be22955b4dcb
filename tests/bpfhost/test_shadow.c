/*
 * The shadow stack and the programs around it: counts and durations always exact, self times where
 * they can be.
 */
#include "caller.h"

static struct caller caller;

static int setup(void **state)
{
	host_reset();
	memset(truth, 0, sizeof(truth));
	caller_init(&caller, 0);
	return 0;
}

static void pass(__u64 ns)
{
	host.now_ns += ns;
}

static void assert_cell(__u32 entity, __u64 count, __u64 sum_ns, __u64 self_ns)
{
	assert_int_equal(host.cells[entity].count, count);
	assert_int_equal(host.cells[entity].sum_ns, sum_ns);
	assert_int_equal(host.cells[entity].self_ns, self_ns);
}

static void assert_losses(__u64 superseded, __u64 unmatched, __u64 full)
{
	assert_int_equal(host.stats[HP_STAT_SHADOW_SUPERSEDED], superseded);
	assert_int_equal(host.stats[HP_STAT_RETURN_UNMATCHED], unmatched);
	assert_int_equal(host.stats[HP_STAT_SHADOW_FULL], full);
}

/* main 5 + (f 10 + (g 20) + 30 + (g 40)) + 50 */
static void test_nested_calls(void **state)
{
	do_call(&caller, 1, RETURN_PROBE, 1);
	pass(5);
	do_call(&caller, 2, RETURN_PROBE, 4);
	pass(10);
	do_call(&caller, 3, RETURN_PROBE, 4);
	pass(20);
	do_return(&caller);
	pass(30);
	do_call(&caller, 3, RETURN_PROBE, 7);
	pass(40);
	do_return(&caller);
	do_return(&caller);
	pass(50);
	do_return(&caller);

	assert_cell(3, 2, 60, 60);
	assert_cell(2, 1, 100, 40);
	assert_cell(1, 1, 155, 55);
	assert_int_equal(host.cells[3].max_ns, 40);
	assert_int_equal(~host.cells[3].inv_min, 20);
	assert_int_equal(host.threads[0].shadow.depth, 0);
	assert_losses(0, 0, 0);
	assert_int_equal(host.nevents, 4);
	assert_int_equal(host.stats[HP_STAT_RECORDS], 4);
	assert_int_equal(host.events[0].duration_ns, 20);
	assert_int_equal(host.events[0].entity, 3);
	assert_int_equal(host.events[0].parent, 2);
	assert_int_equal(host.events[0].hdr.tid, 100);
	assert_int_equal(host.events[0].hdr.ts_ns, 1000035);
	assert_int_equal(host.events[3].duration_ns, 155);
	assert_int_equal(host.events[3].parent, 0);
}

/* Every level counts with all that is below it: 3 + 2 + 1 times 10 ns. */
static void test_recursion(void **state)
{
	for (int i = 0; i < 3; i++) {
		do_call(&caller, 1, RETURN_PROBE, 2);
		pass(10);
	}
	while (caller.depth)
		do_return(&caller);
	assert_cell(1, 3, 60, 30);
	assert_int_equal(host.cells[1].max_ns, 30);
	assert_int_equal(~host.cells[1].inv_min, 10);
	assert_losses(0, 0, 0);
}

/* 1 jumps to 2, which jumps to 3: one return ends all three, the innermost first (trap:U8). */
static void test_tail_calls(void **state)
{
	do_call(&caller, 4, RETURN_PROBE, 1);
	do_call(&caller, 1, RETURN_PROBE, 3);
	pass(1);
	do_tail_call(&caller, 2, RETURN_PROBE);
	pass(2);
	do_tail_call(&caller, 3, RETURN_PROBE);
	pass(4);
	assert_int_equal(host.threads[0].shadow.depth, 4);
	do_return(&caller);
	assert_cell(3, 1, 4, 4);
	assert_cell(2, 1, 6, 2);
	assert_cell(1, 1, 7, 1);
	do_return(&caller);
	assert_cell(4, 1, 7, 0);
	assert_losses(0, 0, 0);
}

/* The probe at the jump ends the first call before the second begins. */
static void test_tail_calls_between_exit_probes(void **state)
{
	do_call(&caller, 1, EXIT_PROBES, 3);
	pass(1);
	do_tail_call(&caller, 2, EXIT_PROBES);
	pass(2);
	do_return(&caller);
	assert_cell(1, 1, 1, 1);
	assert_cell(2, 1, 2, 2);
	assert_losses(0, 0, 0);
}

/*
 * A function in a loop: each call finds the same stack pointer, and none is a tail call of the one
 * before.
 */
static void test_same_stack_pointer(void **state)
{
	for (int i = 0; i < 100; i++) {
		do_call(&caller, 1, EXIT_PROBES, 3);
		pass(10);
		do_return(&caller);
	}
	assert_cell(1, 100, 1000, 1000);
	assert_losses(0, 0, 0);

	/* Its return is never seen: the next call at the same place replaces it. */
	for (int i = 0; i < 3; i++) {
		do_call(&caller, 2, EXIT_PROBES, 3);
		do_unwind(&caller, 1);
	}
	assert_int_equal(host.threads[0].shadow.depth, 1);
	assert_int_equal(host.cells[2].hits, 3);
	assert_cell(2, 0, 0, 0);
	assert_losses(2, 0, 0);
}

static void test_longjmp(void **state)
{
	do_call(&caller, 1, RETURN_PROBE, 1);
	pass(10);
	for (int i = 0; i < 20; i++)
		do_call(&caller, 2, RETURN_PROBE, 3);
	pass(100);
	do_unwind(&caller, 20);
	assert_int_equal(caller.depth, 1);
	/* The next call above the frames that are gone drops them all. */
	do_call(&caller, 3, RETURN_PROBE, 2);
	assert_int_equal(host.threads[0].shadow.depth, 2);
	assert_losses(20, 0, 0);
	pass(1000);
	do_return(&caller);
	do_return(&caller);
	assert_cell(1, 1, 1110, 110);
	assert_cell(2, 0, 0, 0);
	assert_cell(3, 1, 1000, 1000);
	assert_losses(20, 0, 0);
}

/* No call follows: the return of the function that caught drops what is below. */
static void test_exception_then_return(void **state)
{
	do_call(&caller, 1, EXIT_PROBES, 1);
	for (int i = 0; i < 5; i++)
		do_call(&caller, 2, EXIT_PROBES, 3);
	pass(7);
	do_unwind(&caller, 5);
	do_return(&caller);
	assert_cell(1, 1, 7, 7);
	assert_int_equal(host.threads[0].shadow.depth, 0);
	assert_losses(5, 0, 0);
}

/* Unwinding through a tail call: both frames at its stack pointer are gone. */
static void test_unwound_tail_call(void **state)
{
	do_call(&caller, 1, RETURN_PROBE, 1);
	do_call(&caller, 2, RETURN_PROBE, 3);
	do_tail_call(&caller, 3, RETURN_PROBE);
	do_unwind(&caller, 1);
	assert_int_equal(caller.left, 2);
	do_call(&caller, 4, RETURN_PROBE, 3);
	pass(9);
	do_return(&caller);
	do_return(&caller);
	assert_cell(4, 1, 9, 9);
	assert_cell(1, 1, 9, 0);
	assert_losses(2, 0, 0);
}

static void test_depth_overflow(void **state)
{
	for (unsigned i = 0; i < HP_SHADOW_DEPTH + 6; i++) {
		do_call(&caller, i < HP_SHADOW_DEPTH ? 1 : 2, EXIT_PROBES, 2);
		pass(1);
	}
	assert_int_equal(host.threads[0].shadow.depth, HP_SHADOW_DEPTH);
	assert_losses(0, 0, 6);
	while (caller.depth)
		do_return(&caller);
	/*
	 * The six have no entry time, so they are counted and not timed; the 64 are exact: 70 + 69
	 * ... + 7.
	 */
	assert_int_equal(host.cells[2].hits, 6);
	assert_cell(2, 0, 0, 0);
	assert_int_equal(host.cells[1].count, HP_SHADOW_DEPTH);
	assert_int_equal(host.cells[1].sum_ns, 70 * 71 / 2 - 6 * 7 / 2);
	assert_losses(0, 6, 6);
	assert_int_equal(host.threads[0].shadow.depth, 0);
}

static void test_mismatched_returns(void **state)
{
	struct call stray = {.entity = 2, .ending = RETURN_PROBE};

	/* It was entered before we came. */
	stray.sp = caller.thread->stack + 100;
	fire_end(&caller, &stray);
	assert_losses(0, 1, 0);

	/*
	 * Another function's return at the same place leaves the frame alone, and so does one
	 * further in.
	 */
	do_call(&caller, 1, RETURN_PROBE, 10);
	pass(5);
	stray.sp = caller.calls[0].sp;
	fire_end(&caller, &stray);
	stray.sp = caller.calls[0].sp - 4;
	fire_end(&caller, &stray);
	assert_losses(0, 3, 0);
	assert_int_equal(host.threads[0].shadow.depth, 1);
	do_return(&caller);
	assert_cell(1, 1, 5, 5);
	assert_cell(2, 0, 0, 0);

	/* A second return of the same call is none. */
	caller.calls[0].cookie = 0;
	fire_end(&caller, &caller.calls[0]);
	assert_cell(1, 1, 5, 5);
	assert_losses(0, 4, 0);
	assert_int_equal(host.nevents, 1);
}

static void test_clock_that_stands_still(void **state)
{
	do_call(&caller, 1, RETURN_PROBE, 1);
	do_return(&caller);
	assert_cell(1, 1, 0, 0);
	assert_int_equal(~host.cells[1].inv_min, 0);
	assert_losses(0, 0, 0);
}

/* Sessions keep the entry time themselves: no storage costs the self time, never the duration. */
static void test_session_without_storage(void **state)
{
	host.no_storage = true;
	do_call(&caller, 1, SESSION, 1);
	pass(3);
	do_call(&caller, 2, SESSION, 4);
	pass(4);
	do_return(&caller);
	do_return(&caller);
	assert_cell(1, 1, 7, 7);
	assert_cell(2, 1, 4, 4);
	assert_int_equal(host.events[0].parent, 0);
	assert_int_equal(host.stats[HP_STAT_SHADOW_MISSING], 2);
}

static void test_session_depth(void **state)
{
	for (unsigned i = 0; i < HP_SHADOW_DEPTH + 5; i++) {
		do_call(&caller, 1, SESSION, 2);
		pass(1);
	}
	while (caller.depth)
		do_return(&caller);
	assert_int_equal(host.cells[1].hits, HP_SHADOW_DEPTH + 5);
	assert_int_equal(host.cells[1].count, HP_SHADOW_DEPTH);
	assert_int_equal(host.stats[HP_STAT_RETURN_TOO_DEEP], 5);
	assert_losses(0, 0, 0);
}

/* Of programs without sessions only the one whose end is a return probe needs the kernel's levels. */
static void test_depth_of_pairs(void **state)
{
	struct pt_regs regs = {.cookie = HP_COOKIE(1, 1)};

	regs.sp = (unsigned long)(caller.thread->stack + 100);
	caller.thread->utask.depth = HP_SHADOW_DEPTH;
	hp_function_paired(&regs);
	assert_int_equal(host.cells[1].hits, 1);
	assert_int_equal(host.stats[HP_STAT_RETURN_TOO_DEEP], 1);
	assert_int_equal(caller.thread->shadow.depth, 0);
	hp_function_entry(&regs);
	assert_int_equal(host.cells[1].hits, 2);
	assert_int_equal(host.stats[HP_STAT_RETURN_TOO_DEEP], 1);
	assert_int_equal(caller.thread->shadow.depth, 1);
}

/* More CPUs than rings: they share. */
static void test_ring_of_cpu(void **state)
{
	for (__u32 rings = 1; rings <= 5; rings++) {
		hp_config.nrings = rings;
		for (host.cpu = 0; host.cpu < 12; host.cpu++) {
			hp_ring();
			assert_int_equal(host.ring, host.cpu % rings);
		}
	}
}

static void test_session_when_the_daemon_is_late(void **state)
{
	do_call(&caller, 1, SESSION, 1);
	hp_alive_until_ns = host.now_ns;
	pass(1);
	do_call(&caller, 2, SESSION, 4);
	assert_int_equal(caller.thread->shadow.depth, 1); /* it left no frame */
	do_return(&caller);
	do_return(&caller);
	assert_int_equal(host.stats[HP_STAT_PAUSED], 1);
	assert_int_equal(host.cells[2].hits, 1);
	assert_cell(2, 0, 0, 0);
	assert_cell(1, 1, 1, 1); /* one that began in time ends in time */
	assert_losses(0, 0, 0);
}

static void test_not_current(void **state)
{
	struct pt_regs regs = {.cookie = HP_COOKIE(1, 7)};

	regs.sp = (unsigned long)(caller.thread->stack + 100);
	hp_function_entry(&regs); /* generation 7 of a function that is at 1 */
	hp_function_count(&regs);
	assert_int_equal(host.cells[1].hits, 0);
	host.controls[1].generation = 7;
	hp_function_count(&regs);
	assert_int_equal(host.cells[1].hits, 1);
	regs.cookie = HP_COOKIE(HOST_ENTITIES, 7); /* no such function */
	hp_function_count(&regs);
	hp_function_return(&regs);

	/* Another process, which has inherited the breakpoints by fork (trap:U12). */
	caller.thread->task.tgid++;
	do_call(&caller, 2, EXIT_PROBES, 1);
	do_return(&caller);
	assert_int_equal(host.cells[2].hits, 0);
	assert_int_equal(host.threads[0].shadow.depth, 0);
	assert_losses(0, 0, 0);
}

/* A handler whose stack lies above the one that it interrupts: counted, and the interrupted call stays as it is. */
static void test_signal_stack_above(void **state)
{
	struct return_instance interrupted;
	struct call *outer;

	do_call(&caller, 1, SESSION, 200);
	outer = &caller.calls[0];
	interrupted.stack = (unsigned long)outer->sp;
	caller.thread->utask.return_instances = &interrupted;
	caller.thread->task.sas_ss_sp = (unsigned long)(caller.thread->stack + HOST_WORDS - 64);
	caller.thread->task.sas_ss_size = 64 * sizeof(__u64);
	pass(3);
	for (enum ending ending = RETURN_PROBE; ending <= SESSION; ending++) {
		struct pt_regs regs = {.cookie = HP_COOKIE(2, 1)};
		__u64 cookie = 0;

		regs.sp = (unsigned long)(caller.thread->stack + HOST_WORDS - 8);
		host.session_return = false;
		host.session_cookie = &cookie;
		if (ending == SESSION)
			assert_int_equal(hp_function_session(&regs), 1);
		else
			hp_function_entry(&regs);
		if (ending == EXIT_PROBES)
			hp_function_exit(&regs);
		assert_int_equal(host.threads[0].shadow.depth, 1);
	}
	caller.thread->task.sas_ss_size = 0;
	do_return(&caller);
	assert_cell(1, 1, 3, 3);
	assert_int_equal(host.cells[2].hits, 3);
	assert_cell(2, 0, 0, 0);
	assert_int_equal(host.stats[HP_STAT_SIGNAL_STACK], 3);
	assert_losses(0, 0, 0);
}

static void test_ring_full(void **state)
{
	do_call(&caller, 1, RETURN_PROBE, 1);
	pass(8);
	host.ring_full = true;
	do_return(&caller);
	assert_cell(1, 1, 8, 8);
	assert_int_equal(host.cells[1].lost, 1);
	assert_int_equal(host.stats[HP_STAT_RING_FULL], 1);
	assert_int_equal(host.stats[HP_STAT_RECORDS], 0);
	assert_int_equal(host.nevents, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nested_calls, setup),
		cmocka_unit_test_setup(test_recursion, setup),
		cmocka_unit_test_setup(test_tail_calls, setup),
		cmocka_unit_test_setup(test_tail_calls_between_exit_probes, setup),
		cmocka_unit_test_setup(test_same_stack_pointer, setup),
		cmocka_unit_test_setup(test_longjmp, setup),
		cmocka_unit_test_setup(test_exception_then_return, setup),
		cmocka_unit_test_setup(test_unwound_tail_call, setup),
		cmocka_unit_test_setup(test_depth_overflow, setup),
		cmocka_unit_test_setup(test_mismatched_returns, setup),
		cmocka_unit_test_setup(test_clock_that_stands_still, setup),
		cmocka_unit_test_setup(test_session_without_storage, setup),
		cmocka_unit_test_setup(test_session_depth, setup),
		cmocka_unit_test_setup(test_depth_of_pairs, setup),
		cmocka_unit_test_setup(test_ring_of_cpu, setup),
		cmocka_unit_test_setup(test_session_when_the_daemon_is_late, setup),
		cmocka_unit_test_setup(test_not_current, setup),
		cmocka_unit_test_setup(test_signal_stack_above, setup),
		cmocka_unit_test_setup(test_ring_full, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
