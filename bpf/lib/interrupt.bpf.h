/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/* Is the current thread at work, or an interrupt that came upon it? */
#include <bpf/bpf_tracing.h>

#include "lib/maps.bpf.h"

#define HP_THREAD_SIZE 16384 /* x86-64; twice as much in kernels with KASAN */

/*
 * Does this not run on behalf of the current thread? So if it is on the stack of interrupts, or if the thread was interrupted in user
 * mode: then it is in no system call. Softirqs that a thread runs itself are on that stack, too, so user space looks at the
 * names of the kernel frames as well where it has them. The kernel's own count of interrupts is a variable that many kernels do not
 * show. @scratch: memory of a map.
 */
static __always_inline bool hp_is_interrupt(void *ctx, __u64 *scratch)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 here;

	/* By way of memory, so that the verifier takes it for a number. */
	*(void *volatile *)scratch = ctx;
	here = *(volatile __u64 *)scratch - (__u64)task->stack;
	return here >= HP_THREAD_SIZE || (task->mm && regs->orig_ax == ~0ull);
}
