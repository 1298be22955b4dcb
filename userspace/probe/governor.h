#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * The overhead guard, first version: from the hits of one window it decides which functions cost the
 * target more than their share and must go. Pure arithmetic on what the caller measured; one owner.
 * Prices are those of probe/price.h.
 */
#define HP_GOVERNOR_BUDGET_PERCENT 3 /* of the target's CPU time */
/* An idle target has a budget too: that of a target which uses a quarter of a CPU. */
#define HP_GOVERNOR_FLOOR_PERMILLE 250

struct hp_governor_function {
	uint32_t index; /* the caller's, returned in drops */
	uint64_t hits;  /* in the window */
	uint32_t price_ns;
	bool exact; /* never dropped; its cost counts as spent */
};

struct hp_governor_drop {
	uint32_t index;
	uint64_t hits_per_sec;
	double percent; /* of one CPU that its probes would take */
};

struct hp_governor_result {
	uint64_t budget_ns; /* for the window */
	uint64_t spent_ns;
	size_t ndrops;
};

/*
 * Sorts @functions by cost and writes the most expensive ones to @drops (room for @n) until the rest fits into the
 * budget; none if all fit.
 */
struct hp_governor_result hp_governor_decide(struct hp_governor_function *functions, size_t n,
					     uint64_t window_ns, uint64_t target_cpu_ns,
					     struct hp_governor_drop *drops);
