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

/* Where calibration fails: measured on a virtual machine (architecture 4.1), so on the side of the target. */
extern const struct hp_prices hp_prices_assumed;
