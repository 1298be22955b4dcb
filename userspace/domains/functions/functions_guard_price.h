#pragma once

#include <stdint.h>

#include "probe/price.h"

struct hp_functions_guard;
struct hp_plan_function;

/*
 * What calls of the guard's functions cost the target, by the calibrated prices of their sites and ends (probe/price.h), and
 * telling BPF, which takes it out of durations. The owner is the guard's, the probe thread.
 */

/* Before the first hit of an address of @function: its entity costs what the dearest of its addresses does. */
void hp_functions_guard_set_price(const struct hp_functions_guard *guard,
				  const struct hp_plan_function *function);
/* Of a call of function @id as things are: followed children make each call dearer. */
struct hp_price hp_functions_guard_price(const struct hp_functions_guard *guard, uint32_t id);
/* Tells BPF so; to be called when children come or go. */
void hp_functions_guard_reprice(struct hp_functions_guard *guard);
