#pragma once

#include "hotpathd/abi/event.h"
#include "hotpathd/abi/offcpu.h"

/*
 * What threads do while a timeline is recorded; the design block is in userspace/domains/timeline/timeline.c. Why a thread waits is told
 * as for the offcpu domain (enum hp_wait).
 */
enum { HP_EVENT_ABSENCE = 1, HP_EVENT_TIMELINE_GONE = 2 };

enum {
	HP_TIMELINE_WOKEN = 1, /* the waker is known */
	HP_TIMELINE_INTERRUPT =
		2, /* woken by an interrupt, or in a softirq: the waker is who it came upon */
	HP_TIMELINE_CREATED =
		4, /* the absence is from its creation, by the waker, to its first instruction */
	HP_TIMELINE_MISSED = 8, /* its end was not seen: by the scheduler's count of CPU time */
};

#define HP_TIMELINE_NO_CPU 0xffff

/* A thread has a CPU again: when it had one before, and what was in between. */
struct hp_timeline_absence {
	struct hp_event hdr; /* of the thread; the time at which it got a CPU */
	__u64 on_ns;         /* got the CPU that it then left; 0: we did not see it on one */
	__u64 left_ns;
	__u64 woken_ns; /* left_ns ... hdr.ts_ns; 0: not woken, or not seen */
	__u32 tgid;
	__u32 waker_tid, waker_tgid;
	__u16 cpu; /* the one it left; HP_TIMELINE_NO_CPU: unknown */
	__u8 wait; /* enum hp_wait; HP_WAIT_PREEMPTED: it was runnable all the time */
	__u8 flags;
	char waker_comm[16];
};
HP_ABI_SIZE(struct hp_timeline_absence, 72);

enum hp_timeline_state {
	HP_TIMELINE_ON,       /* has a CPU since since_ns */
	HP_TIMELINE_RUNNABLE, /* could run since since_ns */
	HP_TIMELINE_BLOCKED,  /* left at since_ns; woken, if woken_ns is set, then */
	HP_TIMELINE_DEAD,     /* left its last CPU at since_ns */
};

/* A thread now (read by the iterator), or at its end (a record, HP_EVENT_TIMELINE_GONE). */
struct hp_timeline_thread {
	struct hp_event hdr;
	__u64 since_ns; /* of the last transition, or when we began to follow it */
	__u64 on_ns; /* DEAD: got the CPU that it left; else of the last time it had one; 0: not seen */
	__u64 woken_ns; /* BLOCKED: 0 = not yet */
	__u32 tgid;
	__u16 cpu; /* where it runs, or ran last */
	__u8 state;
	__u8 wait; /* enum hp_wait, if it is BLOCKED */
	char comm[16];
};
HP_ABI_SIZE(struct hp_timeline_thread, 64);
