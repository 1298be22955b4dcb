#pragma once

#include "domains/cpu/cpu_stacks.h"

/*
 * Self and total of each function in a slot of one kind. Self: it is the innermost frame; total: it is on the stack, once
 * however often. Pure.
 */
struct hp_cpu_total {
	uint32_t entity;
	struct hp_cpu_sum self, total;
};

struct hp_cpu_totals {
	struct hp_cpu_sum all;            /* stacks without frames, too */
	HP_VEC(struct hp_cpu_total) list; /* in the order of their first coming */
};

int hp_cpu_totals_init(const struct hp_cpu_stacks *stacks,
		       struct hp_cpu_totals *ret_totals); /* 0 or -ENOMEM */
void hp_cpu_totals_deinit(struct hp_cpu_totals *totals);

static inline void hp_cpu_totals_auto_(struct hp_cpu_totals *totals)
{
	hp_cpu_totals_deinit(totals);
}
