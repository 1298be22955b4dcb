// SPDX-License-Identifier: MIT OR GPL-2.0
/* CPU samples of the target's threads. The design block is in userspace/domains/cpu/cpu.c. */
#include "lib/maps.bpf.h"

#include "hotpathd/abi/cpu.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Too large for the BPF stack. The timer interrupt does not nest, so one per CPU is enough. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_sample_event);
} hp_scratch SEC(".maps");

static __always_inline __u32 frames(long bytes, __u32 max)
{
	return bytes <= 0 ? 0 : bytes / 8 > max ? max : bytes / 8;
}

SEC("perf_event")
int hp_cpu_sample(struct bpf_perf_event_data *ctx)
{
	struct hp_sample_event *event;
	__u32 key = 0, nkernel, nuser;
	void *ring;
	long got;

	if (!hp_is_followed(bpf_get_current_pid_tgid() >> 32))
		return 0;
	ring = hp_ring();
	event = bpf_map_lookup_elem(&hp_scratch, &key);
	if (!ring || !event)
		return 0;

	got = bpf_get_stack(ctx, event->ips, HP_MAX_KERNEL_STACK * 8, 0);
	nkernel = frames(got, HP_MAX_KERNEL_STACK);
	got = bpf_get_stack(ctx, event->ips + nkernel, HP_MAX_USER_STACK * 8, BPF_F_USER_STACK);
	nuser = frames(got, HP_MAX_USER_STACK);
	if (!nuser)
		hp_count(HP_STAT_STACK_FAILED);
	if (nuser == HP_MAX_USER_STACK)
		hp_count(HP_STAT_STACK_CUT);

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
