#include "domains/functions/functions_ramp.h"

#include <errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/functions/functions_board.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_guard_price.h"
#include "domains/functions/functions_heat.h"
#include "domains/functions/functions_ladder.h"
#include "domains/functions/functions_perf.h"
#include "engine/core.h"
#include "probe/burst.h"

/*
 * Ramp-up: the first batch is small and its window short, so that a hot function in it stalls the target
 * for milliseconds at most; batches grow while nothing is over budget.
 */
#define FIRST_BATCH 256
#define LAST_BATCH  8192
/*
 * Windows over an idle target say nothing, and few links are the fastest to take away when it wakes up; but for as long as one is
 * being made the target cannot run (functions_haste.h).
 */
#define IDLE_BATCH      16384
#define RAMP_WINDOW_NS  5000000
#define WATCH_WINDOW_NS 200000000
#define TRIP_CHECKS     20 /* in a window */
/* An idle target may wake up to full load at any time, and has CPU time to spare for looking more often. */
#define IDLE_LOAD     0.1
#define IDLE_CHECK_NS 4000000
/* What a program does in phases, such as reading, executing and answering requests, is not seen in less. */
#define LEAST_WINDOW_NS 4000000
/* After a batch that was over budget the target goes on undisturbed, so that slow moments do not add up to a stall. */
#define BREATHER_NS    30000000
#define SETTLE_WINDOWS 5
/*
 * Before a ramp-up the target is sampled, so that functions in which it spends its time come last. 400 samples at full
 * load; a function that takes 20 ns of a request of 2 us then has four.
 */
#define BURST_NS        40000000
#define BURST_PERIOD_NS 100000

/* Waits a moment, and looks after children meanwhile. */
static int rest(struct hp_functions_ramp *ramp, uint64_t ns)
{
	int r;

	if (hp_functions_board_rest(ramp->board, ns))
		return -ECANCELED;
	if (hp_functions_guard_is_stale(ramp->guard))
		return -ESTALE;
	r = hp_functions_children_tend(&ramp->guard->children, hp_clock_mono_ns());
	if (r <= 0)
		return r;
	hp_functions_guard_reprice(ramp->guard);
	hp_functions_board_publish(ramp->board, ramp->guard, ramp->ladder);
	return hp_functions_ladder_follow(ramp->ladder);
}

/*
 * Children that are forked faster than they can be freed of our probes: then the target goes without, too. Whoever wants
 * figures at that price says --exact.
 */
static int spare_children(struct hp_functions_ramp *ramp, int moved)
{
	struct hp_functions_guard *guard = ramp->guard;
	int r;

	if (!hp_functions_children_are_burdened(&guard->children, ramp->ladder->window_cpu_ns,
						guard->settings.budget_percent) ||
	    guard->children.off_since_ns || !hp_functions_guard_may_release(guard))
		return moved;
	hp_log(HP_LOG_DEBUG, "functions", "released all probes for the children's sake");
	hp_functions_children_switch_off(&guard->children, hp_clock_mono_ns());
	r = hp_functions_guard_release(guard);
	hp_functions_board_publish(ramp->board, guard, ramp->ladder);
	return r;
}

/* Ends early if the target, idle until now, wakes up and hits more probes than it can bear. */
static int window(struct hp_functions_ramp *ramp, uint64_t ns)
{
	const struct hp_core *core = ramp->core;
	uint64_t start = hp_clock_mono_ns(), now = start, check_ns = ns / TRIP_CHECKS;
	bool tripped = false;
	int r;

	if (ramp->ladder->load < IDLE_LOAD && check_ns > IDLE_CHECK_NS)
		check_ns = IDLE_CHECK_NS;
	hp_functions_ladder_begin(ramp->ladder);
	while (now - start < ns && !(tripped && now - start >= LEAST_WINDOW_NS)) {
		uint64_t hits = hp_core_stat(core, HP_STAT_HITS), before = now;

		r = rest(ramp, check_ns);
		if (r < 0)
			return r;
		now = hp_clock_mono_ns();
		tripped |= hp_core_stat(core, HP_STAT_HITS) - hits >
			   hp_functions_ladder_trip(ramp->ladder, now - before);
	}
	r = hp_functions_ladder_end(ramp->ladder);
	return r < 0 ? r : spare_children(ramp, r);
}

int hp_functions_ramp_settle(struct hp_functions_ramp *ramp)
{
	int moved = 0, r = window(ramp, RAMP_WINDOW_NS);

	for (unsigned i = 0; r > 0 && i < SETTLE_WINDOWS; i++) {
		moved = 1;
		r = rest(ramp, BREATHER_NS);
		if (r == 0)
			r = window(ramp, RAMP_WINDOW_NS);
	}
	return r < 0 ? r : moved;
}

static int sample(struct hp_functions_ramp *ramp, struct hp_burst *burst, uint64_t ns,
		  struct hp_burst_addrs *addrs)
{
	if (hp_functions_board_rest(ramp->board, ns))
		return -ECANCELED;
	return hp_burst_read(burst, ramp->guard->settings.pid, addrs);
}

/* What the target does while nothing new is probed: 1 = something, 0 = nothing, negative errno. */
static int look(struct hp_functions_ramp *ramp)
{
	HP_AUTO(hp_burst) struct hp_burst *burst = NULL;
	struct hp_burst_addrs addrs = {0};
	int r = hp_burst_start(BURST_PERIOD_NS, &burst);

	if (r < 0) { /* then everything is taken for equally hot */
		hp_log(HP_LOG_DEBUG, "functions", "no burst of samples: %s", hp_err_name(r));
		return 1;
	}
	/* A slice first: most targets are idle, and need no more. */
	r = sample(ramp, burst, BURST_NS / 4, &addrs);
	if (r == 0 && addrs.len)
		r = sample(ramp, burst, BURST_NS - BURST_NS / 4, &addrs);
	if (r == 0 && addrs.len)
		r = hp_functions_heat_from_samples(ramp->guard, addrs.data, addrs.len);
	if (r == 0) {
		hp_log(HP_LOG_DEBUG, "functions", "%zu samples before the ramp-up", addrs.len);
		r = addrs.len > 0;
	}
	hp_vec_free(&addrs);
	return r;
}

int hp_functions_ramp_up(struct hp_functions_ramp *ramp)
{
	bool off = hp_functions_children_are_off(&ramp->guard->children, hp_clock_mono_ns());
	int r = off ? 0 : look(ramp);
	size_t batch = r == 0 ? IDLE_BATCH : FIRST_BATCH;
	bool done = false;

	if (r >= 0)
		r = hp_functions_guard_attach_exact(ramp->guard);

	while (r >= 0 && !done) {
		if (hp_functions_board_is_stopping(ramp->board))
			return -ECANCELED;
		if (hp_functions_guard_is_stale(ramp->guard))
			return -ESTALE;
		if (hp_functions_children_are_off(&ramp->guard->children, hp_clock_mono_ns()))
			return 0;
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
	return r < 0 ? r : hp_functions_ramp_up(ramp);
}

int hp_functions_ramp_watch(struct hp_functions_ramp *ramp)
{
	bool off = ramp->guard->children.off_since_ns;
	int r;

	if (off && !hp_functions_children_are_off(&ramp->guard->children, hp_clock_mono_ns()))
		return hp_functions_ramp_up(ramp);
	ramp->ladder->may_release = true;
	r = window(ramp, WATCH_WINDOW_NS);
	ramp->ladder->may_release = false;
	if (r > 0 && ramp->ladder->crushed)
		r = start_again(ramp);
	if (r >= 0 && !ramp->guard->children.off_since_ns)
		r = hp_functions_ladder_retry(ramp->ladder);
	return r > 0 ? hp_functions_ramp_settle(ramp) : r;
}
