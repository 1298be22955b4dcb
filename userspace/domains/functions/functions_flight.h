#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "hotpathd/abi/flight.h"
#include "hotpathd/abi/functions.h"

/*
 * Calls in progress, as one reading of the task iterator found them. A thread is read while it runs, so its
 * frames are believed only where
 *   - both copies of its shadow stack agree (abi/flight.h);
 *   - the stack has not been unwound past them (longjmp, exceptions): their stack pointer is not below
 *     the thread's own;
 *   - the kernel's trampoline still stands where their return address was, where a return probe sees the end. This
 *     also finds calls that have ended unseen, because the probe was taken away meanwhile. Functions whose end
 *     is seen by probes on ret have no such witness, and are dropped when their probes are.
 * Goroutines are read in the same way, from their map: their stack pointers are distances from the stack's upper end
 * (bpf/lib/goroutine.bpf.h), the own one of a goroutine that waits is what Go has saved, and that of one that runs is
 * unknown. Their thread is 0.
 * What is left of a call that longjmp skipped counts until other calls have written over its return address.
 * Pure; engine thread only.
 */
struct hp_flight_frame {
	uint32_t entity;
	uint64_t elapsed_ns;
};

struct hp_flight_call {
	uint32_t entity, tid;
	uint64_t elapsed_ns;
	size_t outermost; /* of its thread, in frames; the call itself is the last of nframes */
	uint32_t nframes;
};

#define HP_FLIGHT_MAX_CALLS 65536

struct hp_functions_flight {
	uint64_t read_ns; /* CLOCK_MONOTONIC, 0 = not read yet */
	char failed[160]; /* why it cannot be read, "" = it can */
	HP_VEC(struct hp_flight_frame) frames;
	HP_VEC(struct hp_flight_call) calls; /* after end: by entity, then longest first */
	uint32_t threads;                    /* that are in a call */
	uint64_t gone;     /* frames that were left without a return that we saw */
	uint64_t moving;   /* frames that changed while they were read */
	uint64_t left_out; /* calls beyond HP_FLIGHT_MAX_CALLS */
};

/* What is known about functions, by entity. */
struct hp_flight_context {
	uint32_t nentities;
	/* enum hp_plan_mode of a function. */
	uint8_t (*mode_of)(const void *arg, uint32_t entity);
	const void *arg;
	const struct hp_control *controls;
};

void hp_functions_flight_begin(struct hp_functions_flight *flight, uint64_t now_ns);
/*
 * One thread from @size bytes: how many of them it took, 0 = more are needed, -EBADMSG (no struct hp_flight_head),
 * -ENOMEM.
 */
long hp_functions_flight_add(struct hp_functions_flight *flight,
			     const struct hp_flight_context *context, const void *data,
			     size_t size);
void hp_functions_flight_end(struct hp_functions_flight *flight);
void hp_functions_flight_deinit(struct hp_functions_flight *flight);

/* @entity's calls, the longest first; NULL and 0: none. */
const struct hp_flight_call *hp_functions_flight_find(const struct hp_functions_flight *flight,
						      uint32_t entity, size_t *ret_n);
