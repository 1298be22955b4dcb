/*
 * Stands in for bpf/vmlinux.h: the kernel types that bpf/functions.bpf.c and lib/unwind.bpf.h read, as the
 * simulated thread has them.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

struct xol_area {
	unsigned long vaddr;
};

struct mm_struct {
	struct {
		struct xol_area *xol_area;
	} uprobes_state;
};

struct return_instance {
	unsigned long stack;
	unsigned long orig_ret_vaddr;
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
	unsigned int depth;
};

struct task_struct {
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct uprobe_task *utask;
	unsigned long sas_ss_sp;
	unsigned long sas_ss_size;
	__u64 start_time;
};

/* What a uprobe program gets; behind the stack pointer what the kernel keeps elsewhere. */
struct pt_regs {
	unsigned long sp, di, si, dx, cx, r8, r9, ax, r14, flags;
	unsigned long bx, bp, r10, r11, r12, r13, r15, ip;
	__u64 cookie;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
