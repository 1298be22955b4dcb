#pragma once

#include <stdint.h>

struct hp_plan_function;
struct hp_plan_scan;
struct hp_plan_wish;
struct hp_sym;

/* A part of probe/plan: functions that are wanted for what they do (struct hp_plan_wish). */

/* The one at @vaddr of the image that is scanned, or NULL. */
const struct hp_plan_wish *hp_plan_wish_at(const struct hp_plan_scan *scan, uint64_t vaddr);
/* How the end of a call is seen, or why not: the mode, exits or reason of @function. 0 or negative errno. */
int hp_plan_wish_choose(struct hp_plan_scan *scan, const struct hp_sym *sym,
			const struct hp_plan_wish *wish, struct hp_plan_function *function);
