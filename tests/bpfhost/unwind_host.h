/*
 * bpf/lib/unwind.bpf.h in user space: the walk as it is, on maps that are arrays of exactly their size, so that the
 * sanitizer sees what the verifier would not allow, and on this process's own memory.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"    /* to unroll loops is for the verifier */
#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* global functions are, too */
#define HP_WALK_MEMO
#include "lib/unwind.bpf.h"
#pragma GCC diagnostic pop

#define HOST_TGID 100
#ifndef HOST_PAGES /* a test of large programs needs more */
#define HOST_PAGES  1024
#define HOST_ARENAS 16
#endif

static struct {
	struct hp_unwind_space *space;
	struct hp_unwind_page *pages;
	struct hp_unwind_rule *rules;
	struct hp_unwind_arena *arenas[HOST_ARENAS];
	__u32 npages, nrules, narenas, nrows; /* in use; rows: of the last arena */
	__u32 active;                         /* space of the process */
	struct hp_walk_scratch *scratch;
	struct hp_walk_memo *memos;
	struct task_struct task;
	struct uprobe_task utask;
	__u64 readable, readable_end;
	unsigned reads, steps;
	/* Instead of this process's memory: 0 or negative. */
	long (*read)(void *dst, __u32 size, __u64 at);
} host;

static inline void host_setup(void)
{
	memset(&host, 0, sizeof(host));
	host.space = calloc(1, sizeof(*host.space));
	host.pages = calloc(HOST_PAGES, sizeof(*host.pages));
	host.rules = calloc(HP_UNWIND_RULES, sizeof(*host.rules));
	host.scratch = calloc(1, sizeof(*host.scratch));
	host.memos = calloc(HP_WALK_MEMOS, sizeof(*host.memos));
	assert_true(host.space && host.pages && host.rules && host.scratch && host.memos);
	host.space->stamp = 1;
	for (size_t i = 0; i < HP_UNWIND_MAPPINGS; i++)
		host.space->mappings[i] = (struct hp_unwind_mapping){.start = HP_UNWIND_NOWHERE,
								     .end = HP_UNWIND_NOWHERE};
	host.rules[HP_UNWIND_RULE_END].cfa = HP_UNWIND_END;
	host.rules[HP_UNWIND_RULE_UNKNOWN].cfa = HP_UNWIND_UNKNOWN;
	host.nrules = 3;
	host.task.utask = &host.utask;
}

static inline void host_teardown(void)
{
	free(host.space);
	free(host.pages);
	free(host.rules);
	free(host.scratch);
	free(host.memos);
	for (size_t i = 0; i < HOST_ARENAS; i++)
		free(host.arenas[i]);
}

/* The next page, with @n rows; those of @rows are of rule numbers that the tables use. */
static inline void host_add_page(const hp_unwind_row *rows, __u32 n)
{
	if (!host.narenas || host.nrows + n > HP_UNWIND_ARENA_ROWS) {
		assert_true(host.narenas < HOST_ARENAS);
		host.arenas[host.narenas] = calloc(1, sizeof(**host.arenas));
		assert_non_null(host.arenas[host.narenas++]);
		host.nrows = 0;
	}
	assert_true(host.npages < HOST_PAGES);
	host.space->stamp++;
	memcpy(host.arenas[host.narenas - 1]->rows + host.nrows, rows, n * sizeof(*rows));
	host.pages[host.npages++] = (struct hp_unwind_page){
		.arena = (__u16)(host.narenas - 1), .first = (__u16)host.nrows, .rows = n};
	host.nrows += n;
}

/* In the order of addresses. */
static inline void host_add_mapping(__u64 start, __u64 end, __u32 page, __u32 skew)
{
	assert_true(host.space->count < HP_UNWIND_MAPPINGS);
	host.space->stamp++;
	host.space->mappings[host.space->count++] =
		(struct hp_unwind_mapping){.start = start, .end = end, .page = page, .skew = skew};
}

void *bpf_map_lookup_elem(void *map, const void *key)
{
	__u32 i = *(const __u32 *)key;

	for (size_t arena = 0; arena < HOST_ARENAS; arena++) {
		if (map == host.arenas[arena])
			return i == 0 ? map : NULL;
	}
	if (map == &hp_unwind_active)
		return i == HOST_TGID ? &host.active : NULL;
	if (map == &hp_unwind_spaces)
		return i == 0 ? host.space : NULL;
	if (map == &hp_unwind_pages)
		return i < HOST_PAGES ? &host.pages[i] : NULL;
	if (map == &hp_unwind_arenas)
		return i < HOST_ARENAS ? host.arenas[i] : NULL;
	if (map == &hp_unwind_rules)
		return i < HP_UNWIND_RULES ? &host.rules[i] : NULL;
	if (map == &hp_walk_memos)
		return i < HP_WALK_MEMOS ? &host.memos[i] : NULL;
	return map == &hp_walk_scratch && i == 0 ? host.scratch : NULL;
}

/* By the kernel, which refuses what is not mapped, and past the sanitizer, which knows of gaps in a stack. */
long bpf_probe_read_user(void *dst, __u32 size, const void *src)
{
	const struct iovec to = {dst, size}, from = {(void *)src, size};
	__u64 at = (uintptr_t)src;

	host.reads++;
	if (host.readable && (at < host.readable || at > host.readable_end - size))
		return -14;
	if (host.read)
		return host.read(dst, size, at);
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)size ? 0 : -14;
}

long bpf_loop(__u32 n, void *step, void *ctx, __u64 flags)
{
	long (*call)(__u32, void *) = (long (*)(__u32, void *))step;

	for (host.steps = 0; host.steps < n; host.steps++) {
		if (call(host.steps, ctx))
			return host.steps + 1;
	}
	return n;
}

struct task_struct *bpf_get_current_task_btf(void)
{
	return &host.task;
}

static struct pt_regs host_regs; /* of the task; without memory, a kernel thread */

long bpf_task_pt_regs(struct task_struct *task)
{
	return (long)&host_regs;
}

long bpf_probe_read_kernel(void *dst, __u32 size, const void *src)
{
	memcpy(dst, src, size);
	return 0;
}

__u32 bpf_get_smp_processor_id(void)
{
	return 0;
}
