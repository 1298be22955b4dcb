/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/* The table of live blocks. */
#include "hotpathd/abi/alloc.h"
#include "lib/drawn.bpf.h"
#include "lib/maps.bpf.h"

/* The blocks that live; abi/alloc.h has why it is a hash map. User space sets the size (--alloc-blocks). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct hp_alloc_block);
} hp_alloc_blocks SEC(".maps");

static __always_inline __u64 hp_live_key(const struct task_struct *task, __u64 block)
{
	__u64 tgid = task->tgid;

	return hp_config.follow ? block ^ (tgid << 47 | tgid >> 17) : block;
}

/* Takes @block out of the table. */
static __always_inline bool hp_live_take(struct task_struct *task, __u64 block,
					 struct hp_alloc_block *taken)
{
	__u64 key = hp_live_key(task, block);
	const struct hp_alloc_block *found = bpf_map_lookup_elem(&hp_alloc_blocks, &key);

	if (!found)
		return false;
	*taken = *found;
	return !bpf_map_delete_elem(&hp_alloc_blocks, &key);
}

/* False: there is no room. */
static __always_inline bool hp_live_put(struct task_struct *task, struct hp_alloc_cell *cell,
					__u64 block, const struct hp_alloc_block *value)
{
	__u64 key = hp_live_key(task, block);
	const struct hp_alloc_block *before = bpf_map_lookup_elem(&hp_alloc_blocks, &key);

	if (before) {
		__sync_fetch_and_add(&cell->replaced, 1);
		__sync_fetch_and_add(&cell->replaced_bytes, before->size);
		if (before->drawn)
			hp_drawn_release(task, block, before, value->born_ns);
	}
	if (!bpf_map_update_elem(&hp_alloc_blocks, &key, value, BPF_ANY))
		return true;
	if (before)
		bpf_map_delete_elem(&hp_alloc_blocks, &key);
	__sync_fetch_and_add(&cell->untracked, 1);
	__sync_fetch_and_add(&cell->untracked_bytes, value->size);
	return false;
}

/* Its record is lost: nobody would know what its release is of. */
static __always_inline void hp_live_forget_draw(struct task_struct *task, __u64 block)
{
	__u64 key = hp_live_key(task, block);
	struct hp_alloc_block *found = bpf_map_lookup_elem(&hp_alloc_blocks, &key);

	if (found)
		found->drawn = 0;
}
