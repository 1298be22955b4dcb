#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What tries cost. A function that was dropped must be tried again now and then, as nothing else tells that it has become
 * rare; if it has not, the try costs the target what its probes cost until they are gone again, in the worst case all of its time for
 * HP_PURSE_TRY_NS (a link takes 5 to 15 ms to come, a window 5, and the link 5 to 10 to go). Tries are paid for from what the budget has left over, up to a third of it, or they alone would be
 * over budget: redis-server has 150 functions that are too hot. Pure; one owner.
 */
#define HP_PURSE_TRY_NS 30000000
#define HP_PURSE_SHARE  3

struct hp_purse { /* zero = empty */
	uint64_t ns;
};

/* After a window in which probes were allowed @budget_ns and took @spent_ns. It holds the price of two tries at @load. */
void hp_purse_fill(struct hp_purse *purse, uint64_t budget_ns, uint64_t spent_ns, double load);
/* What a try of functions costs whose probes took @cpus of a CPU together, when the target uses @load CPUs: no more than that. */
uint64_t hp_purse_price(double cpus, double load);
/* Takes out @ns; false: there is not so much in it, nothing is taken. */
bool hp_purse_pay(struct hp_purse *purse, uint64_t ns);
