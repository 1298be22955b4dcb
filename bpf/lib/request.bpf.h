/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Requests of a thread to its allocator: which one is the outermost, and what it asked for.
 *
 * Allocators call themselves (calloc calls malloc, realloc calls malloc, memcpy and free; operator new calls malloc; trap:A1), so
 * of the calls in progress in a thread only the outermost one counts. It is told by the stack pointer, as on the
 * shadow stack: an entry below the one in progress is nested in it. At the same stack pointer it is nested if it is a
 * tail call, whose return address is the trampoline that the outer one's return probe put there. Else, and further up, the one in
 * progress is gone: its end was not seen. One thing still hides later requests: an end that nobody saw of a function that exceptions
 * leave (operator new throws), while its thread goes on below. Of those, which have probes on their exits instead of a
 * return probe, the return address is kept, and compared at each nested entry.
 *
 * The functions here touch nothing but what they are given, and user memory: tests/bpfhost runs them in user space.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "hotpathd/abi/alloc.h"
#include "hotpathd/abi/shadow.h"

/* Of a thread, in its task storage. */
struct hp_alloc_state {
	__u64 sp;   /* of the outermost request in progress, at its entry; 0 = none */
	__u64 back; /* what stood there: its return address, or the trampoline */
	__u64 size, block;
	__u64 begin_ns;
	__u64 old_born_ns, old_size; /* of the block that it resizes */
	__u32 old_tid, old_drawn;
	__u8 does;
	__u8 exits;     /* it has no return probe */
	__u8 old_known; /* the block that it resizes was in the table, and is no more */
	__u8 collected; /* its block is taken back by a garbage collector, which no function tells */
	__u32 period;   /* that `left` was drawn with; 0 = not yet */
	__u64 left;     /* bytes to the next sampling point */
	__u64 released; /* the block that was released last, until it is given out again */
	struct hp_alloc_thread_sums sums;
};

/* A load at a constant offset: of one that the compiler computes, the verifier says no. */
#define HP_REQUEST_REG(ctx, reg) (*(const volatile unsigned long *)&(ctx)->reg)

static __always_inline __u64 hp_request_arg(const struct pt_regs *ctx,
					    const struct hp_alloc_role *role, __u32 n)
{
	__u64 di = HP_REQUEST_REG(ctx, di), si = HP_REQUEST_REG(ctx, si);
	__u64 dx = HP_REQUEST_REG(ctx, dx), cx = HP_REQUEST_REG(ctx, cx);
	__u64 r8 = HP_REQUEST_REG(ctx, r8), r9 = HP_REQUEST_REG(ctx, r9);
	__u64 ax = HP_REQUEST_REG(ctx, ax), bx = HP_REQUEST_REG(ctx, bx);
	bool go = role->call == HP_ALLOC_GO;

	switch (n) {
	case 0:
		return go ? ax : di;
	case 1:
		return go ? bx : si;
	case 2:
		return go ? cx : dx;
	case 3:
		return go ? di : cx;
	case 4:
		return go ? si : r8;
	case 5:
		return go ? r8 : r9;
	default:
		return 0;
	}
}

/* What is asked for; one that overflows is more than any allocator has. */
static __always_inline __u64 hp_request_size(const struct pt_regs *ctx,
					     const struct hp_alloc_role *role)
{
	__u64 size = hp_request_arg(ctx, role, role->size), count;

	if (role->count == HP_ALLOC_NO_ARG)
		return size;
	count = hp_request_arg(ctx, role, role->count);
	return size * count;
}

/* First slot of the process's xol area: what return probes put in place of return addresses. */
static __always_inline __u64 hp_request_trampoline(struct task_struct *task)
{
	return BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
}

static __always_inline __u64 hp_request_word(__u64 sp)
{
	__u64 word = 0;

	if (bpf_probe_read_user(&word, sizeof(word), (const void *)sp))
		return 0;
	return word;
}

enum hp_nesting { HP_REQUEST_OUTERMOST, HP_REQUEST_NESTED, HP_REQUEST_SUPERSEDES };

/* What an entry at @sp is to the request in progress. */
static __always_inline enum hp_nesting
hp_request_nesting(struct task_struct *task, const struct hp_alloc_state *state, __u64 sp)
{
	__u64 trampoline;

	if (!state->sp)
		return HP_REQUEST_OUTERMOST;
	if (sp > state->sp)
		return HP_REQUEST_SUPERSEDES;
	if (sp < state->sp) {
		if (state->exits && hp_request_word(state->sp) != state->back)
			return HP_REQUEST_SUPERSEDES;
		return HP_REQUEST_NESTED;
	}
	trampoline = hp_request_trampoline(task);
	return !state->exits && trampoline && hp_request_word(sp) == trampoline
		       ? HP_REQUEST_NESTED
		       : HP_REQUEST_SUPERSEDES;
}

/* Was the request in progress a tail call, of a function with a return probe? */
static __always_inline bool hp_request_is_tail_call(struct task_struct *task,
						    const struct hp_alloc_state *state)
{
	return state->back && state->back == hp_request_trampoline(task);
}

/* The request at @sp is the outermost one from now on. @exits: it has no return probe. */
static __always_inline void hp_request_begin(struct hp_alloc_state *state,
					     const struct pt_regs *ctx,
					     const struct hp_alloc_role *role, bool exits,
					     __u64 now)
{
	state->sp = ctx->sp;
	state->back = hp_request_word(ctx->sp);
	state->exits = exits;
	state->begin_ns = now;
	state->size = hp_request_size(ctx, role);
	state->block = role->block == HP_ALLOC_NO_ARG ? 0 : hp_request_arg(ctx, role, role->block);
	state->does = role->does;
	state->old_known = 0;
	state->collected = role->call == HP_ALLOC_GO;
}

/*
 * trap:U6, and what functions.bpf.c says about handlers on a signal stack: a return probe there would end the program, or
 * never be seen.
 */
static __always_inline bool hp_request_bears_return(struct task_struct *task, __u64 sp)
{
	const struct uprobe_task *utask = task->utask;
	__u64 start = task->sas_ss_sp, size = task->sas_ss_size;
	struct return_instance *instance;

	if (utask && utask->depth >= HP_SHADOW_DEPTH)
		return false;
	if (!size || sp <= start || sp - start > size)
		return true;
	instance = BPF_CORE_READ(task, utask, return_instances);
	return !instance || BPF_CORE_READ(instance, stack) > sp;
}
