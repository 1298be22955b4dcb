#include "domains/functions/functions_heat.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "domains/functions/functions_guard.h"
#include "probe/plan.h"

struct start {
	uint64_t addr; /* of the entry in the target */
	uint32_t entity;
};

static int by_addr(const void *a, const void *b)
{
	const struct start *left = a, *right = b;

	return left->addr < right->addr ? -1 : left->addr > right->addr;
}

/* The last start at or below @addr, NULL = none. What follows the last function of an image is taken for its end. */
static const struct start *find(const struct start *starts, size_t n, uint64_t addr)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (starts[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &starts[low - 1] : NULL;
}

/* Half an order of magnitude a class is fine enough for an order. */
static uint8_t class_of(uint64_t count)
{
	return count ? (uint8_t)(64 - __builtin_clzll(count)) : 0;
}

int hp_functions_heat_from_samples(struct hp_functions_guard *guard, const uint64_t *addrs,
				   size_t n)
{
	const struct hp_plan *plan = guard->plan;
	HP_AUTO_FREE struct start *starts = calloc(plan->functions.len + 1, sizeof(*starts));
	HP_AUTO_FREE uint64_t *counts = calloc(guard->object->nentities, sizeof(*counts));

	if (!starts || !counts)
		return -ENOMEM;
	for (size_t i = 0; i < plan->functions.len; i++) {
		const struct hp_plan_function *function = &plan->functions.data[i];

		starts[i] = (struct start){function->addr - function->delta, function->entity};
	}
	qsort(starts, plan->functions.len, sizeof(*starts), by_addr);
	for (size_t i = 0; i < n; i++) {
		const struct start *start = find(starts, plan->functions.len, addrs[i]);

		if (start && start->entity < guard->object->nentities)
			counts[start->entity]++;
	}
	for (uint32_t id = 1; id < guard->object->nentities; id++)
		guard->entities[id].heat = class_of(counts[id]);
	hp_functions_guard_sort(guard);
	return 0;
}
