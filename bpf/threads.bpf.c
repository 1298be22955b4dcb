// SPDX-License-Identifier: MIT OR GPL-2.0
/* CPU time and waits per thread. The design block is in userspace/domains/threads/threads.c. */
#include "lib/maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "hotpathd/abi/threads.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The letter of /proc/PID/stat, from the bits of include/linux/sched.h (stable since 4.14). */
static __always_inline __u8 state_letter(struct task_struct *task)
{
	unsigned int state = task->__state | task->exit_state;

	if ((state & 0x402) == 0x402) /* TASK_UNINTERRUPTIBLE | TASK_NOLOAD */
		return 'I';
	if (state & 0x10)
		return 'X';
	if (state & 0x20)
		return 'Z';
	if (state & 0x40)
		return 'P';
	if (state & 0x08)
		return 't';
	if (state & 0x04)
		return 'T';
	if (state & 0x1002) /* 0x1000: waiting for a lock on PREEMPT_RT */
		return 'D';
	if (state & 0x01)
		return 'S';
	return 'R';
}

static __always_inline void fill(struct hp_thread_sample *sample, struct task_struct *task)
{
	__builtin_memset(sample, 0, sizeof(*sample));
	sample->hdr.domain = HP_DOMAIN_threads;
	sample->hdr.kind = HP_EVENT_THREAD_GONE;
	sample->hdr.tid = task->pid;
	sample->hdr.ts_ns = bpf_ktime_get_ns();
	sample->tgid = task->tgid;
	sample->start_ns = task->start_time;
	sample->cpu_ns = task->se.sum_exec_runtime;
	sample->utime = task->utime;
	sample->stime = task->stime;
	sample->runq_wait_ns = task->sched_info.run_delay;
	sample->voluntary_switches = task->nvcsw;
	sample->involuntary_switches = task->nivcsw;
	BPF_CORE_READ_STR_INTO(&sample->comm, task, comm);
	sample->state = state_letter(task);
}

SEC("iter/task")
int hp_thread_list(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct hp_thread_sample sample;

	if (!task || !hp_is_followed(task->tgid))
		return 0;
	fill(&sample, task);
	bpf_seq_write(ctx->meta->seq, &sample, sizeof(sample));
	return 0;
}

/*
 * The task is released after its last switch, so its CPU time is final here; at sched_process_exit up
 * to a tick of it is not accounted yet, which is everything for a thread that lived 1 ms.
 */
SEC("tp_btf/sched_process_free")
int BPF_PROG(hp_thread_gone, struct task_struct *task)
{
	struct hp_thread_sample *sample;
	void *ring;

	if (!hp_is_followed(task->tgid) && !hp_was_followed(task->tgid, task->start_time))
		return 0;
	ring = hp_ring();
	sample = ring ? bpf_ringbuf_reserve(ring, sizeof(*sample), 0) : NULL;
	if (!sample) {
		hp_count(HP_STAT_RING_FULL);
		return 0;
	}
	fill(sample, task);
	bpf_ringbuf_submit(sample, BPF_RB_NO_WAKEUP);
	hp_count(HP_STAT_RECORDS);
	return 0;
}
