#pragma once

#include "hotpathd/abi/functions.h"

/*
 * What timed functions request from the allocator (bpf/lib/credit.bpf.h), with the domain alloc only. Totals of one
 * function on one CPU, beside its struct hp_cell and in the same order. Atomic adds (trap:U17).
 */
struct hp_credit {
	__u64 bytes, requests; /* of calls while each one is timed */
	__u64 calls; /* calls that requested something, whether each one was timed or not */
	__u64 est_bytes,
		est_requests; /* sum of n * those of a call, of calls timed one in n (struct hp_cell) */
	__u64 unknown;        /* calls whose requests cannot be known */
	__u64 unused[2];
};
HP_ABI_SIZE(struct hp_credit, 64);

/* Instead of a HP_EVENT_CALL. */
#define HP_EVENT_CREDITED 5

#define HP_CREDIT_UNKNOWN (1u << 31)

struct hp_credited_event {
	struct hp_call_event call;
	__u64 bytes;
	__u32 requests; /* saturates below HP_CREDIT_UNKNOWN; with that bit: neither figure is known */
	__u32 unused;
};
HP_ABI_SIZE(struct hp_credited_event, 48);
