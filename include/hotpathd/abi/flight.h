#pragma once

#include "hotpathd/abi/event.h"
#include "hotpathd/abi/shadow.h"

/*
 * Calls in progress of one thread, as the task iterator writes them:
 *
 *   struct hp_flight_head
 *   @bytes bytes of the thread's struct hp_shadow, as far as its calls reach
 *   the same again, read later
 *   a __u64 for each frame: what stands now where its return address was, 0 = unreadable
 *
 * The thread may be running meanwhile, so a frame is true only if both copies hold it alike: entry times
 * differ from call to call.
 */
struct hp_flight_head {
	struct hp_event hdr; /* ts_ns = time of reading */
	__u64 sp;            /* the thread's user stack pointer at its last entry into the kernel */
	__u64 trampoline; /* what the kernel puts in place of return addresses, 0 = nothing so far */
	__u32 bytes;
	__u32 unused;
};
HP_ABI_SIZE(struct hp_flight_head, 40);

#define HP_EVENT_FLIGHT    2
#define HP_FLIGHT_MIN      8 /* a struct hp_shadow without frames */
#define HP_FLIGHT_MAX_SIZE (40 + 2 * sizeof(struct hp_shadow) + sizeof(__u64) * HP_SHADOW_DEPTH)
