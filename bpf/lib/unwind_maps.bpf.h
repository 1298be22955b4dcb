/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Unwind tables (hotpathd/abi/unwind.h), shared by all objects that take user stacks: core.bpf.o creates the maps,
 * probe/unwind.c fills them. Sizes here let an object load by itself; user space sets the real ones.
 */
#include "hotpathd/abi/unwind.h"
#include "lib/maps.bpf.h"

/* Space of a process. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, HP_UNWIND_SPACES);
	__type(key, __u32);
	__type(value, __u32);
} hp_unwind_active SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_unwind_space);
} hp_unwind_spaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_unwind_page);
} hp_unwind_pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_unwind_rule);
} hp_unwind_rules SEC(".maps");

struct hp_unwind_arena_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct hp_unwind_arena));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, HP_UNWIND_ARENAS);
	__type(key, __u32);
	__array(values, struct hp_unwind_arena_map);
} hp_unwind_arenas SEC(".maps");
