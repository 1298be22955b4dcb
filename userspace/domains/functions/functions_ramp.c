#include "domains/functions/functions_ramp.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "domains/functions/functions_board.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_ladder.h"
#include "domains/functions/functions_perf.h"
#include "engine/core.h"

/*
 * Ramp-up: the first batch is small and its window short, so that a hot function in it stalls the target
 * for milliseconds at most; batches grow while nothing is over budget.
 */
#define FIRST_BATCH     256
#define LAST_BATCH      8192
#define RAMP_WINDOW_NS  5000000
#define WATCH_WINDOW_NS 200000000
#define TRIP_CHECKS     20 /* in a window */
/* What a program does in phases, such as reading, executing and answering requests, is not seen in less. */
#define LEAST_WINDOW_NS 4000000
/* After a batch that was over budget the target goes on undisturbed, so that slow moments do not add up to a stall. */
#define BREATHER_NS    30000000
#define SETTLE_WINDOWS 5
#define SETTLE_NS      500000000

/* Ends early if the target, idle until now, wakes up and hits more probes than it can bear. */
static int window(struct hp_functions_ramp *ramp, uint64_t ns)
{
	const struct hp_core *core = ramp->core;
	uint64_t start = hp_clock_mono_ns(), now = start;
	bool tripped = false;

	hp_functions_ladder_begin(ramp->ladder);
	while (now - start < ns && !(tripped && now - start >= LEAST_WINDOW_NS)) {
		uint64_t hits = hp_core_stat(core, HP_STAT_HITS), before = now;

		if (hp_functions_board_rest(ramp->board, ns / TRIP_CHECKS))
			return -ECANCELED;
		now = hp_clock_mono_ns();
		tripped |= hp_core_stat(core, HP_STAT_HITS) - hits >
			   hp_functions_ladder_trip(ramp->ladder, now - before);
	}
	return hp_functions_ladder_end(ramp->ladder);
}

/* Lets the target go on for a while without the breakpoints that have just slowed it down. */
static int breathe(struct hp_functions_ramp *ramp)
{
	uint64_t start = hp_clock_mono_ns();

	while (!hp_functions_ladder_is_settled(ramp->ladder) &&
	       hp_clock_mono_ns() - start < SETTLE_NS) {
		if (hp_functions_board_rest(ramp->board, SETTLE_NS / 250))
			return -ECANCELED;
	}
	hp_log(HP_LOG_DEBUG, "functions", "breakpoints gone after %.1f ms",
	       (double)(hp_clock_mono_ns() - start) / 1e6);
	return hp_functions_board_rest(ramp->board, BREATHER_NS) ? -ECANCELED : 0;
}

int hp_functions_ramp_settle(struct hp_functions_ramp *ramp)
{
	int moved = 0, r = window(ramp, RAMP_WINDOW_NS);

	for (unsigned i = 0; r > 0 && i < SETTLE_WINDOWS; i++) {
		moved = 1;
		r = breathe(ramp);
		if (r == 0)
			r = window(ramp, RAMP_WINDOW_NS);
	}
	return r < 0 ? r : moved;
}

int hp_functions_ramp_up(struct hp_functions_ramp *ramp)
{
	size_t batch = FIRST_BATCH;
	int r = hp_functions_guard_attach_exact(ramp->guard);
	bool done = false;

	while (r >= 0 && !done) {
		if (hp_functions_board_is_stopping(ramp->board))
			return -ECANCELED;
		r = hp_functions_perf_attach_next(ramp->guard, batch);
		if (r < 0)
			break;
		done = r == 1;
		hp_functions_board_publish(ramp->board, ramp->guard, ramp->ladder);
		if (ramp->guard->next == 0 || ramp->guard->norder == 0)
			break;
		r = hp_functions_ramp_settle(ramp);
		if (r == 0 && batch < LAST_BATCH)
			batch *= 2;
		else if (r > 0)
			batch = FIRST_BATCH;
	}
	return r < 0 ? r : 0;
}

/* An idle target has come to life: away with all probes, and ramp up under its load. */
static int start_again(struct hp_functions_ramp *ramp)
{
	int r = hp_functions_guard_release(ramp->guard);

	hp_log(HP_LOG_DEBUG, "functions", "released all probes");
	if (r == 0)
		r = breathe(ramp);
	return r < 0 ? r : hp_functions_ramp_up(ramp);
}

int hp_functions_ramp_watch(struct hp_functions_ramp *ramp)
{
	int r;

	ramp->ladder->may_release = true;
	r = window(ramp, WATCH_WINDOW_NS);
	ramp->ladder->may_release = false;
	if (r > 0 && ramp->ladder->crushed)
		r = start_again(ramp);
	if (r >= 0)
		r = hp_functions_ladder_retry(ramp->ladder);
	return r > 0 ? hp_functions_ramp_settle(ramp) : r;
}
