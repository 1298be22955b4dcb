/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/* From the frame of a call that ends to the totals of its function and its record. */
#include "lib/credit.bpf.h"
#include "lib/shadows.bpf.h"
#include "lib/totals.bpf.h"

/* Rows of struct hp_credit as those of hp_totals; as many only with the domain alloc. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_credit);
} hp_credits SEC(".maps");

static __always_inline void hp_credit_add(struct hp_credit *credit, __u64 bytes, __u32 requests,
					  __u32 shift)
{
	if (!requests)
		return;
	__sync_fetch_and_add(&credit->calls, 1);
	if (shift) {
		__sync_fetch_and_add(&credit->est_bytes, bytes << shift);
		__sync_fetch_and_add(&credit->est_requests, (__u64)requests << shift);
	} else {
		__sync_fetch_and_add(&credit->bytes, bytes);
		__sync_fetch_and_add(&credit->requests, requests);
	}
}

/*
 * A call of @entity has ended that was timed as one in 2^@shift. @frame: the one that was popped from @shadow; NULL: it had
 * none.
 */
static __always_inline void hp_credit_settle(struct hp_shadow *shadow, const struct hp_frame *frame,
					     __u32 entity, __u32 shift)
{
	__u32 key = bpf_get_smp_processor_id() * hp_config.nentities + entity;
	struct hp_credit *credit = bpf_map_lookup_elem(&hp_credits, &key);
	__u32 requests, depth;

	if (!credit)
		return;
	if (!frame || frame->allocs & HP_CREDIT_UNKNOWN)
		__sync_fetch_and_add(&credit->unknown, 1);
	if (!frame)
		return;
	requests = frame->allocs & ~HP_CREDIT_UNKNOWN;
	hp_credit_add(credit, frame->alloc_bytes, requests, shift);
	depth = shadow->depth;
	if (hp_config.allocs == HP_ALLOCS_CUMULATIVE && depth)
		hp_credit_give(&shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)], 0,
			       frame->alloc_bytes, requests);
}

/* The call of @task that enters at @sp gets no frame. */
static __always_inline void hp_credit_shade_task(struct task_struct *task, __u64 sp)
{
	struct hp_shadow *shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);

	if (shadow)
		hp_credit_shade(shadow, sp);
}

/* emit() with what the call has requested. */
static __always_inline void hp_credit_emit(const struct task_struct *task, struct hp_cell *cell,
					   const struct hp_frame *frame, __u32 entity, __u64 now,
					   __u64 duration, __u32 parent)
{
	struct hp_credited_event *event = NULL;
	void *ring = hp_ring();

	if (ring)
		event = bpf_ringbuf_reserve(ring, sizeof(*event), 0);
	if (entity == HP_ENTITY_CALIBRATION) {
		if (event)
			bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return;
	}
	if (!event) {
		hp_count(HP_STAT_RING_FULL);
		__sync_fetch_and_add(&cell->lost, 1);
		return;
	}
	event->call.hdr.domain = HP_DOMAIN_functions;
	event->call.hdr.kind = HP_EVENT_CREDITED;
	event->call.hdr.tid = task->pid;
	event->call.hdr.ts_ns = now;
	event->call.duration_ns = duration;
	event->call.entity = entity;
	event->call.parent = parent;
	event->bytes = frame->alloc_bytes;
	event->requests = frame->allocs;
	event->unused = 0;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	hp_count(HP_STAT_RECORDS);
}
