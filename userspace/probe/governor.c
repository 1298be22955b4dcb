#include "probe/governor.h"

static uint64_t cost_of(const struct hp_governor_function *function)
{
	return function->hits * function->price_ns;
}

static int by_cost_descending(const void *a, const void *b)
{
	uint64_t left = cost_of(a), right = cost_of(b);

	return left < right ? 1 : left > right ? -1 : 0;
}

struct hp_governor_result hp_governor_decide(struct hp_governor_function *functions, size_t n,
					     uint64_t window_ns, uint64_t target_cpu_ns,
					     struct hp_governor_drop *drops)
{
	uint64_t floor_ns = window_ns / 1000 * HP_GOVERNOR_FLOOR_PERMILLE;
	uint64_t base_ns = target_cpu_ns > floor_ns ? target_cpu_ns : floor_ns;
	struct hp_governor_result result = {.budget_ns =
						    base_ns / 100 * HP_GOVERNOR_BUDGET_PERCENT};
	uint64_t left = 0;

	for (size_t i = 0; i < n; i++)
		result.spent_ns += cost_of(&functions[i]);
	if (result.spent_ns <= result.budget_ns || window_ns == 0)
		return result;

	qsort(functions, n, sizeof(*functions), by_cost_descending);
	left = result.spent_ns;
	for (size_t i = 0; i < n && left > result.budget_ns; i++) {
		const struct hp_governor_function *function = &functions[i];

		if (function->exact || function->hits == 0)
			continue;
		left -= cost_of(function);
		drops[result.ndrops++] = (struct hp_governor_drop){
			.index = function->index,
			.hits_per_sec =
				(uint64_t)((double)function->hits * 1e9 / (double)window_ns),
			.percent = 100.0 * (double)cost_of(function) / (double)window_ns,
		};
	}
	return result;
}
