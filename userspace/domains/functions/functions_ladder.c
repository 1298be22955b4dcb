#include "domains/functions/functions_ladder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "domains/functions/functions_guard_price.h"
#include "domains/functions/functions_model.h"
#include "probe/plan.h"

/* Windows in a row that cost less than HP_GOVERNOR_CALM_PERCENT of the budget before anything moves up. */
#define CALM_WINDOWS 10
/*
 * Pauses before a dropped function is tried again, whatever its rate was: nothing else tells that it has become rare. If it has
 * not, the try is paid for (probe/purse).
 */
#define FIRST_BACKOFF_NS 5000000000ull
#define LAST_BACKOFF_NS  120000000000ull
#define RETRY_AT_ONCE    8
/* Who is due so soon goes along with one that is due: they share a link, and thus what it costs. */
#define RETRY_ALONG_NS 1000000000ull
/* In windows that are shorter only what costs so many budgets is dropped. */
#define STEADY_NS 100000000ull
#define PATIENCE  2
/* How far over its budget the target may be before a window ends early. */
#define TRIP_FACTOR 4

static uint64_t hits_of(const struct hp_functions_guard *guard, uint32_t id)
{
	return hp_functions_hits(guard->object->cells, guard->object->ncpus,
				 guard->object->nentities, id);
}

int hp_functions_ladder_follow(struct hp_functions_ladder *ladder)
{
	const struct hp_functions_guard *guard = ladder->guard;
	int r = hp_functions_clock_add(&ladder->clock, guard->settings.pid);

	hp_vec_each(kin, &guard->links.kin) {
		if (r == 0)
			r = hp_functions_clock_add(&ladder->clock, *kin);
	}
	return r;
}

void hp_functions_ladder_begin(struct hp_functions_ladder *ladder)
{
	struct hp_functions_guard *guard = ladder->guard;

	for (uint32_t id = 1; id < guard->object->nentities; id++) {
		if (guard->entities[id].attached)
			guard->entities[id].seen = hits_of(guard, id);
	}
	hp_functions_clock_reset(&ladder->clock);
	hp_functions_ladder_follow(ladder);
	ladder->window_start_ns = hp_clock_mono_ns();
}

uint64_t hp_functions_ladder_trip(const struct hp_functions_ladder *ladder, uint64_t slice_ns)
{
	/* As if the target used all of a CPU: nothing is known before the window's end. */
	double budget_ns = (double)slice_ns * ladder->guard->settings.budget_percent / 100.0;
	uint32_t price_ns =
		ladder->guard->settings.prices.of[HP_PRICE_RETURN][HP_SITE_EMULATED].skip_ns;

	return (uint64_t)(budget_ns * TRIP_FACTOR / (double)(price_ns ? price_ns : 1)) + 100;
}

static struct hp_ladder_drop *find_drop(struct hp_functions_ladder *ladder, uint32_t id)
{
	hp_vec_each(drop, &ladder->drops) {
		if (drop->shown.entity == id)
			return drop;
	}
	return NULL;
}

static int drop(struct hp_functions_ladder *ladder, const struct hp_governor_move *move)
{
	struct hp_ladder_drop fresh = {.shown.entity = move->index, .backoff_ns = FIRST_BACKOFF_NS};
	struct hp_ladder_drop *known = find_drop(ladder, move->index);
	const struct hp_price price =
		hp_price_billed(hp_functions_guard_price(ladder->guard, move->index));
	struct hp_ladder_drop *drop = known ? known : &fresh;

	snprintf(drop->shown.reason, sizeof(drop->shown.reason),
		 "over budget: %llu calls/s at %.1f µs a probe would take %.1f %% of a CPU",
		 (unsigned long long)move->hits_per_sec, (double)price.timed_ns / 1000.0,
		 (double)move->hits_per_sec * (double)price.timed_ns / 1e7);
	drop->cpus = (double)move->hits_per_sec * (double)price.timed_ns / 1e9;
	drop->shown.active = true;
	drop->retry_ns = hp_clock_mono_ns() + drop->backoff_ns;
	drop->backoff_ns =
		drop->backoff_ns < LAST_BACKOFF_NS / 2 ? drop->backoff_ns * 2 : LAST_BACKOFF_NS;
	hp_functions_guard_set_level(ladder->guard, move->index, HP_LEVEL_DROPPED);
	return known ? 0 : hp_vec_push(&ladder->drops, fresh);
}

static bool is_due(const struct hp_ladder_drop *drop, uint64_t at_ns)
{
	return drop->shown.active && drop->retry_ns <= at_ns;
}

/* Tries share a link, so they wait until all of them can be paid for. */
int hp_functions_ladder_retry(struct hp_functions_ladder *ladder)
{
	struct hp_ladder_drop *due[RETRY_AT_ONCE];
	uint64_t now = hp_clock_mono_ns();
	uint32_t ids[RETRY_AT_ONCE];
	bool any = false;
	double cpus = 0;
	size_t n = 0;
	int r;

	if (ladder->calm_windows < CALM_WINDOWS)
		return 0;
	hp_vec_each(drop, &ladder->drops) {
		if (n == RETRY_AT_ONCE || !is_due(drop, now + RETRY_ALONG_NS))
			continue;
		any |= is_due(drop, now);
		cpus += drop->cpus;
		due[n++] = drop;
	}
	if (!any || !hp_purse_pay(&ladder->purse, hp_purse_price(cpus, ladder->load)))
		return 0;
	for (size_t i = 0; i < n; i++) {
		due[i]->shown.active = false;
		ids[i] = due[i]->shown.entity;
	}
	ladder->calm_windows = 0;
	r = hp_functions_guard_take_back(ladder->guard, ids, n);
	return r < 0 ? r : (int)n;
}

static size_t collect(const struct hp_functions_ladder *ladder,
		      struct hp_governor_function *functions)
{
	const struct hp_functions_guard *guard = ladder->guard;
	size_t n = 0;

	for (uint32_t id = 1; id < guard->object->nentities; id++) {
		const struct hp_guard_entity *entity = &guard->entities[id];
		struct hp_price price;

		if (!entity->attached)
			continue;
		price = hp_price_billed(hp_functions_guard_price(guard, id));
		functions[n++] = (struct hp_governor_function){
			.index = id,
			.hits = hits_of(guard, id) - entity->seen,
			.time_ns = price.timed_ns,
			.skip_ns = price.skip_ns,
			.exact = entity->exact,
			.can_sample = hp_functions_guard_can_sample(guard, id),
			.level = entity->level,
		};
	}
	return n;
}

static int by_cost(const void *a, const void *b)
{
	const struct hp_functions_rate *left = a, *right = b;

	return left->percent < right->percent ? 1 : left->percent > right->percent ? -1 : 0;
}

/* What /governor shows. */
static int note_rates(struct hp_functions_ladder *ladder,
		      const struct hp_governor_function *functions, size_t n, uint64_t window_ns)
{
	ladder->rates.len = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t cost = hp_governor_cost(&functions[i], functions[i].level);
		struct hp_functions_rate rate = {
			.entity = functions[i].index,
			.level = functions[i].level,
			.hits_per_sec = (double)functions[i].hits * 1e9 / (double)window_ns,
			.ns_per_hit = functions[i].hits ? cost / functions[i].hits : 0,
			.percent = 100.0 * (double)cost / (double)window_ns,
		};

		if (functions[i].hits && hp_vec_push(&ladder->rates, rate) < 0)
			return -ENOMEM;
	}
	if (ladder->rates.len)
		qsort(ladder->rates.data, ladder->rates.len, sizeof(*ladder->rates.data), by_cost);
	return 0;
}

static int apply(struct hp_functions_ladder *ladder, const struct hp_governor_move *moves, size_t n)
{
	bool dropped = false;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		if (moves[i].level == HP_LEVEL_DROPPED) {
			dropped = true;
			r = drop(ladder, &moves[i]);
		} else {
			hp_functions_guard_set_level(ladder->guard, moves[i].index, moves[i].level);
		}
	}
	/* Of a crushed target all links go at once: the caller releases it. */
	if (r == 0 && dropped && !ladder->crushed)
		r = hp_functions_guard_drop_unattached(ladder->guard);
	return r;
}

int hp_functions_ladder_end(struct hp_functions_ladder *ladder)
{
	const struct hp_functions_guard *guard = ladder->guard;
	HP_AUTO_FREE struct hp_governor_function *functions =
		calloc(guard->object->nentities, sizeof(*functions));
	HP_AUTO_FREE struct hp_governor_move *moves =
		calloc(guard->object->nentities, sizeof(*moves));
	struct hp_governor_window window = {
		.ns = hp_clock_mono_ns() - ladder->window_start_ns,
		.target_cpu_ns = hp_functions_clock_read(&ladder->clock),
		.budget_percent = guard->settings.budget_percent,
		.patience = 1,
		.calm = ladder->calm_windows >= CALM_WINDOWS,
	};
	struct hp_governor_result result;
	uint64_t start;
	size_t n;
	int r;

	if (!functions || !moves)
		return -ENOMEM;
	ladder->window_cpu_ns = window.target_cpu_ns;
	n = collect(ladder, functions);
	r = note_rates(ladder, functions, n, window.ns);
	if (r < 0)
		return r;
	if (window.ns < STEADY_NS)
		window.patience = PATIENCE;
	result = hp_governor_decide(functions, n, &window, moves);
	ladder->crushed =
		ladder->may_release && result.nmoves && result.spent_ns > window.target_cpu_ns / 3;
	ladder->load = (double)window.target_cpu_ns / (double)window.ns;
	ladder->spent_percent = result.budget_ns
					? guard->settings.budget_percent * (double)result.spent_ns /
						  (double)result.budget_ns
					: 0;
	hp_purse_fill(&ladder->purse, result.budget_ns, result.spent_ns, ladder->load);
	if (result.spent_ns >= result.budget_ns / 100 * HP_GOVERNOR_CALM_PERCENT || result.nmoves)
		ladder->calm_windows = 0;
	else
		ladder->calm_windows++;
	if (result.nmoves)
		hp_log(HP_LOG_DEBUG, "functions",
		       "window %.1f ms: spent %.2f of %.2f ms, %zu functions move",
		       (double)window.ns / 1e6, (double)result.spent_ns / 1e6,
		       (double)result.budget_ns / 1e6, result.nmoves);
	start = hp_clock_mono_ns();
	r = apply(ladder, moves, result.nmoves);
	if (result.nmoves)
		hp_log(HP_LOG_DEBUG, "functions", "moved in %.1f ms",
		       (double)(hp_clock_mono_ns() - start) / 1e6);
	return r < 0 ? r : (int)result.nmoves;
}

void hp_functions_ladder_init(struct hp_functions_ladder *ladder, struct hp_functions_guard *guard)
{
	*ladder = (struct hp_functions_ladder){.guard = guard};
}

void hp_functions_ladder_deinit(struct hp_functions_ladder *ladder)
{
	hp_vec_free(&ladder->drops);
	hp_vec_free(&ladder->rates);
	hp_functions_clock_deinit(&ladder->clock);
}
