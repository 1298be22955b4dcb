/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/* Who wakes a thread: the current thread, or an interrupt that came upon it. For programs on sched_waking. */
#include "hotpathd/abi/offcpu.h"
#include "lib/interrupt.bpf.h"
#include "lib/unwind.bpf.h"

static __always_inline __u32 hp_waker_user_stack(__u32 tgid, __u64 *to)
{
	struct hp_walk_scratch *scratch = hp_walk_scratch_of_cpu();
	__u8 end;
	__u32 n;

	if (!scratch)
		return 0;
	n = hp_walk_task(tgid, scratch->ips, HP_OFFCPU_WAKER_USER, &end);
	HP_OPAQUE(n);
	if (n > HP_OFFCPU_WAKER_USER || bpf_probe_read_kernel(to, n * sizeof(*to), scratch->ips))
		return 0;
	return n;
}

static __always_inline void hp_waker_note(void *ctx, struct hp_offcpu_event *event)
{
	__u64 waker = bpf_get_current_pid_tgid();
	bool interrupt = hp_is_interrupt(ctx, &event->waker[0]);
	__u32 nkernel = hp_kernel_stack(ctx, event->waker, HP_OFFCPU_WAKER_KERNEL);

	event->waker_nkernel = nkernel;
	event->waker_nuser = 0;
	if (hp_is_followed(waker >> 32))
		event->waker_nuser = hp_waker_user_stack(waker >> 32, event->waker + nkernel);
	event->waker_tid = waker;
	event->waker_tgid = waker >> 32;
	bpf_get_current_comm(event->waker_comm, sizeof(event->waker_comm));
	event->flags |= HP_OFFCPU_WOKEN | (interrupt ? HP_OFFCPU_INTERRUPT : 0);
}
