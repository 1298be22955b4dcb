/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Shadow stack: which probed calls a thread is in.
 *
 * Frames are matched by stack pointer, never by counting entries and returns, because exits get lost:
 * exceptions and longjmp skip frames (trap:U7), the kernel gives no return below 64 levels (trap:U6),
 * a tail call returns for its caller (trap:U8). On x86-64 the entry's stack pointer S points at the
 * return address, and the return probe sees S + 8. Stacks grow down, so
 *   - frames below the new entry's stack pointer are gone, whatever happened to their returns;
 *   - a frame at the same stack pointer is alive only if the new call is its tail call. Then the return
 *     address on the stack is still the uretprobe trampoline that the kernel put there for the caller.
 *     That one read of user memory happens only in this ambiguous case.
 * The functions here touch nothing but the stack they are given: tests/bpfhost runs them in user space.
 */
#include "hotpathd/abi/shadow.h"

/*
 * Drops the frames that the call at @sp has outlived; returns how many. @tail_call: see above. A global function,
 * so that the verifier walks its loop once and not in every state of every caller (132,000 instructions
 * against 2,000); it is called only when there is something to drop.
 */
__attribute__((noinline)) __u32 hp_shadow_drop(struct hp_shadow *shadow, __u64 sp, __u32 tail_call)
{
	__u32 depth, dropped = 0;

	if (!shadow)
		return 0;
	depth = shadow->depth;
	for (int i = 0; i < HP_SHADOW_DEPTH; i++) {
		__u64 top;

		if (depth == 0 || depth > HP_SHADOW_DEPTH)
			break;
		top = shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)].sp;
		if (top > sp || (top == sp && tail_call))
			break;
		depth--;
		dropped++;
	}
	shadow->depth = depth;
	return dropped;
}

static __always_inline __u32 hp_shadow_resync(struct hp_shadow *shadow, __u64 sp, bool tail_call)
{
	__u32 depth = shadow->depth;
	__u64 top;

	if (depth == 0)
		return 0;
	top = shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)].sp;
	if (top > sp || (top == sp && tail_call))
		return 0;
	return hp_shadow_drop(shadow, sp, tail_call);
}

static __always_inline bool hp_shadow_top_is(const struct hp_shadow *shadow, __u64 sp)
{
	__u32 depth = shadow->depth;

	return depth && shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)].sp == sp;
}

/* The new frame, its entry_ns still to be set; NULL: the stack is full, the call gets none. */
static __always_inline struct hp_frame *hp_shadow_push(struct hp_shadow *shadow, __u64 sp,
						       __u32 entity)
{
	__u32 depth = shadow->depth;
	struct hp_frame *frame;

	if (depth >= HP_SHADOW_DEPTH)
		return NULL;
	frame = &shadow->frames[depth & (HP_SHADOW_DEPTH - 1)];
	frame->sp = sp;
	frame->entry_ns = 0;
	frame->child_ns = 0;
	frame->entity = entity;
	frame->probe_ns = 0;
	/* The frame before the depth: a sampler may interrupt here. */
	asm volatile("" ::: "memory");
	shadow->depth = depth + 1;
	return frame;
}

/*
 * The innermost frame if it is @entity's call at @sp, else NULL. Frames below @sp are dropped first,
 * *@ret_dropped says how many; of several frames at @sp (tail calls) the innermost returns first, as in the kernel.
 */
static __always_inline struct hp_frame *hp_shadow_match(struct hp_shadow *shadow, __u64 sp,
							__u32 entity, __u32 *ret_dropped)
{
	struct hp_frame *frame;
	__u32 depth;

	*ret_dropped = hp_shadow_resync(shadow, sp, true);
	depth = shadow->depth;
	if (depth == 0 || depth > HP_SHADOW_DEPTH)
		return NULL;
	frame = &shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)];
	return frame->sp == sp && frame->entity == entity ? frame : NULL;
}

/* Adds @ns to what probes have cost inside the innermost call. */
static __always_inline void hp_shadow_charge(struct hp_shadow *shadow, __u64 ns)
{
	__u32 depth = shadow->depth;
	struct hp_frame *frame;
	__u64 sum;

	if (!depth)
		return;
	frame = &shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)];
	sum = frame->probe_ns + ns;
	frame->probe_ns = sum > 0xffffffff ? 0xffffffff : sum;
}

/*
 * Pops the matched innermost frame and charges its caller with @duration and with @probe_ns, the cost of the
 * probes in and around the call; returns the call's self time.
 */
static __always_inline __u64 hp_shadow_pop(struct hp_shadow *shadow, const struct hp_frame *frame,
					   __u64 duration, __u64 probe_ns)
{
	__u64 self = duration > frame->child_ns ? duration - frame->child_ns : 0;
	__u32 depth = shadow->depth - 1;

	shadow->depth = depth;
	if (depth)
		shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)].child_ns += duration;
	hp_shadow_charge(shadow, probe_ns);
	return self;
}

/* The entity of the innermost call, 0 = none. */
static __always_inline __u32 hp_shadow_entity(const struct hp_shadow *shadow)
{
	__u32 depth = shadow->depth;

	return depth ? shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)].entity : 0;
}
