/*
 * Stands in for libbpf's header: the map definitions become plain variables, the helpers those of
 * tests/bpfhost/host.h.
 */
#pragma once

#define SEC(name)
#define __ksym
#define __weak             __attribute__((weak))
#define __uint(name, val)  int(*name)[val]
#define __type(name, val)  __typeof__(val) *name
#define __array(name, val) __typeof__(val) *name[]

void *bpf_map_lookup_elem(void *map, const void *key);
void *bpf_task_storage_get(void *map, struct task_struct *task, void *value, __u64 flags);
long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags);
long bpf_map_delete_elem(void *map, const void *key);
struct task_struct *bpf_get_current_task_btf(void);
__u32 bpf_get_smp_processor_id(void);
__u64 bpf_get_current_pid_tgid(void);
__u64 bpf_get_attach_cookie(const struct pt_regs *ctx);
__u64 bpf_ktime_get_ns(void);
long bpf_probe_read_user_str(void *dst, __u32 size, const void *src);
long bpf_get_stack(void *ctx, void *buf, __u32 size, __u64 flags);
long bpf_get_task_stack(struct task_struct *task, void *buf, __u32 size, __u64 flags);
long bpf_ringbuf_output(void *ring, void *data, __u64 size, __u64 flags);
long bpf_probe_read_user(void *dst, __u32 size, const void *src);
void *bpf_ringbuf_reserve(void *ring, __u64 size, __u64 flags);
void bpf_ringbuf_submit(void *data, __u64 flags);
static inline void bpf_tail_call(void *ctx, void *map, __u32 index)
{
}

void bpf_ringbuf_discard(void *data, __u64 flags);
__u32 bpf_get_prandom_u32(void);
long bpf_probe_read_kernel(void *dst, __u32 size, const void *src);
long bpf_task_pt_regs(struct task_struct *task);
long bpf_copy_from_user_task(void *dst, __u32 size, const void *src, struct task_struct *task,
			     __u64 flags);
long bpf_loop(__u32 n, void *step, void *ctx, __u64 flags);
long bpf_seq_write(struct seq_file *seq, const void *data, __u32 size);
