/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * What is known of each function: its totals, exact or estimated, and what user space says about it; and the record of
 * one call. abi/functions.h has the formulas.
 */
#include "hotpathd/abi/functions.h"
#include "lib/maps.bpf.h"

/* Rows of struct hp_cell, CPU-major; dense entity ids make it an array, mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_cell);
} hp_totals SEC(".maps");

/* One per entity, written by user space only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_control);
} hp_controls SEC(".maps");

static __always_inline struct hp_cell *cell_of(__u32 entity)
{
	__u32 key;

	if (entity >= hp_config.nentities)
		return NULL;
	key = bpf_get_smp_processor_id() * hp_config.nentities + entity;
	return bpf_map_lookup_elem(&hp_totals, &key);
}

static __always_inline const struct hp_control *control_of(__u32 entity)
{
	return bpf_map_lookup_elem(&hp_controls, &entity);
}

/* Lifts *@cell to at least @value. Another CPU's program cannot interfere, a preempting one may. */
static __always_inline void raise(__u64 *cell, __u64 value)
{
	for (int i = 0; i < 8; i++) {
		__u64 seen = *(volatile __u64 *)cell;

		if (seen >= value || __sync_val_compare_and_swap(cell, seen, value) == seen)
			return;
	}
}

static __always_inline void emit(const struct task_struct *task, struct hp_cell *cell, __u32 entity,
				 __u64 now, __u64 duration, __u32 parent)
{
	void *ring = hp_ring();
	struct hp_call_event *event = NULL;

	if (ring)
		event = bpf_ringbuf_reserve(ring, sizeof(*event), 0);
	if (entity == HP_ENTITY_CALIBRATION) { /* costs as much as a record and is none */
		if (event)
			bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		return;
	}
	if (!event) {
		hp_count(HP_STAT_RING_FULL);
		__sync_fetch_and_add(&cell->lost, 1);
		return;
	}
	event->hdr.domain = HP_DOMAIN_functions;
	event->hdr.kind = HP_EVENT_CALL;
	event->hdr.tid = task->pid;
	event->hdr.ts_ns = now;
	event->duration_ns = duration;
	event->entity = entity;
	event->parent = parent;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	hp_count(HP_STAT_RECORDS);
}

/* One call in 2^@shift was timed, this one. */
static __always_inline void estimate(struct hp_cell *cell, __u64 duration, __u64 self, __u32 shift)
{
	__u64 n = 1ull << shift, w = n * (n - 1), q = duration >> 6;

	__sync_fetch_and_add(&cell->timed, 1);
	__sync_fetch_and_add(&cell->est_n, n);
	__sync_fetch_and_add(&cell->est_sum_ns, n * duration);
	__sync_fetch_and_add(&cell->est_self_ns, n * self);
	__sync_fetch_and_add(&cell->est_w, w);
	__sync_fetch_and_add(&cell->est_wq, w * q);
	__sync_fetch_and_add(&cell->est_wqq, w * q * q);
}

static __always_inline void add_up(struct hp_cell *cell, __u64 duration, __u64 self, __u32 shift)
{
	if (shift) {
		estimate(cell, duration, self, shift);
	} else {
		__sync_fetch_and_add(&cell->count, 1);
		__sync_fetch_and_add(&cell->sum_ns, duration);
		__sync_fetch_and_add(&cell->self_ns, self);
	}
	raise(&cell->max_ns, duration);
	raise(&cell->inv_min, ~duration);
}
