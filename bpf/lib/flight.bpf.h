/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Writes the calls that another thread is in; user space reads them (functions_flight.c). The thread may run
 * meanwhile: two copies tell what has changed. Frames whose return was never seen (longjmp, a probe that
 * was taken away) still lie on the shadow stack; the thread's stack pointer and what now stands where
 * their return address was tell them apart, in user space. That reads user memory, at leisure and never in a
 * probe.
 */
#include <bpf/bpf_core_read.h>

#include "hotpathd/abi/flight.h"

static __always_inline void hp_flight_write_returns(struct seq_file *seq, struct task_struct *task,
						    const struct hp_shadow *shadow, __u32 depth)
{
	for (__u32 i = 0; i < HP_SHADOW_DEPTH && i < depth; i++) {
		const void *sp = (const void *)*(volatile __u64 *)&shadow->frames[i].sp;
		__u64 word = 0;

		if (bpf_copy_from_user_task(&word, sizeof(word), sp, task, 0))
			word = 0;
		bpf_seq_write(seq, &word, sizeof(word));
	}
}

static __always_inline void hp_flight_write(struct seq_file *seq, struct task_struct *task,
					    struct hp_shadow *shadow, __u64 trampoline)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u32 depth = *(volatile __u32 *)&shadow->depth, bytes;
	struct hp_flight_head head = {
		.hdr.domain = HP_DOMAIN_functions,
		.hdr.kind = HP_EVENT_FLIGHT,
		.hdr.tid = task->pid,
		.hdr.ts_ns = bpf_ktime_get_ns(),
		.trampoline = trampoline,
	};

	if (depth == 0 || depth > HP_SHADOW_DEPTH || !regs)
		return;
	bpf_probe_read_kernel(&head.sp, sizeof(head.sp), &regs->sp);
	bytes = HP_FLIGHT_MIN + depth * sizeof(struct hp_frame);
	/* The compiler turns + into |, whose bound the verifier takes for 4072. */
	asm volatile("" : "+r"(bytes));
	if (bytes > sizeof(*shadow))
		return;
	head.bytes = bytes;
	bpf_seq_write(seq, &head, sizeof(head));
	bpf_seq_write(seq, shadow, bytes);
	bpf_seq_write(seq, shadow, bytes);
	hp_flight_write_returns(seq, task, shadow, depth);
}
