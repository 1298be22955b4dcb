#pragma once

#include <stdint.h>

#include "hotpathd/abi/functions.h"

/*
 * From a cell to figures of all calls, sampled ones included (struct hp_cell has the formulas and their source). Where
 * every call was timed the figures are exact and the error is 0. Pure; any thread.
 */
struct hp_estimate {
	uint64_t calls; /* returns; of sampled phases: entries */
	uint64_t timed; /* of them, those whose duration was measured */
	uint64_t total_ns, self_ns;
	uint64_t error_ns; /* standard error of total_ns */
};

struct hp_estimate hp_functions_estimate(const struct hp_cell *cell);
