/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * What timed calls request from the allocator. alloc.bpf.c adds each outermost request to the innermost frame of its
 * thread; when the call ends, functions.bpf.c moves the frame's figures to the function's cell. All of it is behind
 * hp_config.allocs, a constant for the verifier, so without the domain alloc nothing of it is left.
 *
 * A call that is counted but not timed (one in n, no room for a frame) has no frame. Its requests would go to its caller,
 * which is wrong where credit is exclusive. Its end is not seen either, so from then on requests below its stack
 * pointer may be its own or its caller's: the caller's frame keeps how far down it began, and a request from there or below makes
 * what the caller requested unknown. At the same stack pointer, too: a tail call of malloc has that of its caller. A request
 * from further up tells that the call is over. Where credit is cumulative the caller gets both.
 */
#include "hotpathd/abi/credit.h"
#include "hotpathd/abi/shadow.h"
#include "lib/maps.bpf.h"
#include "lib/shadow.bpf.h"

/* A frame begins. */
static __always_inline void hp_credit_begin(struct hp_frame *frame)
{
	frame->alloc_bytes = 0;
	frame->allocs = 0;
	frame->alloc_shade = 0;
}

/* The call that enters at @sp gets no frame. */
static __always_inline void hp_credit_shade(struct hp_shadow *shadow, __u64 sp)
{
	struct hp_frame *frame;
	__u64 below;
	__u32 depth;

	if (hp_config.allocs != HP_ALLOCS_EXCLUSIVE)
		return;
	hp_shadow_resync(shadow, sp, true);
	depth = shadow->depth;
	if (!depth)
		return;
	frame = &shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)];
	below = frame->sp - sp;
	if (below == 0) /* its tail call */
		below = 1;
	if (below > 0xffffffff)
		below = 0xffffffff;
	if (!frame->alloc_shade || below < frame->alloc_shade)
		frame->alloc_shade = below;
}

/* Credits @frame's call with a request at @sp. False: it may be another call's. */
static __always_inline bool hp_credit_give(struct hp_frame *frame, __u64 sp, __u64 bytes,
					   __u32 requests)
{
	__u32 sum;

	if (frame->alloc_shade) {
		if (frame->sp - sp >= frame->alloc_shade) {
			frame->allocs |= HP_CREDIT_UNKNOWN;
			return false;
		}
		frame->alloc_shade = 0;
	}
	sum = (frame->allocs & ~HP_CREDIT_UNKNOWN) + requests;
	if (sum < HP_CREDIT_UNKNOWN)
		frame->allocs = (frame->allocs & HP_CREDIT_UNKNOWN) | sum;
	frame->alloc_bytes += bytes;
	return true;
}
