/*
 * Calls in progress: the iterator on the simulated machine, read by user space's own parser, while the thread
 * that is read goes on calling and returning.
 */
#include <stdlib.h>

#include "caller.h"
#include "domains/functions/functions_flight.c"

static struct caller caller;
static struct seq_file seq;
static uint8_t modes[HOST_ENTITIES];
static struct hp_functions_flight flight;

static int setup(void **state)
{
	host_reset();
	memset(truth, 0, sizeof(truth));
	memset(&seq, 0, sizeof(seq));
	memset(modes, HP_MODE_RETURN, sizeof(modes));
	caller_init(&caller, 0);
	return 0;
}

static int teardown(void **state)
{
	hp_functions_flight_deinit(&flight);
	memset(&flight, 0, sizeof(flight));
	return 0;
}

static uint8_t mode_of(const void *arg, uint32_t entity)
{
	return modes[entity];
}

/* The thread is in the kernel, @words below its innermost call. */
static void stop_at(unsigned words)
{
	__u64 *sp = caller.thread->stack + HOST_WORDS - 2;

	if (caller.depth)
		sp = caller.calls[caller.depth - 1].sp;
	caller.thread->regs.sp = (unsigned long)(sp - words);
}

static void read_thread(void)
{
	struct bpf_iter_meta meta = {.seq = &seq};
	struct bpf_iter__task ctx = {.meta = &meta, .task = &caller.thread->task};
	const struct hp_flight_context context = {
		.nentities = HOST_ENTITIES, .mode_of = mode_of, .controls = host.controls};

	seq.len = seq.writes = 0;
	hp_function_flight(&ctx);
	hp_functions_flight_begin(&flight, host.now_ns);
	assert_int_equal(hp_functions_flight_add(&flight, &context, seq.data, seq.len), seq.len);
	hp_functions_flight_end(&flight);
}

/* All that is believed is true: entity and age, in this order, of calls that the program is in. */
static void assert_true_calls(size_t n)
{
	size_t at = 0;

	assert_int_equal(flight.frames.len, n);
	for (size_t i = 0; i < flight.frames.len; i++) {
		const struct hp_flight_frame *frame = &flight.frames.data[i];

		while (at < caller.depth &&
		       (caller.calls[at].entity != frame->entity ||
			host.now_ns - caller.calls[at].entry_ns != frame->elapsed_ns))
			at++;
		assert_true(at < caller.depth);
		at++;
	}
}

static void test_chain(void **state)
{
	read_thread();
	assert_int_equal(seq.len, 0); /* never called anything: nothing is written */
	for (unsigned i = 0; i < 5; i++) {
		do_call(&caller, 1 + i % 3, i % 2 ? RETURN_PROBE : SESSION, 3);
		host.now_ns += 10;
		stop_at(4);
		read_thread();
		assert_true_calls(caller.depth);
	}
	assert_int_equal(flight.calls.data[0].tid, 100);
	for (unsigned i = 0; i < 5; i++) {
		do_return(&caller);
		stop_at(4);
		read_thread();
		assert_true_calls(caller.depth);
		assert_int_equal(flight.gone + flight.moving, 0);
	}
	assert_int_equal(seq.len, 0);
	caller.thread->task.tgid++; /* another process */
	do_call(&caller, 1, RETURN_PROBE, 3);
	read_thread();
	assert_int_equal(seq.len, 0);
}

/* Probes on ret leave the return address alone. */
static void test_exits_and_tail_calls(void **state)
{
	modes[2] = HP_MODE_EXITS;
	do_call(&caller, 1, RETURN_PROBE, 3);
	host.now_ns += 10;
	do_call(&caller, 2, EXIT_PROBES, 3);
	host.now_ns += 10;
	do_call(&caller, 3, RETURN_PROBE, 3);
	host.now_ns += 10;
	do_tail_call(&caller, 4, RETURN_PROBE);
	stop_at(4);
	read_thread();
	assert_true_calls(4);
	host.controls[2].generation = 0; /* its probes are gone: nobody would see the end */
	read_thread();
	assert_true_calls(3);
	assert_int_equal(flight.gone, 1);
}

static void test_unwound(void **state)
{
	for (unsigned i = 1; i <= 4; i++) {
		do_call(&caller, i, RETURN_PROBE, 3);
		host.now_ns += 10;
	}
	do_unwind(&caller, 2);
	stop_at(1);
	read_thread();
	assert_true_calls(2);
	assert_int_equal(flight.gone, 2);
	/* The stack is used again, by calls that nobody probes. */
	for (unsigned i = 1; i <= 8; i++)
		caller.calls[caller.depth - 1].sp[-(int)i] = 0x402000;
	stop_at(8);
	read_thread();
	assert_true_calls(2);
	assert_int_equal(flight.gone, 2);
}

/* A return whose probe was taken away: the frame stays, the return address does not. */
static void test_unseen_return(void **state)
{
	do_call(&caller, 1, RETURN_PROBE, 3);
	do_call(&caller, 2, RETURN_PROBE, 3);
	*caller.calls[1].sp = 0x403000;
	caller.depth--;
	stop_at(20);
	read_thread();
	assert_true_calls(1);
	assert_int_equal(flight.gone, 1);
}

/* Runs between any two writes of the iterator. */
static unsigned rounds, act_at, act;

static void meanwhile(unsigned writes)
{
	if (writes != act_at)
		return;
	host.now_ns += 5;
	for (unsigned i = 0; i < rounds && caller.depth; i++) {
		if (act & 1)
			do_return(&caller);
		if (act & 2)
			do_call(&caller, 1 + (act + i) % 5, RETURN_PROBE, 3);
		if (act & 4)
			do_call(&caller, 6, RETURN_PROBE, 5);
		host.now_ns += 5;
	}
}

/* Shown call @i is one that the thread was in before, or one that it has begun since: that has no age. */
static bool was_in(const struct caller *before, size_t i, __u64 now)
{
	const struct hp_flight_frame *shown = &flight.frames.data[i];
	const struct call *old = &before->calls[i], *young = &caller.calls[i];

	if (i < before->depth && shown->entity == old->entity &&
	    now - shown->elapsed_ns == old->entry_ns)
		return true;
	return i < caller.depth && shown->entity == young->entity && shown->elapsed_ns == 0 &&
	       young->entry_ns >= now;
}

/* Whatever the thread does meanwhile, no call is made up, and one that goes on all the time is shown. */
static void test_running_thread(void **state)
{
	static struct caller before;

	for (act = 0; act < 8; act++) {
		for (act_at = 0; act_at < 8; act_at++) {
			for (rounds = 1; rounds <= 3; rounds++) {
				size_t stayed = 0;
				__u64 now;

				setup(state);
				for (unsigned i = 1; i <= 4; i++) {
					do_call(&caller, i, RETURN_PROBE, 3);
					host.now_ns += 10;
				}
				caller.thread->regs.sp = (unsigned long)caller.thread->stack;
				before = caller;
				now = host.now_ns;
				seq.meanwhile = meanwhile;
				read_thread();
				for (size_t i = 0; i < flight.frames.len; i++)
					assert_true(was_in(&before, i, now));
				while (stayed < 4 && stayed < caller.depth &&
				       caller.calls[stayed].entry_ns ==
					       before.calls[stayed].entry_ns)
					stayed++;
				assert_true(flight.frames.len >=
					    stayed); /* those are missing in no case */
			}
		}
	}
}

#define WITH_HOST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_HOST(test_chain),          WITH_HOST(test_exits_and_tail_calls),
		WITH_HOST(test_unwound),        WITH_HOST(test_unseen_return),
		WITH_HOST(test_running_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
