#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "domains/functions/functions_load.h"
#include "domains/functions/functions_probe.h"
#include "probe/attach.h"
#include "probe/price.h"

struct hp_plan;

/*
 * Attached partitions of the plan and the guard over them: attaches in batches, measures hits per window,
 * drops what costs more than its share. One owner, the probe thread; nothing here locks.
 */
struct hp_functions_guard {
	struct hp_plan *plan;                     /* borrowed */
	const struct hp_functions_object *object; /* borrowed */
	struct hp_prices prices;
	int pid;
	uint32_t *order; /* plan indices that may be attached, by entity */
	size_t norder;
	size_t next;     /* first of `order` that is not attached yet */
	uint64_t *seen;  /* hits at the start of the window, by entity */
	uint64_t *price; /* ns a hit by entity, 0 = not attached, or dropped */
	bool *exact;     /* by entity */
	uint8_t *modes;  /* enum hp_plan_mode by entity */
	bool *stepped;   /* by entity: some probe of it is single-stepped */
	bool raw;        /* --no-compensate */
	HP_VEC(struct hp_partition) partitions;
	HP_VEC(struct hp_functions_drop) drops;
	uint32_t generation;
	HP_VEC(pthread_t) closers; /* threads that close replaced links, see functions_guard.c */
	uint64_t window_start_ns, window_start_cpu_ns;
	uint64_t attach_ns; /* in the kernel, for opening links */
	/* Functions the kernel would not take, or where no breakpoint appeared. */
	size_t refused;
};

int hp_functions_guard_init(struct hp_functions_guard *guard, struct hp_plan *plan,
			    const struct hp_functions_object *object,
			    const struct hp_prices *prices, int pid);
/* Closes all links, whatever the target is doing. */
void hp_functions_guard_detach(struct hp_functions_guard *guard);
/* Keeps return probes going until @until_ns (trap:U20). Any thread, while the guard exists. */
void hp_functions_guard_beat(struct hp_functions_guard *guard, uint64_t until_ns);
void hp_functions_guard_deinit(struct hp_functions_guard *guard); /* accepts a zeroed one */

/* All --exact functions, in partitions of their own. 0 or negative errno (-ESRCH: the target died). */
int hp_functions_guard_attach_exact(struct hp_functions_guard *guard);
/* The next @max functions of the plan; 0 = more to come, 1 = all are attached, negative errno. */
int hp_functions_guard_attach_next(struct hp_functions_guard *guard, size_t max);

void hp_functions_guard_begin_window(struct hp_functions_guard *guard);
/* Ends the window and drops what is over budget: number of functions dropped, or negative errno. */
int hp_functions_guard_end_window(struct hp_functions_guard *guard);
