/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Stacks of slow calls. What is slow is for user space to say: each function's control holds the shortest of its slowest
 * calls so far. So a stack is walked a few times a second at most (hp_slow_left), and calls that are not slow pay a comparison.
 *
 * trap:S1, trap:S2: at a return probe the kernel gives the address that the call returns to as the first one, and replaces the
 * trampolines further up (6.18). At a ret, the first one is the ret's own, and the caller is missing, as the frame
 * pointer already is the caller's: user space takes it from the word at the stack pointer.
 */
#include <bpf/bpf_core_read.h>

#include "hotpathd/abi/slow.h"
#include "lib/maps.bpf.h"

/*
 * How many may still be taken of calls of any length; user space fills it up. A burst of calls that are only a little slow must not
 * use up what a long one needs, for which the walk is a small part of its own time: it may go this far below zero.
 */
__s32 hp_slow_left;

#define HP_SLOW_LONG_NS  1000000
#define HP_SLOW_FOR_LONG 250

/* First slot of the process's xol area: what return probes put in place of return addresses. */
static __always_inline __u64 hp_trampoline_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
}

/* A global function: the verifier looks at it once, and the programs that call it stay as they are. */
__attribute__((noinline)) int hp_slow_take(__u64 now, __u64 duration, __u64 sp, __u32 entity)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct hp_slow_event *event = NULL;
	__s32 floor = duration >= HP_SLOW_LONG_NS ? -HP_SLOW_FOR_LONG : 0;
	void *ring;
	long got;

	if (hp_slow_left <= floor || __sync_fetch_and_add(&hp_slow_left, -1) <= floor) {
		hp_count(HP_STAT_SLOW_SKIPPED);
		return 0;
	}
	ring = hp_ring();
	if (ring)
		event = bpf_ringbuf_reserve(ring, sizeof(*event), 0);
	if (!event) {
		hp_count(HP_STAT_SLOW_SKIPPED);
		return 0;
	}
	event->hdr.domain = HP_DOMAIN_functions;
	event->hdr.kind = HP_EVENT_SLOW;
	event->hdr.tid = bpf_get_current_pid_tgid();
	event->hdr.ts_ns = now;
	event->duration_ns = duration;
	event->entity = entity;
	event->trampoline = hp_trampoline_of(task);
	event->caller = 0;
	bpf_probe_read_user(&event->caller, sizeof(event->caller), (const void *)sp);
	got = bpf_get_task_stack(task, event->ips, sizeof(event->ips), BPF_F_USER_STACK);
	event->nips = got > 0 ? (__u64)got / 8 : 0;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	hp_count(HP_STAT_RECORDS);
	hp_count(HP_STAT_SLOW_STACKS);
	return 0;
}
