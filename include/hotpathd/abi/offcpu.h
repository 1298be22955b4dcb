#pragma once

#include "hotpathd/abi/event.h"
#include "hotpathd/abi/unwind.h"

/*
 * Why a thread is off the CPU; the design block in userspace/domains/offcpu/offcpu.c says how it is told. Append only: records and
 * readings index by it.
 */
#define HP_WAITS(X)                                                                               \
	X(PREEMPTED, "preempted") /* runnable, but another thread runs: all of it is run queue */ \
	X(SLEEP, "sleep")         /* asked for time to pass */                                    \
	X(POLL, "poll")           /* for any of several files, or an event file */                \
	X(LOCK, "lock")           /* futex, file lock, semaphore */                               \
	X(DISK, "disk")           /* block I/O, or a call on a file or a disk */                  \
	X(NETWORK, "network")     /* a socket */                                                  \
	X(PIPE, "pipe")           /* pipe, terminal, other character device, message queue */     \
	X(PAGE_FAULT, "page_fault") /* a page that is not there */                                \
	X(CHILD, "child")           /* for a child process */                                     \
	X(STOPPED, "stopped")       /* by a signal or a debugger */                               \
	X(KERNEL, "kernel")         /* uninterruptible, and none of these: locks of the kernel */ \
	X(OTHER, "other")

/* clang-format off */
enum hp_wait {
#define X(name, text) HP_WAIT_##name,
	HP_WAITS(X)
#undef X
	HP_NWAITS,
};
/* clang-format on */

/* Where a thread's time went since we follow it: on + queue + all of blocked but PREEMPTED = elapsed. Nanoseconds of CLOCK_MONOTONIC. */
struct hp_offcpu_times {
	__u64 on_ns;    /* had a CPU, interrupts included */
	__u64 queue_ns; /* could run: from the wake-up, or preemption, until it did */
	__u64 switches; /* times it left the CPU */
	__u64 missed;   /* transitions that were not seen; the time around them is a guess */
	__u64 blocked_ns[HP_NWAITS]; /* until the wake-up; of PREEMPTED: what queue_ns has of it */
	__u64 waits[HP_NWAITS];      /* how many have ended */
};
HP_ABI_SIZE(struct hp_offcpu_times, 8ull * (4 + 2ull * HP_NWAITS));

enum { HP_EVENT_WAIT = 1, HP_EVENT_OFFCPU_GONE = 2 };

/* One thread, now (read by the iterator) or at its end (a record, HP_EVENT_OFFCPU_GONE). */
struct hp_offcpu_thread {
	struct hp_event hdr;
	__u64 start_ns; /* with the tid the identity of a thread (trap:D5) */
	__u64 base_ns;  /* followed since; elapsed = hdr.ts_ns - base_ns */
	__u64 cpu_ns;   /* sum_exec_runtime since then; of a running thread up to a tick late */
	__u64 open_ns; /* of the times: of the run or wait that goes on; of a wait until it was woken */
	struct hp_offcpu_times times;
	char comm[16];
	__u32 tgid;
	__u8 state; /* enum hp_offcpu_state */
	__u8 wait;  /* enum hp_wait, if it is blocked */
	__u8 unused[2];
};
HP_ABI_SIZE(struct hp_offcpu_thread, 16 + 32 + sizeof(struct hp_offcpu_times) + 24);

enum hp_offcpu_state {
	HP_OFFCPU_START, /* no transition since we follow it: `wait` is what it looked like */
	HP_OFFCPU_ON,
	HP_OFFCPU_RUNNABLE,
	HP_OFFCPU_BLOCKED,
	HP_OFFCPU_DEAD,
};

#define HP_OFFCPU_KERNEL_FRAMES 32
#define HP_OFFCPU_USER_FRAMES   127
#define HP_OFFCPU_WAKER_KERNEL \
	40 /* deep enough to show what the interrupt of a network card interrupted */
#define HP_OFFCPU_WAKER_USER 24

/* A wait at least this long always has a record, with its stack if it was drawn, else with the innermost user address. */
#define HP_OFFCPU_LONG_NS 10000000ull

enum {
	HP_OFFCPU_LEAF = 1,  /* of the user stack only the innermost address */
	HP_OFFCPU_WOKEN = 2, /* the waker is known */
	HP_OFFCPU_INTERRUPT =
		4, /* woken by an interrupt, or in a softirq: the waker is who it came upon */
};

/* One wait that has ended; the record ends after ips[nkernel + nuser]. Innermost first: kernel, then user. */
struct hp_offcpu_event {
	struct hp_event hdr; /* of the thread that waited; the time at which it got a CPU again */
	__u64 blocked_ns;    /* until it was woken */
	__u64 queue_ns;      /* from then until it ran */
	__u32 tgid;
	__u8 wait; /* enum hp_wait */
	__u8 shift; /* one wait in 2^shift was drawn; those of HP_OFFCPU_LONG_NS and more all have a record */
	__u8 flags;
	__u8 unused;
	__u32 waker_tid, waker_tgid;
	char waker_comm[16];
	__u16 nkernel, nuser;
	__u8 waker_nkernel, waker_nuser;
	__u8 end; /* of the user stack: enum hp_stack_end | HP_STACK_GUESSED */
	__u8 pad;
	__u64 waker[HP_OFFCPU_WAKER_KERNEL +
		    HP_OFFCPU_WAKER_USER]; /* user frames if it is followed, too */
	__u64 ips[HP_OFFCPU_KERNEL_FRAMES + HP_OFFCPU_USER_FRAMES];
};
#define HP_OFFCPU_EVENT_MIN \
	(16 + 16 + 8 + 8 + 16 + 8 + 8 * (HP_OFFCPU_WAKER_KERNEL + HP_OFFCPU_WAKER_USER))
HP_ABI_SIZE(struct hp_offcpu_event,
	    HP_OFFCPU_EVENT_MIN + 8 * (HP_OFFCPU_KERNEL_FRAMES + HP_OFFCPU_USER_FRAMES));
