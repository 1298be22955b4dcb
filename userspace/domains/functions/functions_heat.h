#pragma once

#include <stddef.h>
#include <stdint.h>

struct hp_functions_guard;

/*
 * Which functions are likely to be hot: a guess that sets the order in which they get probes, hot ones last and in
 * small batches, so that a batch seldom stalls the target. Nothing is decided by it: what a function costs shows only under a
 * probe. Probe thread only.
 *
 * From the CPU samples at the runtime addresses @addrs of the last moments. 0 or -ENOMEM.
 */
int hp_functions_heat_from_samples(struct hp_functions_guard *guard, const uint64_t *addrs,
				   size_t n);
