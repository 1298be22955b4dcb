#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct hp_attach_programs;
struct hp_partition;
struct hp_plan;

/*
 * The probes of one partition as perf events, one link each: what kernels without uprobe_multi offer. Opening
 * blocks for about a millisecond a probe, closing for grace periods, partly under a lock of the kernel: hence few of them
 * (probe/quota), closed side by side.
 */
struct hp_perf_links;

/*
 * Opens all probes of @partition. Functions that the kernel refuses (trap:U3) get a reason in the plan, their
 * number goes to *@ret_refused. 0, -ESRCH (the target died) or other negative errno: nothing is attached.
 */
int hp_perf_links_open(const struct hp_attach_programs *programs, int pid, struct hp_plan *plan,
		       const struct hp_partition *partition, struct hp_perf_links **ret_links,
		       size_t *ret_refused);
void hp_perf_links_free(struct hp_perf_links *links);
HP_DEFINE_AUTO(hp_perf_links)

/* Frees @n sets, their links closed side by side; NULL among them is fine. */
void hp_perf_links_free_all(struct hp_perf_links **sets, size_t n);

/*
 * The main thread of @pid, which carries the probes, has ended while the program goes on (or is just ending): the kernel takes
 * them away as they are hit. Nothing can bring them back, as /proc shows no files of such a program.
 */
bool hp_perf_links_are_orphans(pid_t pid);
