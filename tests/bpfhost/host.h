/*
 * bpf/functions.bpf.c in user space: the programs and the shadow stack as they are, on a simulated
 * machine with a clock that the test moves, threads with a stack of their own, maps that are arrays
 * and one ring.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/*
 * User space writes hp_config before the object is loaded; here a test does, so it cannot be
 * constant.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* only the kernel calls programs */
#define const
#include "functions.bpf.c"
#undef const
#pragma GCC diagnostic pop

#define HOST_ENTITIES   8
#define HOST_WORDS      512
#define HOST_EVENTS     4096
#define HOST_TRAMPOLINE 0x7fffffffe000ull
#define HOST_GOROUTINES 8

struct host_thread {
	struct task_struct task;
	struct mm_struct mm;
	struct xol_area area;
	struct uprobe_task utask;
	struct pt_regs regs; /* as the kernel saved them */
	struct hp_shadow shadow;
	struct hp_values_store store;
	bool has_shadow, has_store;
	__u32 tid;
	__u64 stack[HOST_WORDS]; /* grows down; a stack pointer is the address of a word */
};

/* As struct g begins, and the map of shadow stacks. */
struct host_goroutine {
	struct {
		__u64 lo, hi;
	} stack;
	struct hp_shadow shadow;
	bool has_shadow;
};

struct host {
	struct host_goroutine goroutines[HOST_GOROUTINES];
	__u64 now_ns;
	struct host_thread threads[2];
	struct host_thread *current;
	struct hp_cell cells[HOST_ENTITIES];
	struct hp_control controls[HOST_ENTITIES];
	__u64 stats[HP_NSTATS];
	struct hp_values_spec specs[HOST_ENTITIES];
	bool has_spec[HOST_ENTITIES];
	struct hp_values_event values; /* the last one that was sent */
	void (*got_values)(const struct hp_values_event *event);
	struct hp_call_event events[HOST_EVENTS];
	size_t nevents;
	bool ring_full, no_storage;
	bool session_return;
	__u32 random, cpu, ring; /* the ring that was asked for last */
	__u64 *session_cookie;
};

/* What an iterator has written; `meanwhile` runs between two writes, as the thread that is read may. */
struct seq_file {
	char data[16384];
	size_t len;
	unsigned writes;
	void (*meanwhile)(unsigned writes);
};

static struct host host;

static inline void host_reset(void)
{
	memset(&host, 0, sizeof(host));
	host.now_ns = 1000000;
	host.current = &host.threads[0];
	for (unsigned i = 0; i < 2; i++) {
		struct host_thread *thread = &host.threads[i];

		thread->task.mm = &thread->mm;
		thread->task.utask = &thread->utask;
		thread->mm.uprobes_state.xol_area = &thread->area;
		thread->area.vaddr = HOST_TRAMPOLINE;
		thread->tid = 100 + i;
		thread->task.pid = thread->tid;
		thread->task.tgid = 100;
	}
	for (unsigned i = 0; i < HOST_ENTITIES; i++)
		host.controls[i].generation = 1;
	hp_config = (struct hp_config){
		.tgid = 100, .ncpus = 1, .nrings = 1, .nentities = HOST_ENTITIES};
	hp_alive_until_ns = UINT64_MAX;
}

static struct host_goroutine *host_goroutine(const void *key)
{
	uintptr_t g = *(const __u64 *)key, first = (uintptr_t)host.goroutines;
	size_t i = (g - first) / sizeof(host.goroutines[0]);

	return g >= first && i < HOST_GOROUTINES ? &host.goroutines[i] : NULL;
}

static void *host_lookup_goroutine(const void *key)
{
	struct host_goroutine *goroutine = host_goroutine(key);

	return goroutine && goroutine->has_shadow ? &goroutine->shadow : NULL;
}

long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags)
{
	struct host_goroutine *goroutine = host_goroutine(key);

	if (map != &hp_goroutines || flags != BPF_NOEXIST || !goroutine || host.no_storage)
		return -7;
	memcpy(&goroutine->shadow, value, sizeof(goroutine->shadow));
	goroutine->has_shadow = true;
	return 0;
}

long bpf_map_delete_elem(void *map, const void *key)
{
	struct host_goroutine *goroutine = host_goroutine(key);

	if (map != &hp_goroutines || !goroutine || !goroutine->has_shadow)
		return -2;
	goroutine->has_shadow = false;
	return 0;
}

void *bpf_map_lookup_elem(void *map, const void *key)
{
	__u32 i = *(const __u32 *)key;

	if (map == &hp_goroutines)
		return host_lookup_goroutine(key);
	if (map == &hp_totals)
		return i < HOST_ENTITIES ? &host.cells[i] : NULL;
	if (map == &hp_controls)
		return i < HOST_ENTITIES ? &host.controls[i] : NULL;
	if (map == &hp_stats)
		return i < HP_NSTATS ? &host.stats[i] : NULL;
	if (map == &hp_value_specs)
		return i < HOST_ENTITIES && host.has_spec[i] ? &host.specs[i] : NULL;
	if (map == &hp_rings)
		host.ring = i;
	return map == &hp_rings && i == 0 ? host.events : NULL;
}

void *bpf_task_storage_get(void *map, struct task_struct *task, void *value, __u64 flags)
{
	struct host_thread *thread = (struct host_thread *)task; /* its first member */

	if (host.no_storage)
		return NULL;
	if (map == &hp_value_stores) {
		thread->has_store |= (flags & BPF_LOCAL_STORAGE_GET_F_CREATE) != 0;
		return thread->has_store ? &thread->store : NULL;
	}
	if (flags & BPF_LOCAL_STORAGE_GET_F_CREATE)
		thread->has_shadow = true;
	return thread->has_shadow ? &thread->shadow : NULL;
}

struct task_struct *bpf_get_current_task_btf(void)
{
	return &host.current->task;
}

__u32 bpf_get_smp_processor_id(void)
{
	return host.cpu;
}

__u64 bpf_get_current_pid_tgid(void)
{
	return (__u64)host.current->task.tgid << 32 | host.current->tid;
}

__u64 bpf_get_attach_cookie(const struct pt_regs *ctx)
{
	return ctx->cookie;
}

__u64 bpf_ktime_get_ns(void)
{
	return host.now_ns;
}

long bpf_probe_read_user(void *dst, __u32 size, const void *src)
{
	const __u64 *word = src, g = (uintptr_t)src;

	if (!host_goroutine(&g) &&
	    (word < host.current->stack || word >= host.current->stack + HOST_WORDS))
		return -14;
	memcpy(dst, src, size);
	return 0;
}

/* Texts of the simulated program lie on its stack. */
long bpf_probe_read_user_str(void *dst, __u32 size, const void *src)
{
	const char *text = src, *end = (const char *)(host.current->stack + HOST_WORDS);
	char *to = dst;

	for (__u32 i = 0; i < size; i++) {
		if (text + i < (const char *)host.current->stack || text + i >= end)
			return -14;
		to[i] = text[i];
		if (!to[i])
			return i + 1;
	}
	to[size - 1] = '\0';
	return size;
}

long bpf_ringbuf_output(void *ring, void *data, __u64 size, __u64 flags)
{
	if (host.ring_full)
		return -11;
	memset(&host.values, 0xee, sizeof(host.values));
	memcpy(&host.values, data, size);
	host.events[host.nevents++ % HOST_EVENTS] = host.values.call;
	if (host.got_values)
		host.got_values(&host.values);
	return 0;
}

long bpf_get_task_stack(struct task_struct *task, void *buf, __u32 size, __u64 flags)
{
	return -14;
}

void *bpf_ringbuf_reserve(void *ring, __u64 size, __u64 flags)
{
	return host.ring_full ? NULL : &host.events[host.nevents % HOST_EVENTS];
}

void bpf_ringbuf_submit(void *data, __u64 flags)
{
	host.nevents++;
}

void bpf_ringbuf_discard(void *data, __u64 flags)
{
}

__u32 bpf_get_prandom_u32(void)
{
	host.random = host.random * 1664525 +
		      1013904223; /* Numerical Recipes' generator; upper bits are the good ones */
	return host.random >> 16 | host.random << 16;
}

bool bpf_session_is_return(void *ctx)
{
	return host.session_return;
}

__u64 *bpf_session_cookie(void *ctx)
{
	return host.session_cookie;
}

long bpf_probe_read_kernel(void *dst, __u32 size, const void *src)
{
	memcpy(dst, src, size);
	return 0;
}

long bpf_task_pt_regs(struct task_struct *task)
{
	return (long)&((struct host_thread *)task)->regs;
}

long bpf_copy_from_user_task(void *dst, __u32 size, const void *src, struct task_struct *task,
			     __u64 flags)
{
	const struct host_thread *thread = (const struct host_thread *)task;
	const __u64 *word = src;

	if (word < thread->stack || word >= thread->stack + HOST_WORDS)
		return -14;
	memcpy(dst, src, size);
	return 0;
}

long bpf_seq_write(struct seq_file *seq, const void *data, __u32 size)
{
	if (size > sizeof(seq->data) - seq->len)
		return -75;
	memcpy(seq->data + seq->len, data, size);
	seq->len += size;
	if (seq->meanwhile)
		seq->meanwhile(seq->writes);
	seq->writes++;
	return 0;
}
