#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "domains/functions/functions_closers.h"
#include "probe/attach.h"

struct hp_functions_object;
struct hp_plan;

/*
 * The attached partitions of the plan. A multi link cannot give up one function, so a partition that loses some gets a
 * new link for the others, and a generation of its own: hits of the old link no longer count once the new
 * generation is current, so counts have no gap and nothing counts twice. One owner, the probe thread.
 */
struct hp_partitions { /* an HP_VEC with a name */
	struct hp_partition *data;
	size_t len, cap;
};

struct hp_functions_links {
	struct hp_plan *plan;                     /* borrowed */
	const struct hp_functions_object *object; /* borrowed */
	int pid;
	struct hp_partitions partitions;
	HP_VEC(int) kin; /* followed children: each partition has links for each of them */
	struct hp_functions_closers closers;
	uint32_t generation;
	uint64_t attach_ns; /* in the kernel, for opening links */
	size_t refused; /* functions the kernel would not take, or where no breakpoint appeared */
};

/*
 * Attaches the @n functions of the plan at @indices, of one image and one mode, as one partition. 0, -ESRCH (the
 * target died) or other negative errno.
 */
int hp_functions_links_attach(struct hp_functions_links *links, const uint32_t *indices, size_t n);
/*
 * Takes away the functions for which @keep says false, by their index in the plan, and waits until their breakpoints are
 * gone; switching a function's generation to 0 before stops its counts at once. 0 or negative errno.
 */
int hp_functions_links_filter(struct hp_functions_links *links,
			      bool (*keep)(void *arg, uint32_t index), void *arg);
/*
 * With --follow-forks: puts the child @pid under the same probes, or takes them away from it; its calls count for the same
 * functions. follow: 0, -ESRCH (it has ended) or other negative errno, and then it is not followed.
 */
int hp_functions_links_follow(struct hp_functions_links *links, int pid);
void hp_functions_links_unfollow(struct hp_functions_links *links, int pid);
/*
 * Begins to take the breakpoints away from children that have inherited them and are not followed (trap:U13); it is
 * done when hp_functions_links_is_bare() says so for each of them. 0 or negative errno.
 */
int hp_functions_links_sweep(struct hp_functions_links *links);
bool hp_functions_links_is_bare(const struct hp_functions_links *links, int pid);
size_t hp_functions_links_attached(const struct hp_functions_links *links);
/* Closes all links, whatever the target is doing. The object's programs must have been told to stop (trap:U20). */
void hp_functions_links_detach(struct hp_functions_links *links);
void hp_functions_links_deinit(struct hp_functions_links *links); /* accepts a zeroed one */
