#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct hp_plan;
struct hp_plan_function;

/*
 * Puts planned functions under probes: one uprobe_multi link per call (two without sessions). Blocks for
 * milliseconds (grace periods), so never on the engine thread. A link goes away with its descriptor,
 * also when the daemon is killed.
 */
struct hp_attach_programs {
	int session_fd; /* entry and return; -1: the kernel has no sessions, use entry and return */
	int entry_fd;
	int return_fd; /* -1 with sessions */
	int exit_fd;
	int count_fd;
};

/* One partition: functions whose links are opened and closed together. */
struct hp_partition {
	uint32_t *indices; /* into plan->functions, all of one image and one mode */
	size_t len;
	uint32_t generation;
	int fds[2]; /* links, -1 = none */
};

/*
 * Opens the links of @partition (indices, len and generation are set, fds are -1). Functions that the kernel refuses
 * (trap:U3) are found by halving, taken out of the partition and their plan entry gets a reason; their number is
 * written to *@ret_refused. 0 (also when all were refused: len is then 0), -ESRCH (the target died), other negative errno: nothing is
 * attached.
 */
int hp_attach_open(const struct hp_attach_programs *programs, int pid, struct hp_plan *plan,
		   struct hp_partition *partition, size_t *ret_refused);
void hp_attach_close(struct hp_partition *partition);   /* links only */
void hp_partition_free(struct hp_partition *partition); /* links and indices */

/*
 * trap:U3, attached but silent: checks in the target's memory that each function of @partition carries a
 * breakpoint. Those that do not get a reason in the plan; returns their number, or negative errno if memory cannot be read.
 */
int hp_attach_verify(int pid, struct hp_plan *plan, const struct hp_partition *partition);
/* Is the probed byte of @function in the target what it was? Also true if the target's memory cannot be read. */
bool hp_attach_is_bare(int pid, const struct hp_plan_function *function);
