// SPDX-License-Identifier: MIT OR GPL-2.0
/* Where threads' time goes when they do not run, and who wakes them. The design block is in userspace/domains/offcpu/offcpu.c. */
#include "lib/wait.bpf.h"

#include <bpf/bpf_tracing.h>

#include "lib/throttle.bpf.h"
#include "lib/waker.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define TASK_DEAD 0x80

/* Stacks a window of lib/throttle.bpf.h, 134 ms: 480 a second and thread, 1900 a second and CPU. */
#define THREAD_STACKS 64
#define CPU_STACKS    256

/* Of a thread. `version` is odd while its own switch changes what follows; the waker's members have another writer. */
struct hp_offcpu_task {
	__u64 version;
	__u64 base_ns, base_cpu_ns;
	__u64 since_ns; /* of the last transition */
	__u64 ran_ns;   /* sum_exec_runtime when it last left the CPU */
	__u8 state, wait;
	__u8 drawn; /* `event` has this wait's stack */
	struct hp_offcpu_times times;
	struct hp_throttle throttle;
	__u64 wake_ns; /* 0: not woken since it last ran */
	struct hp_offcpu_event event;
};

/* 2.5 KiB a thread, made before it can switch: where the scheduler switches no memory may be asked for. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hp_offcpu_task);
} hp_offcpu_tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_throttle);
} hp_cpu_throttle SEC(".maps");

/* Switches of a thread are its own CPU's, one after the other: plain stores suffice, in this order on x86. */
#define BARRIER() asm volatile("" ::: "memory")

static __always_inline void begin(struct hp_offcpu_task *own)
{
	own->version++;
	BARRIER();
}

static __always_inline void end(struct hp_offcpu_task *own)
{
	BARRIER();
	own->version++;
}

static __always_inline __u64 since(__u64 now, __u64 then)
{
	return now > then ? now - then : 0;
}

/*
 * When a wait that began at @began was over. The wake-up may have come while its thread was still on its way off the CPU.
 * 0: it was not seen.
 */
static __always_inline __u64 woken_at(const struct hp_offcpu_task *own, __u64 began, __u64 now)
{
	__u64 wake = *(volatile const __u64 *)&own->wake_ns;

	if (!wake)
		return 0;
	return wake < began ? began : wake > now ? now : wake;
}

/*
 * The storage of a thread that is followed from now on. It may run or switch meanwhile: its first transition will say in what state
 * it was, but not what it waited for.
 */
static __always_inline void follow(struct task_struct *task, bool is_new)
{
	struct hp_offcpu_task *own;
	unsigned int state = task->__state;

	own = bpf_task_storage_get(&hp_offcpu_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!own) {
		hp_count(HP_STAT_OFFCPU_MISSING);
		return;
	}
	if (own->base_ns)
		return;
	own->wait = is_new || !state ? HP_WAIT_PREEMPTED : hp_wait_of(task, state);
	own->base_cpu_ns = task->se.sum_exec_runtime;
	own->since_ns = bpf_ktime_get_ns();
	BARRIER();
	own->base_ns = own->since_ns; /* only now do its switches count */
}

static __always_inline struct hp_offcpu_task *followed(struct task_struct *task)
{
	struct hp_offcpu_task *own;

	if (!hp_is_followed(task->tgid))
		return NULL;
	own = bpf_task_storage_get(&hp_offcpu_tasks, task, 0, 0);
	return own && own->base_ns ? own : NULL;
}

static __always_inline void fill(struct hp_offcpu_thread *thread, struct task_struct *task,
				 const struct hp_offcpu_task *own, __u64 now)
{
	__builtin_memset(thread, 0, sizeof(*thread));
	thread->hdr.domain = HP_DOMAIN_offcpu;
	thread->hdr.kind = HP_EVENT_OFFCPU_GONE;
	thread->hdr.tid = task->pid;
	thread->hdr.ts_ns = now;
	thread->start_ns = task->start_time;
	thread->base_ns = own->base_ns;
	thread->cpu_ns = task->se.sum_exec_runtime - own->base_cpu_ns;
	thread->tgid = task->tgid;
	thread->times = own->times;
	thread->state = own->state;
	thread->wait = own->wait;
	BPF_CORE_READ_STR_INTO(&thread->comm, task, comm);
}

static __always_inline void send_gone(struct task_struct *task, const struct hp_offcpu_task *own,
				      __u64 now)
{
	struct hp_offcpu_thread *gone = NULL;
	void *ring = hp_ring();

	if (ring)
		gone = bpf_ringbuf_reserve(ring, sizeof(*gone), 0);
	if (!gone) {
		hp_count(HP_STAT_RING_FULL);
		return;
	}
	fill(gone, task, own, now);
	bpf_ringbuf_submit(gone, BPF_RB_NO_WAKEUP);
	hp_count(HP_STAT_RECORDS);
}

struct hp_ended_wait {
	__u64 blocked_ns, queue_ns;
};

/* The stack of the thread that leaves the CPU, which is the current one. */
static __always_inline void draw(void *ctx, struct hp_offcpu_task *own, __u64 now)
{
	struct hp_offcpu_event *event = &own->event;
	__u32 zero = 0, shift = 0, nkernel;
	struct hp_throttle *budget = bpf_map_lookup_elem(&hp_cpu_throttle, &zero);

	if (!budget || !hp_throttle_draw(&own->throttle, now, THREAD_STACKS, &shift) ||
	    !hp_throttle_draw(budget, now, CPU_STACKS, &shift))
		return;
	nkernel = hp_kernel_stack(ctx, event->ips, HP_OFFCPU_KERNEL_FRAMES);
	event->nkernel = nkernel;
	event->nuser = hp_walk_task(bpf_get_current_pid_tgid() >> 32, event->ips + nkernel,
				    HP_OFFCPU_USER_FRAMES, &event->end);
	event->shift = shift;
	own->drawn = 1;
}

/* What it left the CPU for is over, it has one since @now. */
static __always_inline void conclude(struct hp_offcpu_task *own, __u64 now,
				     struct hp_ended_wait *ended)
{
	__u64 blocked = 0, queued = since(now, own->since_ns), wake;
	__u32 wait = own->wait;

	if (wait >= HP_NWAITS)
		return;
	if (own->state == HP_OFFCPU_ON) {
		own->times.missed++;
		own->times.on_ns += queued;
		queued = 0;
	} else if (wait != HP_WAIT_PREEMPTED) {
		wake = woken_at(own, own->since_ns, now);
		if (!wake)
			own->times.missed++;
		blocked = since(wake ? wake : now, own->since_ns);
		queued -= blocked;
		own->times.blocked_ns[wait] += blocked;
	} else {
		own->times.blocked_ns[wait] += queued;
	}
	own->times.queue_ns += queued;
	own->times.waits[wait] += own->state != HP_OFFCPU_ON;
	own->state = HP_OFFCPU_ON;
	own->since_ns = now;
	ended->blocked_ns = blocked;
	ended->queue_ns = queued;
}

/*
 * Now and then a thread leaves a CPU that it was not seen to get. The tracepoint did not fire: on virtual machines whose
 * supervisor runs threads in the guest that the kernel does not trace, the switch from one of them to our thread is not reported
 * to anybody (ftrace saw 40 switches to such threads and none from them), nor what hard interrupts wake while it runs. Then the
 * scheduler's count says how long the thread had the CPU.
 */
static __always_inline void conclude_unseen(struct task_struct *task, struct hp_offcpu_task *own,
					    __u64 now)
{
	__u64 off = since(now, own->since_ns), ran = since(task->se.sum_exec_runtime, own->ran_ns);
	struct hp_ended_wait ended;

	own->times.missed++;
	conclude(own, now - (ran < off ? ran : off), &ended);
	own->drawn = 0;
}

static __always_inline void leave(void *ctx, struct task_struct *task, struct hp_offcpu_task *own,
				  __u64 now, bool preempt, unsigned int state)
{
	/* A signal that came in time makes it runnable again; older kernels then still say what it was about to be. */
	bool runnable = preempt || !state || !task->__state;

	begin(own);
	if (own->state != HP_OFFCPU_ON && own->state != HP_OFFCPU_START)
		conclude_unseen(task, own, now);
	own->times.on_ns += since(now, own->since_ns);
	own->times.switches++;
	own->since_ns = now;
	own->ran_ns = task->se.sum_exec_runtime;
	own->wait = runnable ? HP_WAIT_PREEMPTED : hp_wait_of(task, state);
	own->state = state & TASK_DEAD ? HP_OFFCPU_DEAD
		     : runnable        ? HP_OFFCPU_RUNNABLE
				       : HP_OFFCPU_BLOCKED;
	end(own);
	if (own->state == HP_OFFCPU_DEAD)
		send_gone(task, own, now);
	else
		draw(ctx, own, now);
}

static __always_inline void send_wait(struct task_struct *task, struct hp_offcpu_task *own,
				      __u64 now, const struct hp_ended_wait *ended)
{
	struct hp_offcpu_event *event = &own->event;
	void *ring = hp_ring();
	__u32 n;

	if (!own->drawn) {
		const struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

		event->nkernel = 0;
		event->nuser = 1;
		event->shift = 0;
		event->flags |= HP_OFFCPU_LEAF;
		event->ips[0] = regs->ip;
		event->end = HP_STACK_DEPTH;
	}
	event->hdr.domain = HP_DOMAIN_offcpu;
	event->hdr.kind = HP_EVENT_WAIT;
	event->hdr.tid = task->pid;
	event->hdr.ts_ns = now;
	event->tgid = task->tgid;
	event->wait = own->wait;
	event->blocked_ns = ended->blocked_ns;
	event->queue_ns = ended->queue_ns;
	n = event->nkernel + event->nuser;
	if (n > HP_OFFCPU_KERNEL_FRAMES + HP_OFFCPU_USER_FRAMES)
		n = 0;
	if (!ring || bpf_ringbuf_output(ring, event, HP_OFFCPU_EVENT_MIN + n * 8, BPF_RB_NO_WAKEUP))
		hp_count(HP_STAT_OFFCPU_LOST);
	else
		hp_count(HP_STAT_RECORDS);
}

static __always_inline void enter(struct task_struct *task, struct hp_offcpu_task *own, __u64 now)
{
	struct hp_ended_wait ended = {0};

	begin(own);
	conclude(own, now, &ended);
	end(own);
	if (own->drawn || ended.blocked_ns + ended.queue_ns >= HP_OFFCPU_LONG_NS)
		send_wait(task, own, now, &ended);
	own->drawn = 0;
	own->wake_ns = 0;
	own->event.flags = 0;
}

/* trap:U12: called at every switch of the machine; what is not ours costs two comparisons. */
SEC("tp_btf/sched_switch")
int BPF_PROG(hp_offcpu_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	struct hp_offcpu_task *leaving = followed(prev), *entering = followed(next);
	__u64 now;

	if (!leaving && !entering)
		return 0;
	/* The scheduler, too, lets the one end when the other begins, so what this costs is the latter's time. */
	now = bpf_ktime_get_ns();
	if (leaving)
		leave(ctx, prev, leaving, now, preempt, prev_state);
	if (entering)
		enter(next, entering, now);
	return 0;
}

/*
 * In the waker's context, which sched_wakeup is not where CPUs hand each other what they wake. It may come while the thread is still on
 * its way off the CPU, even before its switch is seen: so it is noted whatever the state, and the last one before the
 * thread runs again is the one that woke it.
 */
SEC("tp_btf/sched_waking")
int BPF_PROG(hp_offcpu_waking, struct task_struct *task)
{
	struct hp_offcpu_task *own = followed(task);
	__u64 now;

	if (!own)
		return 0;
	now = bpf_ktime_get_ns();
	if (own->state == HP_OFFCPU_BLOCKED &&
	    (own->drawn || since(now, own->since_ns) >= HP_OFFCPU_LONG_NS))
		hp_waker_note(ctx, &own->event);
	own->wake_ns = now;
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(hp_offcpu_fork, struct task_struct *parent, struct task_struct *child)
{
	if (hp_is_followed(child->tgid))
		follow(child, true);
	return 0;
}

/* What the wait or run that is in progress has taken so far. */
static __always_inline void add_open(struct hp_offcpu_thread *thread, struct task_struct *task,
				     __u64 began, __u64 wake)
{
	__u64 open = since(thread->hdr.ts_ns, began), blocked = open;

	thread->open_ns = open;
	if (thread->state == HP_OFFCPU_ON || (thread->state == HP_OFFCPU_START && task->on_cpu)) {
		thread->times.on_ns += open;
		return;
	}
	if (thread->wait == HP_WAIT_PREEMPTED) {
		thread->times.queue_ns += open;
		thread->times.blocked_ns[HP_WAIT_PREEMPTED] += open;
		return;
	}
	if (wake)
		blocked = since(wake, began);
	thread->times.queue_ns += open - blocked;
	thread->open_ns = blocked;
	if (thread->wait < HP_NWAITS)
		thread->times.blocked_ns[thread->wait] += blocked;
}

/* Lists the threads; the first reading begins to follow those that are there. */
SEC("iter/task")
int hp_offcpu_list(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct hp_offcpu_thread thread;
	struct hp_offcpu_task *own;
	__u64 began = 0, wake = 0, version = 1;

	if (!task || task->exit_state || !hp_is_followed(task->tgid))
		return 0;
	follow(task, false);
	own = followed(task);
	if (!own)
		return 0;
	for (int i = 0; i < 16; i++) {
		version = *(volatile __u64 *)&own->version;
		BARRIER();
		began = own->since_ns;
		wake = woken_at(own, began, bpf_ktime_get_ns());
		fill(&thread, task, own, bpf_ktime_get_ns());
		BARRIER();
		if (!(version & 1) && version == *(volatile __u64 *)&own->version)
			break;
		version = 1;
	}
	if (version & 1 ||
	    thread.state == HP_OFFCPU_DEAD) /* the next reading has it, or its record */
		return 0;
	add_open(&thread, task, began, wake);
	bpf_seq_write(ctx->meta->seq, &thread, sizeof(thread));
	return 0;
}
