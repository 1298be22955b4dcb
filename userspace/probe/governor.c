#include "probe/governor.h"

#include <stdlib.h>

uint64_t hp_governor_cost(const struct hp_governor_function *function, enum hp_level level)
{
	uint64_t end_ns =
		function->time_ns > function->skip_ns ? function->time_ns - function->skip_ns : 0;

	switch (level) {
	case HP_LEVEL_TIMED:
		return function->hits * function->time_ns;
	case HP_LEVEL_SAMPLED:
		return function->hits * function->skip_ns +
		       ((function->hits * end_ns) >> HP_GOVERNOR_SHIFT);
	case HP_LEVEL_DROPPED:
		break;
	}
	return 0;
}

static int by_cost_descending(const void *a, const void *b)
{
	const struct hp_governor_function *left = a, *right = b;
	uint64_t left_cost = hp_governor_cost(left, left->level);
	uint64_t right_cost = hp_governor_cost(right, right->level);

	if (left_cost != right_cost)
		return left_cost < right_cost ? 1 : -1;
	return left->index < right->index ? -1 : left->index > right->index;
}

/* Moves @function to @level; returns what is spent then. */
static uint64_t move(struct hp_governor_function *function, enum hp_level level, uint64_t spent)
{
	spent -= hp_governor_cost(function, function->level);
	function->level = level;
	return spent + hp_governor_cost(function, level);
}

static uint64_t go_down(struct hp_governor_function *functions, size_t n, uint64_t budget,
			uint64_t drop_above, uint64_t spent)
{
	for (size_t i = 0; i < n && spent > budget; i++) {
		struct hp_governor_function *function = &functions[i];

		if (!function->exact && function->can_sample && function->hits &&
		    function->level == HP_LEVEL_TIMED)
			spent = move(function, HP_LEVEL_SAMPLED, spent);
	}
	for (size_t i = 0; i < n && spent > drop_above; i++) {
		if (!functions[i].exact && functions[i].hits)
			spent = move(&functions[i], HP_LEVEL_DROPPED, spent);
	}
	return spent;
}

/* From the cheapest up, those for which @wanted says so and there is room below @limit. */
static uint64_t go_up(struct hp_governor_function *functions, size_t n, uint64_t limit,
		      uint64_t spent, const enum hp_level *only_if_before)
{
	for (size_t i = n; i-- > 0;) {
		struct hp_governor_function *function = &functions[i];
		uint64_t after = spent - hp_governor_cost(function, function->level) +
				 hp_governor_cost(function, HP_LEVEL_TIMED);

		if (function->level != HP_LEVEL_SAMPLED ||
		    (only_if_before && only_if_before[i] != HP_LEVEL_TIMED))
			continue;
		if (after > limit)
			break;
		spent = move(function, HP_LEVEL_TIMED, spent);
	}
	return spent;
}

static size_t list_moves(const struct hp_governor_function *functions, size_t n,
			 const enum hp_level *before, const struct hp_governor_window *window,
			 struct hp_governor_move *moves)
{
	size_t nmoves = 0;

	for (size_t i = 0; i < n; i++) {
		const struct hp_governor_function *function = &functions[i];

		if (function->level == before[i])
			continue;
		moves[nmoves++] = (struct hp_governor_move){
			.index = function->index,
			.level = function->level,
			.hits_per_sec =
				(uint64_t)((double)function->hits * 1e9 / (double)window->ns),
			.percent = 100.0 * (double)hp_governor_cost(function, before[i]) /
				   (double)window->ns,
		};
	}
	return nmoves;
}

struct hp_governor_result hp_governor_decide(struct hp_governor_function *functions, size_t n,
					     const struct hp_governor_window *window,
					     struct hp_governor_move *moves)
{
	uint64_t floor_ns = window->ns / 1000 * HP_GOVERNOR_FLOOR_PERMILLE;
	uint64_t base_ns = window->target_cpu_ns > floor_ns ? window->target_cpu_ns : floor_ns;
	struct hp_governor_result result = {
		.budget_ns = (uint64_t)((double)base_ns * window->budget_percent / 100.0)};
	uint64_t calm_ns = result.budget_ns / 100 * HP_GOVERNOR_CALM_PERCENT, spent;
	enum hp_level *before;

	for (size_t i = 0; i < n; i++)
		result.spent_ns += hp_governor_cost(&functions[i], functions[i].level);
	if (window->ns == 0 || n == 0 ||
	    (result.spent_ns <= result.budget_ns && !(window->calm && result.spent_ns < calm_ns)))
		return result;
	before = calloc(n, sizeof(*before));
	if (!before)
		return result; /* the next window decides */
	qsort(functions, n, sizeof(*functions), by_cost_descending);
	for (size_t i = 0; i < n; i++)
		before[i] = functions[i].level;
	if (result.spent_ns > result.budget_ns) {
		spent = go_down(functions, n, result.budget_ns,
				(uint64_t)((double)result.budget_ns * window->patience),
				result.spent_ns);
		go_up(functions, n, result.budget_ns, spent, before);
	} else {
		go_up(functions, n, calm_ns, result.spent_ns, NULL);
	}
	result.nmoves = list_moves(functions, n, before, window, moves);
	free(before);
	return result;
}

const char *hp_level_name(enum hp_level level)
{
	static const char *const names[] = {
		[HP_LEVEL_TIMED] = "timed",
		[HP_LEVEL_SAMPLED] = "sampled",
		[HP_LEVEL_DROPPED] = "dropped",
	};

	return names[level];
}
