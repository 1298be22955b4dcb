/*
 * trap:U17 once more: since Linux 6.13 (commit a76ab5731e32) a kprobe program with 64 bytes of stack or more runs on a stack that is
 * the CPU's, not the thread's, in the belief that it cannot be nested. Programs on uprobes are preempted by other threads that
 * hit one, on the same CPU: then two write to one stack, and the kernel dies of it (seen on 7.3, with preempt=lazy and full).
 * A program with a tail call in it never gets such a stack. This one is never taken (ncpus is a constant for the verifier), so
 * nothing is left of it but its effect. A map serves programs of one attach type only.
 */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} hp_nowhere SEC(".maps"), hp_nowhere_session SEC(".maps");

#define HP_KEEP_OWN_STACK(ctx, map)                 \
	do {                                        \
		if (!hp_config.ncpus)               \
			bpf_tail_call(ctx, map, 0); \
	} while (0)
