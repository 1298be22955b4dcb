#pragma once

#include <stddef.h>

struct hp_plan;

/*
 * How many probes a kernel without uprobe_multi gets. There each is a perf event, and its end waits for grace periods under a
 * lock of the kernel, so any number of threads takes 106 ms for each (measured on 6.18): 20 s in all.
 */
#define HP_QUOTA_PERF 200

/*
 * Keeps what fits into @max probes for the whole plan, --exact functions first, then in the plan's order; the rest is skipped
 * and says why. Functions of one entity stay together, so that its calls are all counted or none; what another library has of
 * the same name costs nothing and is left to the guard, which keeps it out and says why. What comes before @from was
 * decided earlier and stays. 0 or -ENOMEM.
 */
int hp_quota_apply(struct hp_plan *plan, size_t from, size_t max);

/* HP_QUOTA_PERF, or 0 = no limit where the kernel has uprobe_multi links. */
size_t hp_quota_of_kernel(void);
