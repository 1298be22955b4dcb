// SPDX-License-Identifier: MIT OR GPL-2.0
/* CPU samples of the target's threads. The design block is in userspace/domains/cpu/cpu.c. */
#include "lib/maps.bpf.h"

#define HP_WALK_MEMO /* one program, on timer interrupts, which do not nest */
#include "lib/unwind.bpf.h"

#include "hotpathd/abi/cpu.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Too large for the BPF stack. The timer interrupt does not nest, so one per CPU is enough. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_sample_event);
} hp_scratch SEC(".maps");

static __always_inline bool in_kernel(const struct bpf_perf_event_data *ctx)
{
	return (ctx->regs.cs & 3) == 0;
}

/* trap:S6: a sample taken in the kernel has the user's registers elsewhere. */
static __always_inline __u32 user_stack(struct bpf_perf_event_data *ctx, __u64 *ips, __u8 *ret_end)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct hp_walk_scratch *scratch;

	if (in_kernel(ctx))
		return hp_walk_task(tgid, ips, HP_MAX_USER_STACK, ret_end);
	scratch = hp_walk_scratch_of_cpu();
	if (!scratch)
		return 0;
	HP_WALK_COPY_REGISTERS(scratch, &ctx->regs);
	return hp_walk_user(scratch, tgid, ips, HP_MAX_USER_STACK, ret_end);
}

static __always_inline void count_end(__u32 nuser, __u8 end)
{
	if (end & HP_STACK_GUESSED)
		hp_count(HP_STAT_STACK_GUESSED);
	end &= ~HP_STACK_GUESSED;
	if (!nuser)
		hp_count(HP_STAT_STACK_FAILED);
	else if (end == HP_STACK_DEPTH)
		hp_count(HP_STAT_STACK_CUT);
	else if (end >= HP_STACK_NO_TABLE && end <= HP_STACK_NO_PROGRESS)
		hp_count(HP_STAT_STACK_NO_TABLE + end - HP_STACK_NO_TABLE);
}

SEC("perf_event")
int hp_cpu_sample(struct bpf_perf_event_data *ctx)
{
	struct hp_sample_event *event;
	__u32 key = 0, nkernel, nuser;
	void *ring;

	if (!hp_is_followed(bpf_get_current_pid_tgid() >> 32))
		return 0;
	ring = hp_ring();
	event = bpf_map_lookup_elem(&hp_scratch, &key);
	if (!ring || !event)
		return 0;

	/* Of a sample in user space the helper has nothing to say, but does not say so for nothing. */
	nkernel = in_kernel(ctx) ? hp_kernel_stack(ctx, event->ips, HP_MAX_KERNEL_STACK) : 0;
	nuser = user_stack(ctx, event->ips + nkernel, &event->end);
	count_end(nuser, event->end);

	event->hdr.domain = HP_DOMAIN_cpu;
	event->hdr.kind = HP_EVENT_SAMPLE;
	event->hdr.tid = bpf_get_current_pid_tgid();
	event->hdr.ts_ns = bpf_ktime_get_ns();
	event->tgid = bpf_get_current_pid_tgid() >> 32;
	event->nkernel = nkernel;
	event->nuser = nuser;
	if (bpf_ringbuf_output(ring, event, 24 + (nkernel + nuser) * 8, BPF_RB_NO_WAKEUP))
		hp_count(HP_STAT_RING_FULL);
	else
		hp_count(HP_STAT_RECORDS);
	return 0;
}
