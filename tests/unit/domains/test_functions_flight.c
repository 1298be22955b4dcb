/* Calls in progress: which frames of a thread that was read while it ran are believed. */
#include "domains/functions/functions_flight.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/plan.h"

#define TRAMPOLINE 0x7fffffffe000ull
#define NOW        1000000ull
#define ENTITIES   6

static uint8_t modes[ENTITIES] = {[4] = HP_MODE_EXITS, [5] = HP_MODE_EXITS};
static struct hp_control controls[ENTITIES];

static uint8_t mode_of(const void *arg, uint32_t entity)
{
	return modes[entity];
}

static const struct hp_flight_context context = {
	.nentities = ENTITIES, .mode_of = mode_of, .controls = controls};
static struct hp_functions_flight flight;

/* One thread as the iterator writes it; the test changes what it wants before it is sent. */
struct thread {
	struct hp_flight_head head;
	struct hp_shadow copies[2];
	uint64_t returns[HP_SHADOW_DEPTH];
	uint32_t nframes;
};

static int setup(void **state)
{
	for (unsigned i = 0; i < ENTITIES; i++)
		controls[i].generation = 1;
	hp_functions_flight_begin(&flight, NOW);
	return 0;
}

static int teardown(void **state)
{
	hp_functions_flight_deinit(&flight);
	return 0;
}

/* Entity @entities[i] is called at stack pointer 0x9000 - 0x100 i and time 1000 (i + 1). */
static struct thread thread_of(uint32_t tid, const uint32_t *entities, uint32_t n)
{
	struct thread thread = {
		.head = {.hdr = {.kind = HP_EVENT_FLIGHT, .tid = tid, .ts_ns = NOW},
			 .sp = 0x9000 - 0x100 * (uint64_t)n,
			 .trampoline = TRAMPOLINE,
			 .bytes = 8 + (uint32_t)sizeof(struct hp_frame) * n},
		.nframes = n,
	};

	for (int copy = 0; copy < 2; copy++) {
		thread.copies[copy].depth = n;
		for (uint32_t i = 0; i < n; i++)
			thread.copies[copy].frames[i] =
				(struct hp_frame){.sp = 0x9000 - 0x100 * (uint64_t)i,
						  .entry_ns = 1000 * (i + 1),
						  .child_ns = 7 * (uint64_t)copy,
						  .entity = entities[i]};
	}
	for (uint32_t i = 0; i < n; i++)
		thread.returns[i] = entities[i] < 4 ? TRAMPOLINE : 0x401000;
	return thread;
}

static size_t bytes_of(const struct thread *thread, char *buf)
{
	size_t at = sizeof(thread->head);

	memcpy(buf, &thread->head, at);
	for (int copy = 0; copy < 2; copy++, at += thread->head.bytes)
		memcpy(buf + at, &thread->copies[copy], thread->head.bytes);
	memcpy(buf + at, thread->returns, thread->nframes * sizeof(uint64_t));
	return at + thread->nframes * sizeof(uint64_t);
}

static void send(const struct thread *thread)
{
	char buf[HP_FLIGHT_MAX_SIZE];
	size_t size = bytes_of(thread, buf);

	assert_int_equal(hp_functions_flight_add(&flight, &context, buf, size), size);
}

static void assert_frames(const uint32_t *entities, size_t n)
{
	assert_int_equal(flight.frames.len, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(flight.frames.data[i].entity, entities[i]);
}

static void test_chain(void **state)
{
	static const uint32_t first[] = {1, 2, 2, 4}, second[] = {2};
	struct thread thread = thread_of(70, first, 4);
	const struct hp_flight_call *call;
	size_t n;

	send(&thread);
	thread = thread_of(71, second, 1);
	thread.copies[0].frames[0].entry_ns = thread.copies[1].frames[0].entry_ns = 10;
	send(&thread);
	hp_functions_flight_end(&flight);
	assert_int_equal(flight.threads, 2);
	assert_int_equal(flight.gone + flight.moving + flight.left_out, 0);
	call = hp_functions_flight_find(&flight, 2, &n);
	assert_int_equal(n, 3);
	assert_int_equal(call->tid, 71); /* it runs longest */
	assert_int_equal(call->elapsed_ns, NOW - 10);
	assert_int_equal(call->nframes, 1);
	assert_int_equal(flight.frames.data[call->outermost].entity, 2);
	call = hp_functions_flight_find(&flight, 4, &n);
	assert_int_equal(n, 1);
	assert_int_equal(call->nframes, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(flight.frames.data[call->outermost + i].entity, first[i]);
		assert_int_equal(flight.frames.data[call->outermost + i].elapsed_ns,
				 NOW - 1000 * (i + 1));
	}
	for (uint32_t entity = 0; entity < 8; entity++) {
		call = hp_functions_flight_find(&flight, entity, &n);
		assert_true((call != NULL) == (entity == 1 || entity == 2 || entity == 4));
	}
	/* The next reading starts afresh. */
	hp_functions_flight_begin(&flight, NOW + 1);
	hp_functions_flight_end(&flight);
	assert_null(hp_functions_flight_find(&flight, 2, &n));
	assert_int_equal(flight.threads, 0);
}

/* A frame that changes between the copies is not shown, nor what lies in it. */
static void test_moving(void **state)
{
	static const uint32_t entities[] = {1, 2, 3};
	struct thread thread;

	for (int field = 0; field < 4; field++) {
		struct hp_frame *frame = &thread.copies[1].frames[1];

		hp_functions_flight_begin(&flight, NOW);
		thread = thread_of(70, entities, 3);
		if (field == 0)
			frame->sp += 8;
		else if (field == 1)
			frame->entry_ns++;
		else if (field == 2)
			frame->entity = 3;
		else /* its entry time is still to come */
			frame->entry_ns = thread.copies[0].frames[1].entry_ns = 0;
		send(&thread);
		assert_frames(entities, 1);
		assert_int_equal(flight.moving, 2);
	}
	/* It returned, or called, between the copies. */
	hp_functions_flight_begin(&flight, NOW);
	thread = thread_of(70, entities, 3);
	thread.copies[1].depth = 1;
	send(&thread);
	assert_frames(entities, 1);
	assert_int_equal(flight.moving, 2);
	thread.copies[0].depth = 0;
	send(&thread);
	assert_int_equal(flight.threads, 1);
}

/* Frames whose return was never seen. */
static void test_gone(void **state)
{
	static const uint32_t entities[] = {1, 2, 4, 3, 5}, left[] = {1, 4, 3};
	struct thread thread = thread_of(70, entities, 5);

	thread.returns[1] = 0x401234; /* written over: it is no return address any more */
	controls[5].generation = 0;   /* its probes were taken away */
	send(&thread);
	assert_frames(left, 3);
	assert_int_equal(flight.gone, 2);

	/* The stack was unwound to between the second and third frame. */
	hp_functions_flight_begin(&flight, NOW);
	thread = thread_of(70, entities, 5);
	thread.head.sp = 0x9000 - 0x180;
	send(&thread);
	assert_frames(entities, 2);
	assert_int_equal(flight.gone, 3);

	/* No such function; and a kernel without a trampoline has no returns pending. */
	hp_functions_flight_begin(&flight, NOW);
	thread = thread_of(70, entities, 2);
	thread.copies[0].frames[0].entity = thread.copies[1].frames[0].entity = ENTITIES;
	thread.copies[0].frames[1].entity = thread.copies[1].frames[1].entity = 0;
	send(&thread);
	thread = thread_of(70, entities, 1);
	thread.head.trampoline = thread.returns[0] = 0;
	send(&thread);
	assert_frames(NULL, 0);
	assert_int_equal(flight.gone, 3);
}

/* Reads may end anywhere; what is no thread is refused. */
static void test_pieces(void **state)
{
	static const uint32_t entities[] = {1, 2, 3};
	struct thread thread = thread_of(70, entities, 3);
	char buf[HP_FLIGHT_MAX_SIZE];
	size_t size = bytes_of(&thread, buf);
	static const uint32_t bad[] = {0, 7, 9, 39, 8 + 48 * 65, UINT32_MAX};

	for (size_t cut = 0; cut < size; cut++) {
		char *exact = malloc(cut + 1);

		memcpy(exact, buf, cut);
		assert_int_equal(hp_functions_flight_add(&flight, &context, exact, cut), 0);
		free(exact);
	}
	assert_frames(NULL, 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		thread.head.bytes = bad[i];
		memcpy(buf, &thread.head, sizeof(thread.head));
		assert_int_equal(hp_functions_flight_add(&flight, &context, buf, size), -EBADMSG);
	}
	thread.head.bytes = 8;
	thread.head.hdr.kind = HP_EVENT_CALL;
	memcpy(buf, &thread.head, sizeof(thread.head));
	assert_int_equal(hp_functions_flight_add(&flight, &context, buf, size), -EBADMSG);
}

static void test_bound(void **state)
{
	static const uint32_t entities[HP_SHADOW_DEPTH] = {[0 ... HP_SHADOW_DEPTH - 1] = 1};
	struct thread thread = thread_of(70, entities, HP_SHADOW_DEPTH);
	size_t n;

	for (size_t i = 0; i <= HP_FLIGHT_MAX_CALLS / HP_SHADOW_DEPTH; i++)
		send(&thread);
	hp_functions_flight_end(&flight);
	assert_int_equal(flight.left_out, HP_SHADOW_DEPTH);
	hp_functions_flight_find(&flight, 1, &n);
	assert_int_equal(n, HP_FLIGHT_MAX_CALLS);
}

#define WITH_FLIGHT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/*
 * A goroutine: distances from the stack's end, no return addresses of ours, no thread. Where it waits, what lies below its own
 * stack pointer was left by a panic; where it runs, nothing is known of that.
 */
static void test_goroutine(void **state)
{
	static const uint32_t entities[] = {4, 5, 5}, outer[] = {4, 5};
	struct thread thread;

	modes[4] = modes[5] = HP_MODE_GO;
	for (uint64_t waits = 0; waits < 2; waits++) {
		hp_functions_flight_begin(&flight, NOW);
		thread = thread_of(0, entities, 3);
		for (int copy = 0; copy < 2; copy++) {
			for (uint32_t i = 0; i < 3; i++)
				thread.copies[copy].frames[i].sp = -0x100ull * (i + 1);
		}
		memset(thread.returns, 0, sizeof(thread.returns));
		thread.head.trampoline = 0;
		thread.head.sp = waits ? -0x280ull : 0;
		send(&thread);
		hp_functions_flight_end(&flight);
		assert_frames(waits ? outer : entities, waits ? 2 : 3);
		assert_int_equal(flight.gone, waits);
		assert_int_equal(flight.calls.data[0].tid, 0);
	}
	/* Its probes have been taken away. */
	controls[5].generation = 0;
	hp_functions_flight_begin(&flight, NOW);
	send(&thread);
	assert_frames(entities, 1);
	modes[4] = modes[5] = HP_MODE_EXITS;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FLIGHT(test_chain),     WITH_FLIGHT(test_moving), WITH_FLIGHT(test_gone),
		WITH_FLIGHT(test_goroutine), WITH_FLIGHT(test_pieces), WITH_FLIGHT(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
