#pragma once

#include "hotpathd/abi/event.h"

/*
 * Totals of one function on one CPU; index = cpu * nentities + entity. Added up with atomics, because
 * probes are preemptible (trap:U17). Exact whatever happens to the rings.
 */
struct hp_cell {
	__u64 hits;    /* entries */
	__u64 count;   /* returns with a known duration */
	__u64 sum_ns;  /* inclusive */
	__u64 self_ns; /* inclusive minus probed callees */
	__u64 inv_min; /* ~minimum, so that a zeroed cell is a valid start */
	__u64 max_ns;
	__u64 lost; /* records of this function that found the ring full */
	__u64 unused;
};
HP_ABI_SIZE(struct hp_cell, 64);

/*
 * What user space says about one function while probes run. A hit counts only if the generation in its
 * cookie is the current one: re-partitioning opens the new link before it closes the old one.
 */
struct hp_control {
	__u32 generation; /* 0 = off */
	__u32 unused;
};
HP_ABI_SIZE(struct hp_control, 8);

/* Attach cookie: generation in the upper half, entity in the lower. */
#define HP_COOKIE(entity, generation) (((__u64)(generation) << 32) | (__u32)(entity))

enum { HP_EVENT_CALL = 1 };

struct hp_call_event {
	struct hp_event hdr; /* ts_ns = time of return */
	__u64 duration_ns;
	__u32 entity;
	__u32 depth; /* of the shadow stack before the pop, 0 = unknown */
};
HP_ABI_SIZE(struct hp_call_event, 32);
