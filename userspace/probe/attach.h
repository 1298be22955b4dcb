#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"

struct hp_perf_links;
struct hp_plan;
struct hp_plan_function;

/*
 * Puts planned functions under probes: one uprobe_multi link per call (two without sessions), or perf events one by one
 * where the kernel has no such links. Blocks for milliseconds (grace periods), with perf events for seconds, so never on
 * the engine thread. A link goes away with its descriptor, also when the daemon is killed.
 */
struct hp_attach_programs {
	int session_fd; /* entry and return; -1: the kernel has no sessions, use paired and return */
	int paired_fd;  /* entry whose end return_fd sees; -1 with sessions */
	int return_fd;
	int entry_fd; /* entry whose end exit_fd sees */
	int exit_fd;
	int go_entry_fd;
	int go_exit_fd;
	int count_fd;
	bool perf; /* no uprobe_multi: the programs are loaded for perf events */
	/* The first five for functions whose values are shown (--args); -1 where nobody asks. */
	int values_session_fd, values_paired_fd, values_return_fd, values_entry_fd, values_exit_fd;
};

/* Those of a function whose values are shown in place of the plain ones, or @programs as they are. */
static inline struct hp_attach_programs
hp_attach_programs_of(const struct hp_attach_programs *programs, bool shows_values)
{
	struct hp_attach_programs chosen = *programs;

	if (shows_values) {
		chosen.session_fd = programs->values_session_fd;
		chosen.paired_fd = programs->values_paired_fd;
		chosen.return_fd = programs->values_return_fd;
		chosen.entry_fd = programs->values_entry_fd;
		chosen.exit_fd = programs->values_exit_fd;
	}
	return chosen;
}

/* The links of one more process under the same probes. */
struct hp_partition_kin {
	int pid;
	int fds[2];
};

/* One partition: functions whose links are opened and closed together. */
struct hp_partition {
	uint32_t *
		indices; /* into plan->functions, all of one image, one mode, with or without values */
	size_t len;
	uint32_t generation;
	int fds[2];                 /* links, -1 = none */
	struct hp_perf_links *perf; /* instead of fds, NULL = none */
	HP_VEC(struct hp_partition_kin) kin;
};

/*
 * Opens the links of @partition (indices, len and generation are set, fds are -1). Functions that the kernel refuses
 * (trap:U3) are found by halving, taken out of the partition and their plan entry gets a reason; their number is
 * written to *@ret_refused. 0 (also when all were refused: len is then 0), -ESRCH (the target died), other negative errno: nothing is
 * attached.
 */
int hp_attach_open(const struct hp_attach_programs *programs, int pid, struct hp_plan *plan,
		   struct hp_partition *partition, size_t *ret_refused);
/*
 * The links of process @pid, a child of the target, for the open @partition: they go to its kin. 0, -ESRCH (it has ended), -EOPNOTSUPP
 * (perf events) or other negative errno: nothing is attached.
 */
int hp_attach_open_kin(const struct hp_attach_programs *programs, int pid,
		       const struct hp_plan *plan, struct hp_partition *partition);
/*
 * A link on all instructions that @partition probes in process @pid, which counts nothing: when it is closed, the kernel looks
 * at each process that maps the file and takes away the breakpoints that no other link wants there, thus those
 * that forked children have inherited (trap:U13). A descriptor or negative errno.
 */
int hp_attach_touch(const struct hp_attach_programs *programs, int pid, const struct hp_plan *plan,
		    const struct hp_partition *partition);
void hp_attach_close(struct hp_partition *partition); /* links only */
/* The same for @n partitions: links that take long are closed side by side. */
void hp_attach_close_all(struct hp_partition *partitions, size_t n);
void hp_partition_free(struct hp_partition *partition); /* links and indices */

/*
 * trap:U3, attached but silent: checks in the target's memory that each function of @partition carries a
 * breakpoint. Those that do not get a reason in the plan; returns their number, or negative errno if memory cannot be read.
 */
int hp_attach_verify(int pid, struct hp_plan *plan, const struct hp_partition *partition);
/* Is there no breakpoint at @addr in the target? Also true if its memory cannot be read. */
bool hp_attach_is_bare(int pid, uint64_t addr);

/* Is negative errno @code about one instruction (trap:U3), rather than about the target or us. */
bool hp_attach_is_refusal(int code);
