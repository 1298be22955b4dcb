/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Finds the unwind rule of an address: mapping, page, row. The searches have no branches but for large processes and pages, so
 * that the verifier sees few paths and the CPU mispredicts nothing.
 */
#include "lib/unwind_maps.bpf.h"

/* All ones if @a < @b, else 0; for numbers below 2^63. */
static __always_inline __u64 hp_below(__u64 a, __u64 b)
{
	return (__u64)((__s64)(a - b) >> 63);
}

/* The compiler must not know what the verifier has to see. */
#define HP_OPAQUE(value) asm volatile("" : "+r"(value))

static __always_inline __u64 hp_walk_mapping(const struct hp_unwind_space *space, __u64 pc,
					     __u64 at, __u32 step)
{
	__u64 next = at + step;

	HP_OPAQUE(next);
	next &= HP_UNWIND_MAPPINGS - 1;
	return at + (step & ~hp_below(pc, space->mappings[next].start));
}

/* Index of the last mapping that starts at or below @pc; 0 also if there is none. Unused ones start at the end of the world. */
static __always_inline __u32 hp_walk_search(const struct hp_unwind_space *space, __u64 pc)
{
	__u64 at = 0;

	if (space->count > 64) {
		at = hp_walk_mapping(space, pc, at, 512);
		at = hp_walk_mapping(space, pc, at, 256);
		at = hp_walk_mapping(space, pc, at, 128);
		at = hp_walk_mapping(space, pc, at, 64);
	}
#pragma unroll
	for (__u32 step = 32; step; step /= 2)
		at = hp_walk_mapping(space, pc, at, step);
	HP_OPAQUE(at);
	return at & (HP_UNWIND_MAPPINGS - 1);
}

static __always_inline __u64 hp_walk_row(const struct hp_unwind_arena *arena, __u64 first,
					 __u64 rows, __u64 low, __u64 at, __u32 step)
{
	__u64 next = first + at + step;

	HP_OPAQUE(next);
	next &= HP_UNWIND_ARENA_ROWS - 1;
	return at + (step & hp_below(at + step, rows) &
		     ~hp_below(low, HP_UNWIND_ROW_LOW(arena->rows[next])));
}

/* Rule of the row that holds @low, in the page's @rows rows from @first on. */
static __always_inline __u32 hp_walk_find_row(const struct hp_unwind_arena *arena, __u64 first,
					      __u64 rows, __u64 low)
{
	__u64 at = 0, index;

	/* Few pages have more: a row holds for about 100 bytes of code. */
	if (rows > 1024) {
#pragma unroll
		for (__u32 step = 32768; step >= 1024; step /= 2)
			at = hp_walk_row(arena, first, rows, low, at, step);
	}
#pragma unroll
	for (__u32 step = 512; step; step /= 2)
		at = hp_walk_row(arena, first, rows, low, at, step);
	index = first + at;
	HP_OPAQUE(index);
	return HP_UNWIND_ROW_RULE(arena->rows[index & (HP_UNWIND_ARENA_ROWS - 1)]);
}

static __always_inline __u32 hp_walk_look_up(const struct hp_unwind_space *space, __u64 pc,
					     __u32 *at)
{
	const struct hp_unwind_mapping *mapping;
	const struct hp_unwind_page *page;
	const struct hp_unwind_arena *arena;
	__u32 key, zero = 0;
	void *inner;
	__u64 offset;

	/* The caller is in the same file more often than not. */
	mapping = &space->mappings[*at & (HP_UNWIND_MAPPINGS - 1)];
	if (pc < mapping->start || pc >= mapping->end) {
		*at = hp_walk_search(space, pc);
		mapping = &space->mappings[*at & (HP_UNWIND_MAPPINGS - 1)];
		if (pc < mapping->start || pc >= mapping->end)
			return HP_UNWIND_RULE_NONE;
	}
	offset = pc - mapping->start + mapping->skew;
	key = mapping->page + (offset >> HP_UNWIND_PAGE_SHIFT);
	page = bpf_map_lookup_elem(&hp_unwind_pages, &key);
	if (!page || !page->rows)
		return HP_UNWIND_RULE_NONE;
	key = page->arena;
	inner = bpf_map_lookup_elem(&hp_unwind_arenas, &key);
	if (!inner)
		return HP_UNWIND_RULE_NONE;
	arena = bpf_map_lookup_elem(inner, &zero);
	if (!arena)
		return HP_UNWIND_RULE_NONE;
	return hp_walk_find_row(arena, page->first, page->rows, offset & 0xffff);
}

/*
 * Most frames were met before, in the sample before this one. What was found for an address holds as long as the list of mappings is the same,
 * whose stamp tells. One memo a place, by hash. Only for programs that never interrupt or replace each other on a CPU: a memo has two words.
 */
struct hp_walk_memo {
	__u64 pc;
	__u32 stamp, rule;
};

#ifdef HP_WALK_MEMO
#define HP_WALK_MEMOS 1024 /* 16 KiB a CPU */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HP_WALK_MEMOS);
	__type(key, __u32);
	__type(value, struct hp_walk_memo);
} hp_walk_memos SEC(".maps");

static __always_inline struct hp_walk_memo *hp_walk_memo_of(__u64 pc)
{
	__u32 key = (pc * 0x9e3779b97f4a7c15ull) >> 54;

	return bpf_map_lookup_elem(&hp_walk_memos, &key);
}
#else
static __always_inline struct hp_walk_memo *hp_walk_memo_of(__u64 pc)
{
	return NULL;
}
#endif

/*
 * Number of the rule for @pc; HP_UNWIND_RULE_NONE where there is no table. *@at: mapping of the last frame, then of this
 * one. A global function, as hp_walk_original() is: the verifier looks at each once and not on every path that leads there.
 */
__attribute__((noinline)) int hp_walk_find(__u32 index, __u64 pc, __u32 *at)
{
	const struct hp_unwind_space *space = bpf_map_lookup_elem(&hp_unwind_spaces, &index);
	struct hp_walk_memo *memo;
	__u32 rule;

	if (!space || !at)
		return HP_UNWIND_RULE_NONE;
	memo = hp_walk_memo_of(pc);
	if (memo && memo->pc == pc && memo->stamp == space->stamp)
		return memo->rule;
	rule = hp_walk_look_up(space, pc, at);
	if (memo) {
		memo->pc = pc;
		memo->stamp = space->stamp;
		memo->rule = rule;
	}
	return rule;
}
