#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "domains/functions/functions_clock.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_probe.h"
#include "probe/purse.h"

/*
 * Keeps the cost of probes within the budget: measures hits per window, moves functions down the ladder when they cost
 * more than their share and up again when load falls (probe/governor decides), and gives dropped ones another try
 * now and then. One owner, the probe thread.
 */
struct hp_ladder_drop {
	struct hp_functions_drop shown;
	uint64_t retry_ns;   /* when it may be tried again */
	uint64_t backoff_ns; /* the next pause */
	double cpus; /* that its probes would take all the time, by its calls when it was dropped */
};

struct hp_functions_ladder {
	struct hp_functions_guard *guard; /* borrowed */
	HP_VEC(struct hp_ladder_drop) drops;
	HP_VEC(struct hp_functions_rate) rates; /* of the last window, by cost descending */
	double spent_percent, load; /* of the last window: of the target's CPU; in CPUs */
	uint64_t window_start_ns;
	struct hp_functions_clock clock;
	uint64_t window_cpu_ns; /* of the last window, all processes */
	bool may_release;       /* the caller does so if the target is crushed */
	bool crushed; /* probes took a third of its CPU time in the last window; links of what moved still stand */
	unsigned calm_windows; /* in a row that cost little */
	struct hp_purse purse; /* for tries of dropped functions */
};

void hp_functions_ladder_init(struct hp_functions_ladder *ladder, struct hp_functions_guard *guard);
void hp_functions_ladder_deinit(struct hp_functions_ladder *ladder); /* accepts a zeroed one */

void hp_functions_ladder_begin(struct hp_functions_ladder *ladder);
/* Within a window: a child is followed from now on, and its CPU time counts. */
int hp_functions_ladder_follow(struct hp_functions_ladder *ladder);
/* Ends the window and moves functions: the number of moves, or negative errno. */
int hp_functions_ladder_end(struct hp_functions_ladder *ladder);
/*
 * Trip wire: so many hits of all functions in a slice of @slice_ns end the window at once. The cheapest price counts,
 * so it trips late rather than for nothing.
 */
uint64_t hp_functions_ladder_trip(const struct hp_functions_ladder *ladder, uint64_t slice_ns);
/* Attaches dropped functions whose time has come, a few at once: their number, or negative errno. */
int hp_functions_ladder_retry(struct hp_functions_ladder *ladder);
