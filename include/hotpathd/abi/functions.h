#pragma once

#include "hotpathd/abi/event.h"

/*
 * Totals of one function on one CPU; index = cpu * nentities + entity. Added up with atomics, because
 * probes are preemptible (trap:U17). Exact whatever happens to the rings.
 *
 * Where one call in n = 2^shift is timed, at random, its figures go to the second half, weighted so that n may change
 * while we run: with d the duration, w = n (n - 1) and q = d / 64 ns, the sums below give an unbiased total (ratio
 * estimator: sampled_hits * est_sum_ns / est_n) and its variance (Cochran, Sampling Techniques, 3rd ed., 6.4, for
 * Bernoulli sampling): sum of w (d - mean)^2.
 */
struct hp_cell {
	__u64 hits;    /* entries */
	__u64 count;   /* returns with a known duration, while every call is timed */
	__u64 sum_ns;  /* their inclusive time */
	__u64 self_ns; /* inclusive minus probed callees */
	__u64 inv_min; /* ~minimum, so that a zeroed cell is a valid start */
	__u64 max_ns;
	__u64 lost;         /* records of this function that found the ring full */
	__u64 sampled_hits; /* of the hits: while not every call is timed */
	__u64 timed;        /* returns of sampled calls */
	__u64 est_n;        /* sum of n over them */
	__u64 est_sum_ns;   /* sum of n d */
	__u64 est_self_ns;
	__u64 est_w;   /* sum of w */
	__u64 est_wq;  /* sum of w q */
	__u64 est_wqq; /* sum of w q^2 */
	__u64 unused;
};
HP_ABI_SIZE(struct hp_cell, 128);

/*
 * What user space says about one function while probes run. A hit counts only if the generation in its
 * cookie is the current one: re-partitioning opens the new link before it closes the old one.
 */
struct hp_control {
	__u32 generation; /* 0 = off */
	__u32 shift;      /* of the calls, time one in 2^shift; HP_SHIFT_COUNT: none */
	/* What a probe costs the target, calibrated: taken out of the durations of the calls around it. */
	__u32 price_ns; /* of a timed call: entry and end */
	__u32 skip_ns;  /* of a call that is only counted */
	__u32 bias_ns; /* of the price: what lies between the two clock readings of the call itself */
	__u32 slow; /* calls of HP_SLOW_UNIT() at least this get a stack (abi/slow.h); 0 = none */
};
HP_ABI_SIZE(struct hp_control, 24);

#define HP_SHIFT_MAX   10
#define HP_SHIFT_COUNT 63

/* The entity that start-up calibration runs under: no function, no record. */
#define HP_ENTITY_CALIBRATION 0

/* Attach cookie: generation in the upper half, entity in the lower. */
#define HP_COOKIE(entity, generation) (((__u64)(generation) << 32) | (__u32)(entity))
/*
 * In a cookie, of which the generation leaves the uppermost bit: the probe stands on the jump of Go's stack check, and
 * if that is taken there is no call yet (trap:U4).
 */
#define HP_COOKIE_CHECKS_STACK (1ull << 63)

enum { HP_EVENT_CALL = 1 };

/* Numbers of helpers that no kernel has: marks where kernel functions are called (probe/kfunc.h). */
#define HP_MARKER_SESSION_IS_RETURN 0x68700001
#define HP_MARKER_SESSION_COOKIE    0x68700002

struct hp_call_event {
	struct hp_event hdr; /* ts_ns = time of return */
	__u64 duration_ns;
	__u32 entity;
	__u32 parent; /* the probed call around it, 0 = none or unknown */
};
HP_ABI_SIZE(struct hp_call_event, 32);
