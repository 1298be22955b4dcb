#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/site.h"

/*
 * What a hit costs the target: two traps and the program where the instruction is emulated, four where it is
 * single-stepped; the end of a call seen by a return probe, or by a probe on a (single-stepped) ret, by thread or by
 * goroutine. Calibrated at
 * start-up on this machine (domains/functions/functions_calibrate). All in nanoseconds. Pure; any thread.
 */
enum hp_price_end { HP_PRICE_RETURN, HP_PRICE_EXITS, HP_PRICE_GO, HP_PRICE_NENDS };

struct hp_price {
	uint32_t timed_ns; /* a call whose end is seen */
	uint32_t skip_ns;  /* a call that is only counted */
	uint32_t bias_ns;  /* of timed_ns: between the two clock readings of the call */
};

struct hp_prices {
	bool calibrated;
	struct hp_price of[HP_PRICE_NENDS][HP_SITE_REFUSED]; /* by end, by enum hp_site_class */
};

/*
 * What the guard bills for a hit. Calibration runs a loop that has everything in its caches; in a program with much else to do
 * the kernel's path is cold and leaves the program's own cold. Measured in redis-server, a timed call against the calibrated price: 0.94
 * and 1.22 times at 200,000 calls/s, 1.6 (95 %: 1.1 to 2.1) at 28,000. Durations are compensated with the calibrated
 * price: that is what may be taken out without making any call too short.
 */
#define HP_PRICE_BILLED_PERCENT 125
struct hp_price hp_price_billed(struct hp_price price);

/* Where calibration fails, and until it is done: measured on a virtual machine, so on the side of the target. */
extern const struct hp_prices hp_prices_assumed;

/* The prices that were calibrated in this process, for others than who did it; until then the assumed ones. Any thread. */
void hp_prices_publish(const struct hp_prices *prices);
struct hp_prices hp_prices_known(void);
