// SPDX-License-Identifier: MIT OR GPL-2.0
/* When threads run, wait and are woken, while somebody records it. The design block is in userspace/domains/timeline/timeline.c. */
#include "lib/wait.bpf.h"

#include <bpf/bpf_tracing.h>

#include "hotpathd/abi/timeline.h"
#include "lib/interrupt.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TASK_DEAD 0x80

/* Of a thread. `version` is odd while its own switch changes what follows; the waker's members have another writer. */
struct hp_timeline_task {
	__u64 version;
	__u64 epoch; /* the recording that began to follow it; of another one, all of this is void */
	__u64 since_ns;
	__u64 on_ns;
	__u64 ran_ns; /* sum_exec_runtime when it last left the CPU */
	__u16 cpu;
	__u8 state, wait;
	__u8 seen;      /* a transition, since we follow it */
	__u8 is_new;    /* has not had a CPU yet */
	__u8 interrupt; /* the waker */
	__u8 unused;
	__u64 wake_ns; /* 0: not woken since it last ran */
	__u32 waker_tid, waker_tgid;
	char waker_comm[16];
	__u64 scratch;
};

/* 100 bytes a thread, made before it can switch: where the scheduler switches no memory may be asked for. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hp_timeline_task);
} hp_timeline_tasks SEC(".maps");

/* Of the recording that goes on; written by user space. */
__u64 hp_timeline_epoch;

/* Switches of a thread are its own CPU's, one after the other: plain stores suffice, in this order on x86. */
#define BARRIER() asm volatile("" ::: "memory")

static __always_inline __u64 since(__u64 now, __u64 then)
{
	return now > then ? now - then : 0;
}

static __always_inline void note_waker(void *ctx, struct hp_timeline_task *own, __u64 now)
{
	__u64 waker = bpf_get_current_pid_tgid();

	own->waker_tid = waker;
	own->waker_tgid = waker >> 32;
	own->interrupt = hp_is_interrupt(ctx, &own->scratch);
	bpf_get_current_comm(own->waker_comm, sizeof(own->waker_comm));
	BARRIER();
	own->wake_ns = now;
}

/*
 * The storage of a thread that is followed from now on. It may run or switch meanwhile: its first transition will say in what state
 * it was, but not what it waited for.
 */
static __always_inline struct hp_timeline_task *follow(struct task_struct *task, bool is_new)
{
	struct hp_timeline_task *own;
	unsigned int state = task->__state;

	own = bpf_task_storage_get(&hp_timeline_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!own) {
		hp_count(HP_STAT_TIMELINE_MISSING);
		return NULL;
	}
	if (own->epoch == hp_timeline_epoch)
		return own;
	own->wait = is_new || !state ? HP_WAIT_PREEMPTED : hp_wait_of(task, state);
	own->state = own->wait == HP_WAIT_PREEMPTED ? HP_TIMELINE_RUNNABLE : HP_TIMELINE_BLOCKED;
	if (task->on_cpu)
		own->state = HP_TIMELINE_ON;
	own->seen = 0;
	own->is_new = is_new;
	own->cpu = HP_TIMELINE_NO_CPU;
	own->wake_ns = 0;
	own->since_ns = bpf_ktime_get_ns();
	own->on_ns = own->state == HP_TIMELINE_ON ? own->since_ns : 0;
	own->ran_ns = task->se.sum_exec_runtime;
	BARRIER();
	own->epoch = hp_timeline_epoch; /* only now do its switches count */
	return own;
}

static __always_inline struct hp_timeline_task *followed(struct task_struct *task)
{
	struct hp_timeline_task *own;

	if (!hp_is_followed(task->tgid))
		return NULL;
	own = bpf_task_storage_get(&hp_timeline_tasks, task, 0, 0);
	return own && own->epoch == hp_timeline_epoch ? own : NULL;
}

/* Of the waker and its thread, of which both are at it at the same time; longer than that before, it was another wait's wake-up. */
#define EARLY_NS 100000

/*
 * When what began at since_ns was ended; 0: that was not seen. The wake-up may have come while its thread was still on its
 * way off the CPU, and it may have found the thread still awake, which then waited for something else.
 */
static __always_inline __u64 woken_at(const struct hp_timeline_task *own, __u64 now)
{
	__u64 wake = *(volatile const __u64 *)&own->wake_ns;

	if (!wake || wake + EARLY_NS < own->since_ns)
		return 0;
	return wake < own->since_ns ? own->since_ns : wake > now ? now : wake;
}

static __always_inline void send_absence(const struct task_struct *task,
					 const struct hp_timeline_task *own, __u64 now, __u8 flags)
{
	struct hp_timeline_absence *absence = NULL;
	void *ring = hp_ring();
	__u64 wake = 0;

	if (ring)
		absence = bpf_ringbuf_reserve(ring, sizeof(*absence), 0);
	if (!absence) {
		hp_count(HP_STAT_TIMELINE_LOST);
		return;
	}
	if (own->wait != HP_WAIT_PREEMPTED || own->is_new)
		wake = woken_at(own, now);
	absence->hdr.domain = HP_DOMAIN_timeline;
	absence->hdr.kind = HP_EVENT_ABSENCE;
	absence->hdr.tid = task->pid;
	absence->hdr.ts_ns = now;
	absence->on_ns = own->on_ns;
	absence->left_ns = own->since_ns;
	absence->woken_ns = wake;
	absence->tgid = task->tgid;
	absence->waker_tid = own->waker_tid;
	absence->waker_tgid = own->waker_tgid;
	absence->cpu = own->cpu;
	absence->wait = own->wait;
	absence->flags = flags | (wake ? HP_TIMELINE_WOKEN : 0) |
			 (wake && own->interrupt ? HP_TIMELINE_INTERRUPT : 0) |
			 (own->is_new ? HP_TIMELINE_CREATED : 0);
	__builtin_memcpy(absence->waker_comm, own->waker_comm, sizeof(absence->waker_comm));
	bpf_ringbuf_submit(absence, BPF_RB_NO_WAKEUP);
	hp_count(HP_STAT_RECORDS);
}

static __always_inline void fill(struct hp_timeline_thread *thread, struct task_struct *task,
				 const struct hp_timeline_task *own, __u64 now)
{
	__builtin_memset(thread, 0, sizeof(*thread));
	thread->hdr.domain = HP_DOMAIN_timeline;
	thread->hdr.kind = HP_EVENT_TIMELINE_GONE;
	thread->hdr.tid = task->pid;
	thread->hdr.ts_ns = now;
	thread->since_ns = own->since_ns;
	thread->on_ns = own->on_ns;
	thread->woken_ns = own->state == HP_TIMELINE_BLOCKED ? woken_at(own, now) : 0;
	thread->tgid = task->tgid;
	thread->cpu = own->cpu;
	thread->state = own->state;
	thread->wait = own->wait;
	BPF_CORE_READ_STR_INTO(&thread->comm, task, comm);
}

static __always_inline void send_gone(struct task_struct *task, const struct hp_timeline_task *own,
				      __u64 now)
{
	struct hp_timeline_thread *gone = NULL;
	void *ring = hp_ring();

	if (ring)
		gone = bpf_ringbuf_reserve(ring, sizeof(*gone), 0);
	if (!gone) {
		hp_count(HP_STAT_TIMELINE_LOST);
		return;
	}
	fill(gone, task, own, now);
	bpf_ringbuf_submit(gone, BPF_RB_NO_WAKEUP);
	hp_count(HP_STAT_RECORDS);
}

/* Now and then a thread leaves a CPU that it was not seen to get (offcpu.bpf.c): the scheduler's count says how long it had it. */
static __always_inline void enter_unseen(struct task_struct *task, struct hp_timeline_task *own,
					 __u64 now)
{
	__u64 off = since(now, own->since_ns), ran = since(task->se.sum_exec_runtime, own->ran_ns);
	__u64 entered = now - (ran < off ? ran : off);

	/* What it was taken for when we began to follow it was wrong: it ran. */
	if (!own->seen && !own->is_new) {
		own->on_ns = own->since_ns;
		return;
	}
	send_absence(task, own, entered, HP_TIMELINE_MISSED);
	own->on_ns = entered;
}

static __always_inline void leave(struct task_struct *task, struct hp_timeline_task *own, __u64 now,
				  bool preempt, unsigned int state)
{
	/* A signal that came in time makes it runnable again; older kernels then still say what it was about to be. */
	bool runnable = preempt || !state || !task->__state;

	own->version++;
	BARRIER();
	if (own->state != HP_TIMELINE_ON)
		enter_unseen(task, own, now);
	own->seen = 1;
	own->is_new = 0;
	own->since_ns = now;
	own->cpu = bpf_get_smp_processor_id();
	own->ran_ns = task->se.sum_exec_runtime;
	own->wait = runnable ? HP_WAIT_PREEMPTED : hp_wait_of(task, state);
	own->state = state & TASK_DEAD ? HP_TIMELINE_DEAD
		     : runnable        ? HP_TIMELINE_RUNNABLE
				       : HP_TIMELINE_BLOCKED;
	BARRIER();
	own->version++;
	if (own->state == HP_TIMELINE_DEAD)
		send_gone(task, own, now);
}

static __always_inline void enter(struct task_struct *task, struct hp_timeline_task *own, __u64 now)
{
	__u8 flags = 0;

	/*
	 * Its leaving was not seen, so what it waited for is not known. Nothing is wrong if it was on its way off when we began to
	 * follow it.
	 */
	if (own->state == HP_TIMELINE_ON) {
		own->wait = HP_WAIT_OTHER;
		flags = own->seen ? HP_TIMELINE_MISSED : 0;
		own->on_ns = 0;
	}
	send_absence(task, own, now, flags);
	own->version++;
	BARRIER();
	own->state = HP_TIMELINE_ON;
	own->since_ns = now;
	own->on_ns = now;
	own->cpu = bpf_get_smp_processor_id();
	own->seen = 1;
	own->is_new = 0;
	own->wake_ns = 0;
	BARRIER();
	own->version++;
}

/* trap:U12: attached only while a timeline is recorded. */
SEC("tp_btf/sched_switch")
int BPF_PROG(hp_timeline_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	struct hp_timeline_task *leaving = followed(prev), *entering = followed(next);
	__u64 now;

	if (!leaving && !entering)
		return 0;
	now = bpf_ktime_get_ns();
	if (leaving)
		leave(prev, leaving, now, preempt, prev_state);
	if (entering)
		enter(next, entering, now);
	return 0;
}

/* In the waker's context; the last one before the thread runs is the one that woke it (offcpu.bpf.c). */
SEC("tp_btf/sched_waking")
int BPF_PROG(hp_timeline_waking, struct task_struct *task)
{
	struct hp_timeline_task *own = followed(task);

	if (own)
		note_waker(ctx, own, bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(hp_timeline_fork, struct task_struct *parent, struct task_struct *child)
{
	struct hp_timeline_task *own;

	if (!hp_is_followed(child->tgid))
		return 0;
	own = follow(child, true);
	if (!own)
		return 0;
	note_waker(ctx, own, own->since_ns);
	own->interrupt = 0;
	return 0;
}

/* Lists the threads; the first reading of a recording begins to follow those that are there. */
SEC("iter/task")
int hp_timeline_list(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct hp_timeline_thread thread;
	struct hp_timeline_task *own;
	__u64 version = 1;

	if (!task || task->exit_state || !hp_is_followed(task->tgid))
		return 0;
	own = follow(task, false);
	if (!own)
		return 0;
	for (int i = 0; i < 16; i++) {
		version = *(volatile __u64 *)&own->version;
		BARRIER();
		fill(&thread, task, own, bpf_ktime_get_ns());
		BARRIER();
		if (!(version & 1) && version == *(volatile __u64 *)&own->version)
			break;
		version = 1;
	}
	if (version & 1) /* its records have it */
		return 0;
	bpf_seq_write(ctx->meta->seq, &thread, sizeof(thread));
	return 0;
}
