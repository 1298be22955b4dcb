#pragma once

#include <stdint.h>

#include "base/vec.h"

/*
 * CPU time that processes use in a window. One that ends in between is left out, as its time is no longer known: so the
 * sum is rather too small, and with it what the probes may cost. One owner.
 */
struct hp_functions_clock {
	HP_VEC(struct hp_functions_clock_start {
		int pid;
		uint64_t cpu_ns;
	})
	starts;
};

uint64_t hp_functions_clock_of(int pid); /* since it began; 0 if it has ended */

void hp_functions_clock_reset(struct hp_functions_clock *clock);
/* From now on @pid counts, if it does not already: 0 or -ENOMEM. */
int hp_functions_clock_add(struct hp_functions_clock *clock, int pid);
uint64_t hp_functions_clock_read(const struct hp_functions_clock *clock);
void hp_functions_clock_deinit(struct hp_functions_clock *clock);
