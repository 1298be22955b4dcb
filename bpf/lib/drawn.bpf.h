/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/* Which requests get a record with their stack (abi/alloc.h), and their records. */
#include "hotpathd/abi/alloc.h"
#include "lib/maps.bpf.h"
#include "lib/request.bpf.h"
#include "lib/unwind.bpf.h"

/* One request in so many bytes is drawn; 0 = each one. User space may change it at any time. */
__u32 hp_alloc_period;

/* One more than quantiles: where the last straight line ends. */
const volatile __u32 hp_alloc_gaps[HP_ALLOC_GAPS + 1];

/*
 * Too large for the BPF stack, and of each thread its own: threads that hit uprobes preempt each other, on the same CPU, too (trap:U17).
 * 2.5 KiB, of threads that had a request drawn.
 */
struct hp_draft {
	struct hp_walk_scratch walk;
	struct hp_alloc_event event;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hp_draft);
} hp_alloc_drafts SEC(".maps");

static __always_inline __u64 hp_drawn_gap(__u32 period)
{
	__u32 random = bpf_get_prandom_u32(), at = random & (HP_ALLOC_GAPS - 1);
	__u64 from = hp_alloc_gaps[at], to = hp_alloc_gaps[at + 1];

	return ((from + ((to - from) * (random >> 12) >> 20)) * period >> 16) + 1;
}

/*
 * Does a sampling point lie in a request of @size bytes? The process has no memory, so the distance to the next one may be drawn
 * anew from wherever one likes: at the end of a request that had one, and when the period changes.
 */
static __always_inline bool hp_drawn_is(struct hp_alloc_state *state, __u64 size)
{
	__u32 period = hp_alloc_period;

	if (!period) {
		state->period = 0; /* it is said of the request */
		return true;
	}
	if (state->period != period) {
		state->period = period;
		state->left = hp_drawn_gap(period);
	}
	if (!size)
		size = 1;
	if (size < state->left) {
		state->left -= size;
		return false;
	}
	state->left = hp_drawn_gap(period);
	return true;
}

/* The user registers behind the call of the allocator, at its return; @exits: at its ret, which has not run yet. */
static __always_inline void hp_drawn_registers(struct hp_walk_scratch *scratch,
					       struct task_struct *task, const struct pt_regs *ctx,
					       bool exits)
{
	__u64 next;

	HP_WALK_COPY_REGISTERS(scratch, ctx);
	if (!exits)
		return;
	next = (__u64)BPF_CORE_READ(task, utask, return_instances);
	scratch->regs[HP_DWARF_RIP] = hp_walk_original(ctx->sp, hp_request_word(ctx->sp), &next);
	scratch->regs[HP_DWARF_RSP] = ctx->sp + 8;
}

/* What is said of a drawn request; the rest is its thread's. */
struct hp_drawn {
	__u64 addr, size, ts_ns;
	__u32 function;
	bool resized, untracked;
};

/* False: the record is lost. */
static __always_inline bool hp_drawn_send(struct task_struct *task, const struct pt_regs *ctx,
					  const struct hp_alloc_state *state,
					  const struct hp_drawn *drawn)
{
	struct hp_draft *draft =
		bpf_task_storage_get(&hp_alloc_drafts, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	void *ring = hp_ring();
	struct hp_alloc_event *event;
	__u32 nips;

	if (!draft || !ring) {
		hp_count(HP_STAT_ALLOC_LOST);
		return false;
	}
	event = &draft->event;
	hp_drawn_registers(&draft->walk, task, ctx, state->exits);
	nips = hp_walk_user(&draft->walk, task->tgid, event->ips, HP_ALLOC_MAX_STACK, &event->end);
	event->hdr.domain = HP_DOMAIN_alloc;
	event->hdr.kind = HP_EVENT_ALLOC;
	event->hdr.tid = task->pid;
	event->hdr.ts_ns = drawn->ts_ns;
	event->addr = drawn->addr;
	event->size = drawn->size;
	event->period = state->period;
	event->tgid = task->tgid;
	event->function = drawn->function;
	event->nips = nips;
	event->resized = drawn->resized;
	event->untracked = drawn->untracked;
	if (bpf_ringbuf_output(ring, event, HP_ALLOC_EVENT_MIN + nips * 8, BPF_RB_NO_WAKEUP)) {
		hp_count(HP_STAT_ALLOC_LOST);
		return false;
	}
	hp_count(HP_STAT_RECORDS);
	return true;
}

/* The block of a drawn request is given back, at @now. */
static __always_inline void hp_drawn_release(struct task_struct *task, __u64 addr,
					     const struct hp_alloc_block *block, __u64 now)
{
	struct hp_release_event *event = NULL;
	void *ring = hp_ring();

	if (ring)
		event = bpf_ringbuf_reserve(ring, sizeof(*event), 0);
	if (!event) {
		hp_count(HP_STAT_ALLOC_LOST);
		return;
	}
	event->hdr.domain = HP_DOMAIN_alloc;
	event->hdr.kind = HP_EVENT_RELEASE;
	event->hdr.tid = task->pid;
	event->hdr.ts_ns = now;
	event->addr = addr;
	event->born_ns = block->born_ns;
	event->size = block->size;
	event->tgid = task->tgid;
	event->born_tid = block->tid;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	hp_count(HP_STAT_RECORDS);
}
