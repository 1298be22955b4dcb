#pragma once

#include <stddef.h>
#include <stdint.h>

#include "domains/cpu/cpu_stacks.h"

/*
 * What a profile in any format is written from: stacks of some time, and the names to them. Immutable, borrowed; the
 * writers (cpu_folded, cpu_pprof, cpu_profile, cpu_speedscope, cpu_tree, cpu_diff) run on HTTP workers. What they
 * return is the caller's to free.
 */
struct hp_cpu_window {
	struct hp_cpu_stacks *const *slots; /* oldest first */
	size_t nslots;
	enum hp_cpu_kind kind;
	uint32_t tid;              /* of one thread alone; 0 = all */
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; what the slots cover */
	uint64_t start_wall_ms;    /* Unix time of start_ns */
	unsigned hz;               /* samples a second on each CPU */
	int pid;
	const char *process;
	/* Names of functions and of source files, borrowed. */
	const char *(*name)(void *arg, uint32_t entity);
	const char *(*file)(void *arg, uint32_t file);
	void *arg;
};

/* "cpu", "offcpu", "wall", "bytes"; static. */
const char *hp_cpu_kind_name(enum hp_cpu_kind kind);
/* The window's stacks in one slot: hp_cpu_stacks_merge() with what @window says of kind and thread. */
int hp_cpu_window_merge(const struct hp_cpu_window *window, struct hp_cpu_filter filter,
			struct hp_cpu_stacks **ret_stacks);
/* "NAME" or, unknown, "thread_TID" into @buf. */
const char *hp_cpu_thread_text(const struct hp_cpu_thread *thread, char *buf, size_t size);
