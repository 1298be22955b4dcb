/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Shadow stacks of goroutines (trap:U4).
 *
 * A goroutine's stack is a block of the heap. It starts with 2 KiB or so, and when it is too small the runtime copies it to a
 * larger one (the collector later to a smaller one) and goes through its frames to adjust what points into
 * it; a return address that is not the program's ends the program there. So nothing of ours may lie on it: no return probes, the end
 * of a call is seen by probes on its rets. And a goroutine moves from thread to thread whenever it waits, so nothing may
 * be kept by thread. What stays:
 *   - struct g, the goroutine. Go never frees one, it reuses them. Code of Go 1.17 and later has it in r14 at the
 *     entry and at every ret of a function (ABIInternal).
 *   - The distance of a frame from its stack's upper end, g->stack.hi: a copy moves both. Position = sp - hi, a
 *     negative number; like stack pointers, those of callees are smaller, so lib/shadow.bpf.h works on positions unchanged.
 * The bounds of the stack prove each time that r14 is the running goroutine: sp lies between them, and no
 * two stacks overlap. Elsewhere (assembly with another convention, the runtime on a thread's own stack before plan_go
 * knew) the call is counted and HP_STAT_GOROUTINE_UNKNOWN says so.
 *
 * A function's entry is probed where its stack check has been passed (userspace/probe/gosite.h), else a call for which the
 * stack had to grow would count twice.
 *
 * What gets lost: panics skip frames, and runtime.Goexit leaves all of them; the next call at the same or a smaller distance
 * drops them, as after longjmp. A reused g may begin with frames that Goexit left there. Until one of its probed calls gets as far
 * out they are taken for callers, so an edge may be wrong; no count and no duration is, as those come from a call's own
 * frame. *Ruled out:* goid, which would tell, lies at a different place in every few versions (152 in 1.19, 160 in 1.23), and
 * a probe on runtime.goexit0 costs every goroutine a trap.
 *
 * A hash map, though it costs most on this path (house rule 18): a goroutine has no storage of the kernel's. It holds
 * only goroutines inside probed calls. Theirs are the only accesses, as a goroutine runs on one thread at a time.
 */
#include "lib/maps.bpf.h"

#include "hotpathd/abi/functions.h"
#include "hotpathd/abi/shadow.h"

/* User space sets the size, HP_GOROUTINES_MAX where there is Go code. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct hp_shadow);
} hp_goroutines SEC(".maps");

static const struct hp_shadow hp_empty_shadow;

#define HP_FLAG_CARRY 0x01
#define HP_FLAG_ZERO  0x40

/* The stack check's jbe will be taken: the function begins again once its stack has grown. */
static __always_inline bool hp_goroutine_must_grow(__u64 cookie, __u64 flags)
{
	return cookie & HP_COOKIE_CHECKS_STACK && flags & (HP_FLAG_CARRY | HP_FLAG_ZERO);
}

/* Where @sp is on the stack of goroutine @g. False: that is not its stack. */
static __always_inline bool hp_goroutine_position(__u64 g, __u64 sp, __u64 *ret_position)
{
	struct {
		__u64 lo, hi;
	} stack;

	if (bpf_probe_read_user(&stack, sizeof(stack), (const void *)g) || sp <= stack.lo ||
	    sp >= stack.hi) {
		hp_count(HP_STAT_GOROUTINE_UNKNOWN);
		return false;
	}
	*ret_position = sp - stack.hi;
	return true;
}

/* NULL: there is no room for one more. */
static __always_inline struct hp_shadow *hp_goroutine_shadow(__u64 g)
{
	struct hp_shadow *shadow = bpf_map_lookup_elem(&hp_goroutines, &g);

	if (shadow)
		return shadow;
	bpf_map_update_elem(&hp_goroutines, &g, &hp_empty_shadow, BPF_NOEXIST);
	shadow = bpf_map_lookup_elem(&hp_goroutines, &g);
	if (!shadow)
		hp_count(HP_STAT_GOROUTINE_FULL);
	return shadow;
}
