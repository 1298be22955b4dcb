#pragma once

#include "hotpathd/abi/event.h"

/*
 * The user stack at the end of a call that is among its function's slowest, as far as user space has told
 * (struct hp_control, slow). Beside the call's own record: the same thread, entity and time.
 */
#define HP_EVENT_SLOW     4
#define HP_SLOW_MAX_STACK 64

/* Calls in the same unit as the fastest of the slowest ones also count as slow. */
#define HP_SLOW_UNIT(ns) ((ns) >> 8)

struct hp_slow_event {
	struct hp_event hdr; /* ts_ns = time of return */
	__u64 duration_ns;
	__u32 entity;
	__u32 nips;
	__u64 caller;     /* what stands where the return address was, 0 = unreadable */
	__u64 trampoline; /* what return probes put there, 0 = nothing */
	__u64 ips[HP_SLOW_MAX_STACK];
};
HP_ABI_SIZE(struct hp_slow_event, 560);
