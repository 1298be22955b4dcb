#pragma once

#include "hotpathd/abi/types.h"

/*
 * Shadow stack of one thread, in task storage. A push writes the frame before the depth, so that a
 * sampler that interrupts it sees a valid stack. frames[depth - 1] is the innermost call.
 */
#define HP_SHADOW_DEPTH 64 /* the kernel follows at most 64 nested return probes (trap:U6) */

/* Of a Go program, of which shadow stacks are kept at once: about 4 KiB of kernel memory each, while in use. */
#define HP_GOROUTINES_MAX          16384
#define HP_GOROUTINES_PREALLOCATED 2048 /* where all the memory must be taken at once */

struct hp_frame {
	__u64 sp; /* stack pointer at the entry: points at the return address; a goroutine's: see bpf/lib/goroutine.bpf.h */
	__u64 entry_ns;
	__u64 child_ns; /* time inside probed callees that have returned */
	__u32 entity;
	__u32 probe_ns; /* what probes inside the call have cost so far, calibrated; saturates */
	/* The rest with the domain alloc only, else never touched (bpf/lib/credit.bpf.h). */
	__u64 alloc_bytes;
	__u32 allocs; /* requests | HP_CREDIT_UNKNOWN */
	__u32 alloc_shade; /* how far below `sp` a call began that has no frame and may still run; 0 = none */
};
HP_ABI_SIZE(struct hp_frame, 48);

struct hp_shadow {
	__u32 depth;
	__u32 unused;
	struct hp_frame frames[HP_SHADOW_DEPTH];
};
HP_ABI_SIZE(struct hp_shadow, 8 + 48 * HP_SHADOW_DEPTH);
