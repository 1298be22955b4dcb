#pragma once

#include "hotpathd/abi/event.h"

enum { HP_EVENT_THREAD_GONE = 1 };

/*
 * What the scheduler knows about one thread. Written by the task iterator for living threads and sent
 * as a record when a dead one is released, with its final figures.
 */
struct hp_thread_sample {
	struct hp_event hdr;
	__u64 start_ns;     /* CLOCK_MONOTONIC; with the tid the identity of a thread (trap:D5) */
	__u64 cpu_ns;       /* sum_exec_runtime */
	__u64 utime, stime; /* the kernel's own split, only their ratio is used */
	__u64 runq_wait_ns; /* waited for a CPU while runnable */
	__u64 voluntary_switches;
	__u64 involuntary_switches;
	char comm[16];
	__u8 state; /* letter of /proc/PID/stat */
	__u8 unused[3];
	__u32 tgid; /* process, in the initial pid namespace */
};
HP_ABI_SIZE(struct hp_thread_sample, 16 + 7 * 8 + 24);
