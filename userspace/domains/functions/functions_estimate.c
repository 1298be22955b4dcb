#include "domains/functions/functions_estimate.h"

#include <math.h>

#define Q_NS 64.0 /* unit of q in struct hp_cell */

struct hp_estimate hp_functions_estimate(const struct hp_cell *cell)
{
	struct hp_estimate estimate = {
		.calls = cell->count + cell->sampled_hits,
		.timed = cell->count + cell->timed,
		.total_ns = cell->sum_ns,
		.self_ns = cell->self_ns,
	};
	double mean, scale, variance;

	if (!cell->sampled_hits)
		return estimate;
	if (!cell->timed || !cell->est_n) {
		/* None was drawn yet: as long as those before, if there were any, and nothing is certain of it. */
		if (cell->count) {
			mean = (double)cell->sum_ns / (double)cell->count;
			estimate.error_ns = (uint64_t)(mean * (double)cell->sampled_hits);
			estimate.total_ns += estimate.error_ns;
			scale = (double)cell->sampled_hits / (double)cell->count;
			estimate.self_ns += (uint64_t)((double)cell->self_ns * scale);
		}
		return estimate;
	}
	mean = (double)cell->est_sum_ns / (double)cell->est_n;
	scale = (double)cell->sampled_hits / (double)cell->est_n;
	estimate.total_ns += (uint64_t)(mean * (double)cell->sampled_hits);
	estimate.self_ns += (uint64_t)((double)cell->est_self_ns * scale);
	variance = (double)cell->est_wqq * Q_NS * Q_NS - 2 * mean * (double)cell->est_wq * Q_NS +
		   mean * mean * (double)cell->est_w;
	/* Durations are summed up in units of q: below one unit nothing is known of their spread. */
	if (variance < Q_NS * Q_NS / 12 * (double)cell->est_w)
		variance = Q_NS * Q_NS / 12 * (double)cell->est_w;
	estimate.error_ns = (uint64_t)ceil(sqrt(variance) * scale);
	return estimate;
}
