#pragma once

#include "hotpathd/abi/types.h"

/*
 * The children that the target has forked, and theirs, by process id in the initial pid namespace: from the fork to the
 * exit, or to an exec, after which it is another program. BPF adds and removes them, so that a child is known
 * before its first instruction.
 */
struct hp_member {
	__u64 born_ns; /* CLOCK_MONOTONIC */
	__u32 parent;
	__u32 shares_memory; /* vfork() and the like: it runs in its parent's address space */
	__u32 clean;         /* set by user space: it has no breakpoints that nobody counts */
	__u32 unused;
};
HP_ABI_SIZE(struct hp_member, 24);

#define HP_FAMILY_MAX 1024

/* Written by BPF, mapped by user space; `changes` is raised last. */
struct hp_family_state {
	__u64 forked;       /* children since we attached */
	__u64 exited;       /* of them: have ended */
	__u64 executed;     /* of them: became another program */
	__u64 unnoticed;    /* forked while HP_FAMILY_MAX others lived: in no other figure */
	__u64 adopted;      /* children that were there before, with --follow-forks */
	__u64 dirty_cpu_ns; /* CPU time of children that have ended and were never clean */
	__u64 target_execs;
	__u64 target_exec_ns; /* of the last one */
	__u64 changes;
};
HP_ABI_SIZE(struct hp_family_state, 72);
