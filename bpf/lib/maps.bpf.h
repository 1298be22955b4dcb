/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "hotpathd/abi/config.h"
#include "hotpathd/abi/family.h"
#include "hotpathd/abi/stats.h"

/*
 * Maps that all objects share. core.bpf.o creates them; user space gives their descriptors to the
 * other objects (bpf_map__reuse_fd), so a domain that the kernel rejects costs that domain alone.
 * Sizes here let an object load by itself; user space sets the real ones.
 */
struct hp_ring_inner {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, HP_MAX_RINGS);
	__type(key, __u32);
	__array(values, struct hp_ring_inner);
} hp_rings SEC(".maps");

/* One row of counters per CPU; mapped by user space, which reads without a system call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, HP_NSTATS);
	__type(key, __u32);
	__type(value, __u64);
} hp_stats SEC(".maps");

/* A hash map, as process ids are sparse; looked up only for processes that are not the target. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HP_FAMILY_MAX);
	__type(key, __u32);
	__type(value, struct hp_member);
} hp_family SEC(".maps");

/* Children that have ended, and when: the last figures of their threads come later. Forgets the oldest by itself. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HP_FAMILY_MAX);
	__type(key, __u32);
	__type(value, __u64);
} hp_family_late SEC(".maps");

const volatile struct hp_config hp_config = {.ncpus = 1, .nrings = 1, .nentities = 1};

static __always_inline void hp_count_many(enum hp_stat stat, __u64 n)
{
	__u32 key = bpf_get_smp_processor_id() * HP_NSTATS + stat;
	__u64 *cell;

	if (!n)
		return;
	cell = bpf_map_lookup_elem(&hp_stats, &key);
	if (cell)
		__sync_fetch_and_add(cell, n);
}

static __always_inline void hp_count(enum hp_stat stat)
{
	hp_count_many(stat, 1);
}

/* The ring of this CPU, or NULL before user space has put one there. */
static __always_inline void *hp_ring(void)
{
	__u32 key = bpf_get_smp_processor_id();

	if (key >= hp_config.nrings) /* a division only where CPUs share */
		key %= hp_config.nrings;
	return bpf_map_lookup_elem(&hp_rings, &key);
}

/* Was it followed, until it ended? A process of the same id that began later was not. */
static __always_inline bool hp_was_followed(__u32 tgid, __u64 start_ns)
{
	const __u64 *ended;

	if (!hp_config.follow)
		return false;
	ended = bpf_map_lookup_elem(&hp_family_late, &tgid);
	return ended && start_ns <= *ended;
}

static __always_inline bool hp_is_family(__u32 tgid)
{
	return tgid == hp_config.tgid || bpf_map_lookup_elem(&hp_family, &tgid);
}

/* Is the process part of the profile? Without --follow-forks that is one comparison, as `follow` is a constant then. */
static __always_inline bool hp_is_followed(__u32 tgid)
{
	return hp_config.follow ? hp_is_family(tgid) : tgid == hp_config.tgid;
}
