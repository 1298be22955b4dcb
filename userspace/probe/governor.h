#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/price.h"

/*
 * The overhead guard's arithmetic: from the hits of one window it decides which functions are timed at every
 * call, timed at one call in 2^HP_GOVERNOR_SHIFT, or not probed, so that probes cost the target no more than
 * their share. Pure; prices in nanoseconds are those of probe/price.h; one owner.
 *
 * Down: sampling saves the return half of a probe only, so the most expensive functions are sampled first, from the top,
 * until the rest fits; if that is not enough, the most expensive ones go, from the top. Functions that were sampled
 * in vain (what went made room) are timed again.
 * Up, when the caller says that load has been low for a while: sampled functions are timed at every call again, the
 * cheapest first, as long as HP_GOVERNOR_CALM_PERCENT of the budget is not passed, so that the next window does not
 * send them down.
 */
#define HP_GOVERNOR_SHIFT        4
#define HP_GOVERNOR_CALM_PERCENT 70
/* An idle target has a budget too: that of a target which uses a quarter of a CPU. */
#define HP_GOVERNOR_FLOOR_PERMILLE 250

enum hp_level { HP_LEVEL_TIMED, HP_LEVEL_SAMPLED, HP_LEVEL_DROPPED };

struct hp_governor_function {
	uint32_t index;   /* the caller's, returned in moves */
	uint64_t hits;    /* in the window */
	uint32_t time_ns; /* price of a timed call */
	uint32_t skip_ns; /* price of a call that is only counted */
	bool exact;       /* stays timed; its cost counts as spent */
	bool can_sample;  /* entry and return are one session */
	enum hp_level level;
};

struct hp_governor_move {
	uint32_t index;
	enum hp_level level; /* the new one */
	uint64_t hits_per_sec;
	double percent; /* of one CPU that its probes took in the window */
};

struct hp_governor_window {
	uint64_t ns;
	uint64_t target_cpu_ns; /* CPU time of the target in it, cost of probes included */
	double budget_percent;  /* of that time */
	double patience; /* 1; more: nothing is dropped below so many budgets (short windows mislead) */
	bool calm;       /* the caller has seen enough cheap windows to allow moves up */
};

struct hp_governor_result {
	uint64_t budget_ns; /* for the window */
	uint64_t spent_ns;
	size_t nmoves;
};

/* What the probes of @function cost in the window at @level. */
uint64_t hp_governor_cost(const struct hp_governor_function *function, enum hp_level level);

/* Sorts @functions by cost, sets their new levels and writes those that change to @moves (room for @n). */
struct hp_governor_result hp_governor_decide(struct hp_governor_function *functions, size_t n,
					     const struct hp_governor_window *window,
					     struct hp_governor_move *moves);
const char *hp_level_name(enum hp_level level);
