/*
 * bpf/alloc.bpf.c in user space: the programs as they are, on threads with a stack of their own, with a table of blocks that has as
 * much room as a test wants. No request is drawn (the walk of stacks has tests of its own).
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* only the kernel calls programs */
#pragma GCC diagnostic ignored "-Wunknown-pragmas"    /* to unroll loops is for the verifier */
#define const
#include "alloc.bpf.c"
#undef const
#pragma GCC diagnostic pop

#define HOST_WORDS      1024
#define HOST_BLOCKS     4096
#define HOST_TRAMPOLINE 0x7fffffffe000ull
#define HOST_ENTITIES   16

struct host_thread {
	struct task_struct task;
	struct mm_struct mm;
	struct xol_area area;
	struct uprobe_task utask;
	struct hp_alloc_state state;
	struct hp_shadow shadow;
	bool has_state;
	__u64 stack[HOST_WORDS]; /* grows down; a stack pointer is the address of a word */
};

static struct {
	struct host_thread threads[2];
	struct host_thread *current;
	struct hp_alloc_role roles[HOST_ENTITIES];
	struct hp_alloc_cell cell;
	__u64 stats[HP_NSTATS], now_ns;
	struct {
		__u64 addr;
		struct hp_alloc_block block;
	} blocks[HOST_BLOCKS];
	size_t nblocks, max_blocks;
	bool session_return;
} host;

static inline void host_reset(void)
{
	memset(&host, 0, sizeof(host));
	host.max_blocks = HOST_BLOCKS;
	host.current = &host.threads[0];
	for (int i = 0; i < 2; i++) {
		struct host_thread *thread = &host.threads[i];

		thread->task.mm = &thread->mm;
		thread->task.utask = &thread->utask;
		thread->task.tgid = 100;
		thread->task.pid = 100 + i;
		thread->mm.uprobes_state.xol_area = &thread->area;
		thread->area.vaddr = HOST_TRAMPOLINE;
	}
	hp_config = (struct hp_config){.tgid = 100, .ncpus = 1, .nrings = 1, .nentities = 1};
	hp_alloc_alive_until_ns = UINT64_MAX;
	hp_alloc_period = UINT32_MAX;
	for (size_t i = 0; i <= HP_ALLOC_GAPS; i++)
		((__u32 *)hp_alloc_gaps)[i] = UINT32_MAX;
}

static inline struct hp_alloc_block *host_block(__u64 addr)
{
	for (size_t i = 0; i < host.nblocks; i++) {
		if (host.blocks[i].addr == addr)
			return &host.blocks[i].block;
	}
	return NULL;
}

void *bpf_map_lookup_elem(void *map, const void *key)
{
	__u32 i = *(const __u32 *)key;

	if (map == &hp_alloc_blocks)
		return host_block(*(const __u64 *)key);
	if (map == &hp_alloc_roles)
		return i < HOST_ENTITIES ? &host.roles[i] : NULL;
	if (map == &hp_alloc_cells)
		return i == 0 ? &host.cell : NULL;
	return map == &hp_stats && i < HP_NSTATS ? &host.stats[i] : NULL;
}

long bpf_map_update_elem(void *map, const void *key, const void *value, __u64 flags)
{
	struct hp_alloc_block *block = host_block(*(const __u64 *)key);

	if (map != &hp_alloc_blocks || (!block && host.nblocks >= host.max_blocks))
		return -7;
	if (!block) {
		host.blocks[host.nblocks].addr = *(const __u64 *)key;
		block = &host.blocks[host.nblocks++].block;
	}
	memcpy(block, value, sizeof(*block));
	return 0;
}

long bpf_map_delete_elem(void *map, const void *key)
{
	for (size_t i = 0; i < host.nblocks; i++) {
		if (host.blocks[i].addr != *(const __u64 *)key)
			continue;
		host.blocks[i] = host.blocks[--host.nblocks];
		return 0;
	}
	return -2;
}

void *bpf_task_storage_get(void *map, struct task_struct *task, void *value, __u64 flags)
{
	struct host_thread *thread = (struct host_thread *)task; /* its first member */

	if (map == &hp_shadows)
		return &thread->shadow;
	if (map != &hp_alloc_states)
		return NULL;
	thread->has_state |= (flags & BPF_LOCAL_STORAGE_GET_F_CREATE) != 0;
	return thread->has_state ? &thread->state : NULL;
}

struct task_struct *bpf_get_current_task_btf(void)
{
	return &host.current->task;
}

__u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

__u64 bpf_get_attach_cookie(const struct pt_regs *ctx)
{
	return ctx->cookie;
}

__u64 bpf_ktime_get_ns(void)
{
	return ++host.now_ns;
}

__u32 bpf_get_prandom_u32(void)
{
	return 0;
}

long bpf_probe_read_user(void *dst, __u32 size, const void *src)
{
	const __u64 *word = src;

	if (word < host.current->stack || word >= host.current->stack + HOST_WORDS)
		return -14;
	memcpy(dst, src, size);
	return 0;
}

bool bpf_session_is_return(void *ctx)
{
	return host.session_return;
}

__u64 *bpf_session_cookie(void *ctx)
{
	return NULL;
}

/* Only for what is drawn: nothing is. */
long bpf_ringbuf_output(void *ring, void *data, __u64 size, __u64 flags)
{
	return -11;
}

void *bpf_ringbuf_reserve(void *ring, __u64 size, __u64 flags)
{
	return NULL;
}

void bpf_ringbuf_submit(void *data, __u64 flags)
{
}

long bpf_loop(__u32 n, void *step, void *ctx, __u64 flags)
{
	return -2;
}

long bpf_probe_read_kernel(void *dst, __u32 size, const void *src)
{
	memcpy(dst, src, size);
	return 0;
}

long bpf_seq_write(struct seq_file *seq, const void *data, __u32 size)
{
	return -75;
}
